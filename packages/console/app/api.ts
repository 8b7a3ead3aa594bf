/** The API, as the pages ask it. The session is in a cookie that a page cannot read. */
import {
  ApiError,
  connect,
  type ApiClient,
  type Asking,
  type CallableId,
  type OperationKind,
  type Receipt,
  type ResultOf,
} from '@holdfast/api-client'
import { signal } from '../src/signal.ts'
import type { OwnSession, Trouble } from '../src/types.ts'

/** Undefined until it is known, null without a login. */
export const session = signal<OwnSession | null | undefined>(undefined)
/** Viewers look, admins change things. */
export const mayChange = (): boolean => session.value?.role === 'admin'

let client: ApiClient | undefined
/** This long a request is repeated while nobody answers; nothing is done twice by that. */
const patienceMs = 8000

async function take(connecting: Promise<ApiClient>): Promise<void> {
  client = await connecting
  session.set(client.session)
}
/** Takes up the session of the cookie. */
export const resume = (): Promise<void> => take(connect({ patienceMs }))
/** Begins one. */
export const login = (user: string, password: string): Promise<void> => take(connect({ user, password, cookie: true, patienceMs }))

/** An answer; of what takes time its receipt: the outcome comes on the event stream. */
type Answer<Id extends CallableId> = Id extends OperationKind ? Receipt : ResultOf<Id>

/** Asks: the names in the path, then the body or the query. Rejects with `ApiError`. */
export async function ask<Id extends CallableId>(id: Id, ...asked: Asking<Id>): Promise<Answer<Id>> {
  if (client === undefined) throw new ApiError('You are not logged in.', { code: 'NOT_LOGGED_IN', status: 401 })
  const call = client.call.bind(client) as (id: CallableId, ...asked: readonly unknown[]) => Promise<unknown>
  try {
    return (await call(id, ...asked, { wait: false })) as Answer<Id> // by the API's table
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) session.set(null)
    throw error
  }
}

/** What is wrong, of whatever was thrown. */
export const troubleOf = (error: unknown): Trouble =>
  error instanceof ApiError
    ? { code: error.code, status: error.status, detail: error.message, errors: error.errors }
    : { code: 'CONSOLE', status: 0, detail: `The console failed: ${String(error)}` }
