/** The client: the API's table as functions. */

import type { OperationKind, ResultOf } from '@holdfast/management/api'
import { ApiError } from './error.ts'
import { type ApiEvent, type ConnectionState, EventStream } from './events.ts'
import { eventsOf, type EventsOptions } from './listening.ts'
import { look, newsOf, OperationWatch, resultOf } from './operations.ts'
import { ask, type Fetch, type RequestSettings, send } from './requests.ts'
import {
  type Asking,
  type Call,
  type CallableId,
  type CallOptions,
  type Group,
  type ItemOf,
  type ListId,
  type Login,
  type OperationNews,
  type OperationOptions,
  type OwnSession,
  type Receipt,
  table,
} from './table.ts'

/** Where the node is, and who asks: a user with a password, a token, or in a browser whoever the cookie says. */
export interface ConnectOptions {
  /** `http://127.0.0.1:8080`; in a browser where the page is from. */
  readonly url?: string
  readonly user?: string
  readonly password?: string
  /** Keeps the session in a cookie, which the page cannot read. Browsers only. */
  readonly cookie?: boolean
  /** Of an earlier login. */
  readonly token?: string
  /** Of `connect` alone. */
  readonly signal?: AbortSignal
  /** How long a request is repeated while nobody answers: 30,000 where undefined. Nothing is done twice by that. */
  readonly patienceMs?: number
  /** Hears when the event stream is open, and when its connection is lost; it is opened again by itself. */
  readonly onConnection?: (state: ConnectionState, error?: Error) => void
  /** Instead of the global one. */
  readonly fetch?: Fetch
}

const patienceMsDefault = 30_000

/**
 * Logs in, or takes up a session. Rejects with `ApiError`: `WRONG_CREDENTIALS`, `NOT_LOGGED_IN`, `UNREACHABLE`, …
 *
 * @example
 * const api = await connect({ url, user, password })
 * const volume = await api.volumes.create({ name: 'disk1', size: '1MiB' }, { onProgress: ({ percent }) => console.log(percent) })
 * volume.sizeBytes // => 1048576
 * await api.close()
 */
export async function connect(options: ConnectOptions): Promise<ApiClient> {
  const { user, password, cookie = false, token, signal, patienceMs = patienceMsDefault, fetch: given, onConnection } = options
  const url = options.url ?? (globalThis as { readonly location?: { readonly origin: string } }).location?.origin
  if (url === undefined) throw new TypeError('url is missing')
  // Who cannot be reached at all is told at once.
  const first = { url, fetch: given ?? ((input, init) => fetch(input, init)), credentials: { token }, patienceMs: 0 }
  const session = (
    user === undefined
      ? await ask(first, { id: 'session.own', names: [], signal })
      : await ask(first, { id: 'login', names: [], input: { user, password: password ?? '', ...(cookie && { cookie }) }, signal })
  ) as OwnSession & Pick<Login, 'token'>
  const credentials = { token: session.token ?? token, csrf: session.csrf }
  return new ApiClient({ ...first, credentials, patienceMs }, { session, onConnection })
}

/** Bodies and queries are objects, names are texts, and options come last. */
interface Said {
  readonly names: readonly string[]
  readonly input: unknown
  readonly options: OperationOptions
}

function partsOf(id: CallableId, asked: readonly unknown[]): Said {
  const { path, takes } = table[id]
  const namesCount = path.split('{').length - 1
  const optionsAt = namesCount + (takes === 'nothing' ? 0 : 1)
  return {
    names: asked.slice(0, namesCount) as string[],
    input: takes === 'nothing' ? undefined : asked[namesCount],
    options: asked[optionsAt] ?? {},
  }
}

/**
 * A session with a node. Made by `connect`. `close` ends the event stream; `logout` the session.
 *
 * A call that takes time resolves when the operation has ended, as the session's one event stream tells: over lost connections and restarts
 * of the node, without asking again.
 *
 * @example
 * const api = await connect({ url, user, password })
 * const { operation } = await api.call('volume.create', { name: 'disk2', size: '1MiB' }, { wait: false })
 * await api.wait(operation)
 * const { items } = await api.volumes.list()
 * items.some(({ name }) => name === 'disk2') // => true
 * await api.close()
 */
export class ApiClient implements AsyncDisposable {
  readonly volumes: Group<'volume'> = this.#group('volume')
  readonly snapshots: Group<'snapshot'> = this.#group('snapshot')
  readonly shares: Group<'share'> = this.#group('share')
  readonly users: Group<'user'> = this.#group('user')
  /** Of clients of the storage; `own` is that of this client. */
  readonly sessions: Group<'session'> = this.#group('session')
  readonly opens: Group<'open'> = this.#group('open')
  readonly operations: Group<'operation'> = this.#group('operation')
  readonly audit: Group<'audit'> = this.#group('audit')
  /** Who is logged in, with which role, and until when. */
  readonly session: OwnSession
  readonly #settings: RequestSettings
  readonly #stream: EventStream
  /** Keeps the stream open once it was needed: a session has one, for as long as it lasts. */
  #isKept = false

  constructor(
    settings: RequestSettings,
    {
      session,
      onConnection,
    }: { readonly session: OwnSession; readonly onConnection?: ((state: ConnectionState, error?: Error) => void) | undefined },
  ) {
    this.#settings = settings
    this.session = session
    this.#stream = new EventStream({
      onConnection,
      open: ({ overview, headers }, signal) => send(settings, { id: 'events', names: [], input: overview ? { overview: '1' } : {}, headers, signal }),
    })
  }

  /** For another process, as `token` of `connect`; undefined where the session is in a cookie. */
  get token(): string | undefined {
    return this.#settings.credentials.token
  }

  /** Any route by its id: the names in its path, then its body or query, then options. */
  call<Id extends OperationKind>(id: Id, ...asked: [...Asking<Id>, options: OperationOptions & { readonly wait: false }]): Promise<Receipt>
  call<Id extends OperationKind>(id: Id, ...asked: [...Asking<Id>, options?: OperationOptions & { readonly wait?: true }]): Promise<ResultOf<Id>>
  call<Id extends Exclude<CallableId, OperationKind>>(id: Id, ...asked: [...Asking<Id>, options?: CallOptions]): Promise<ResultOf<Id>>
  call(id: CallableId, ...asked: readonly unknown[]): Promise<unknown> {
    return this.#call(id, asked)
  }

  /**
   * All items of a list, page by page.
   *
   * @example
   * const api = await connect({ url, user, password })
   * for await (const { name, sizeBytes } of api.all('volume.list')) console.log(name, sizeBytes)
   * await api.close()
   */
  async *all<Id extends ListId>(id: Id, ...asked: [...Asking<Id>, options?: CallOptions]): AsyncGenerator<ItemOf<Id>, void> {
    const { names, input, options } = partsOf(id, asked)
    for (let cursor: string | null | undefined; cursor !== null;) {
      const query = { ...(input as object | undefined), ...(cursor !== undefined && { cursor }) }
      const page = (await this.#call(id, [...names, query, options])) as { readonly items: readonly ItemOf<Id>[]; readonly next: string | null }
      yield* page.items
      cursor = page.next
    }
  }

  /** Resolves to the result of an operation, of whichever session. Rejects with `ApiError`. */
  async wait(operation: string, { onProgress, signal }: Pick<OperationOptions, 'onProgress' | 'signal'> = {}): Promise<unknown> {
    const options = { ...(onProgress && { onNews: onProgress }), ...(signal && { signal }) }
    const show = () => this.operations.show(operation, signal && { signal })
    using watch = this.#watch()
    const record = await show()
    if (record.session !== this.session.session) return resultOf(await look(show, options))
    const outcome = watch.outcome(operation, options)
    watch.take(newsOf(record))
    return resultOf(await outcome)
  }

  /**
   * What happens to the operations of this session: each event exactly once, over as many connections as it takes. Ends with its signal, with
   * `close`, or by `ApiError` when the session does.
   *
   * @example
   * const api = await connect({ url, user, password })
   * await api.volumes.create({ name: 'disk3', size: '1MiB' })
   * for await (const { id, event, data } of api.events()) {
   *   if (event === 'operation' && data.state === 'succeeded') break // `id` is what to go on after, one day
   * }
   * await api.close()
   */
  events(options: EventsOptions = {}): AsyncGenerator<ApiEvent, void> {
    return eventsOf(this.#stream, options)
  }

  /** How much is going on, as running totals. */
  overview(options: CallOptions = {}): Promise<ResultOf<'overview'>> {
    return this.call('overview', options)
  }

  /** The node that answers. */
  node(options: CallOptions = {}): Promise<ResultOf<'node'>> {
    return this.call('node', options)
  }

  /** Ends the session and the event stream; operations go on. */
  async logout(options: CallOptions = {}): Promise<void> {
    await this.call('logout', options)
    await this.close()
  }

  /** Ends the event stream. The session stays, for as long as the node keeps it. */
  async close(): Promise<void> {
    this.#stream.close(new ApiError('the client is closed', { code: 'CLOSED', status: 0 }))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #group<Kind extends string>(kind: Kind): Group<Kind> {
    const ids = (Object.keys(table) as CallableId[]).filter(id => id.startsWith(`${kind}.`))
    const calls = ids.map(id => [id.slice(kind.length + 1), (...asked: readonly unknown[]) => this.#call(id, asked)] as const)
    return Object.fromEntries(calls) as unknown as Group<Kind> // by the table
  }

  async #call(id: CallableId, asked: readonly unknown[]): Promise<unknown> {
    const { names, input, options } = partsOf(id, asked)
    const { signal } = options
    if (table[id].kind !== 'operation') return ask(this.#settings, { id, names, input, signal })
    const headers = { 'Idempotency-Key': options.key ?? newKey() }
    const begin = async (): Promise<Receipt> => {
      const receipt = (await ask(this.#settings, { id, names, input, headers, signal })) as Receipt
      options.onReceipt?.(receipt)
      return receipt
    }
    if (options.wait === false) return begin()
    using watch = this.#watch()
    const { operation } = await begin()
    const onNews = options.onProgress
    return resultOf(await watch.outcome(operation, { ...(onNews && { onNews }), ...(signal && { signal }) }))
  }

  #watch(): OperationWatch {
    const watch = new OperationWatch(this.#stream)
    if (!this.#isKept) {
      this.#isKept = true
      const onEnd = (): void => {
        this.#isKept = false
      }
      this.#stream.listen({ cursor: this.#stream.cursor, overview: false, onEvent: () => undefined, onEnd })
    }
    return watch
  }
}

export type { Call, OperationNews }

/** `crypto.randomUUID` is not there for pages that came neither over TLS nor from the same machine. */
const newKey = (): string => Array.from(crypto.getRandomValues(new Uint32Array(4)), word => word.toString(36)).join('-')
