/** The management application: requests in, responses out; no sockets. */

import type { MetricSample } from '@holdfast/engine'
import type { Asked, OperationKind, QueryId, RouteId } from './api/routes.ts'
import type { ApiSession, ManagementCore, Origin } from './core/core.ts'
import { knownProblemOf, ManagementError, problemOf } from './core/problems.ts'
import type { HttpRequest } from '@holdfast/http'
import { type HttpResponse, json, problemResponse } from './http/response.ts'
import { type Rate, TokenBuckets } from './limits/token-buckets.ts'
import { openApiDocument } from './openapi/document.ts'
import type { ManagedNode } from './operations/actions.ts'
import { overview } from './overview.ts'
import { formatMetrics, prometheusContentType } from './prometheus.ts'
import type { Trouble } from './readiness.ts'
import { askedOf } from './router/asked.ts'
import { checkCsrf, checkOrigin, cookieOf, type Credentials, credentialsOf, noCookie } from './router/credentials.ts'
import { type Match, matchRoute, MethodNotAllowed } from './router/match.ts'
import { outcomeOf, receiptOf } from './router/outcome.ts'
import { preferenceOf } from './router/prefer.ts'
import { ConsoleFiles } from './static/console.ts'

type MaybePromise<T> = T | Promise<T>

/** How often somebody may ask, on each worker. */
export interface ManagementRates {
  /** An address, whoever asks from there. */
  readonly address: Rate
  /** A session. */
  readonly session: Rate
}

/** The rates of a node that says nothing of its own. */
export const defaultRates: ManagementRates = { address: { perSecond: 2000, burst: 4000 }, session: { perSecond: 200, burst: 1000 } }

/** What the application asks its node for. */
export interface ManagementOptions {
  /** All metrics of the node, as of now. */
  metrics(): MaybePromise<readonly MetricSample[]>
  /** What keeps the node from taking work; nothing where it does. */
  troubles(): MaybePromise<readonly Trouble[]>
  /** What `/v1` is about; a node without a store has none. */
  readonly api?: { readonly core: ManagementCore; readonly managed: ManagedNode } | undefined
  /** Who may read `/metrics`: whoever is logged in as a viewer, or everybody; `login` where undefined. */
  readonly metricsAccess?: 'login' | 'open' | undefined
  /** The console's files; nothing is at `/` where undefined. */
  readonly consoleFolder?: URL | undefined
  readonly version?: string | undefined
  readonly rates?: ManagementRates | undefined
  readonly clock?: () => Date
  /** Hears of errors that no client is told of. */
  readonly onError?: (error: unknown) => void
}

/** Who asks. */
export interface Caller {
  readonly address: string
  /** Came by the control socket: logs in without a password. */
  readonly isLocal: boolean
  /** A worker died that had the request: it may have been carried out. */
  readonly again: boolean
}

/** A stream that may be opened. */
export interface StreamRequest {
  readonly session: ApiSession
  /** The cursor after which it goes on. */
  readonly after: string | undefined
  readonly wantsOverview: boolean
}

/** Answers requests. */
export interface ManagementApp {
  /** The worker that has to answer; undefined where any may. */
  ownerOf(request: HttpRequest): number | undefined
  /** Whether the answer is the event stream. */
  isStream(request: HttpRequest): boolean
  /** Never rejects: what fails inside is a 500. `signal` says that nobody waits for the answer any more. */
  answer(request: HttpRequest, caller: Caller, signal?: AbortSignal): Promise<HttpResponse>
  /** What the stream is of, or why there is none. Never rejects. */
  openStream(request: HttpRequest, caller: Caller): Promise<StreamRequest | HttpResponse>
  /** A response where somebody asks too often. */
  limit(caller: Caller): HttpResponse | undefined
  /** `data` of an event named `overview`. */
  overview(): Promise<string>
}

/** What a handler has. */
interface Handling {
  readonly request: HttpRequest
  readonly caller: Caller
  readonly signal: AbortSignal | undefined
}
interface WithSession extends Handling {
  readonly session: ApiSession
}

const rank = { user: 0, viewer: 1, admin: 2 } as const
const needed = { public: 0, session: 0, viewer: 1, admin: 2 } as const

/**
 * Builds the application that a worker runs for the `--http` listener and for the control socket.
 *
 * @example
 * const app = createManagementApp({ metrics: () => [], troubles: () => [] })
 * const request = { method: 'GET', path: '/healthz', query: '', headers: new Map(), content: Buffer.alloc(0) }
 * const { status } = await app.answer(request, { address: '127.0.0.1', isLocal: false, again: false })
 * status // => 200
 */
export const createManagementApp = (options: ManagementOptions): ManagementApp => new App(options)

class App implements ManagementApp {
  readonly #options: ManagementOptions
  readonly #console: ConsoleFiles
  readonly #addresses: TokenBuckets
  readonly #sessions: TokenBuckets
  #samples: readonly MetricSample[] | undefined
  #document: string | undefined

  constructor(options: ManagementOptions) {
    const rates = options.rates ?? defaultRates
    this.#options = options
    this.#console = new ConsoleFiles(options.consoleFolder)
    this.#addresses = new TokenBuckets(rates.address)
    this.#sessions = new TokenBuckets(rates.session)
  }

  ownerOf({ headers, path }: HttpRequest): number | undefined {
    const credentials = path === '/v1/login' ? undefined : credentialsOf(headers)
    return credentials && this.#options.api?.core.ownerOf(credentials.token)
  }

  isStream({ method, path }: HttpRequest): boolean {
    return method === 'GET' && path === '/v1/events'
  }

  limit({ address, isLocal }: Caller): HttpResponse | undefined {
    const seconds = isLocal ? 0 : this.#addresses.take(address, performance.now())
    return seconds === 0 ? undefined : tooManyRequests(seconds)
  }

  async answer(request: HttpRequest, caller: Caller, signal?: AbortSignal): Promise<HttpResponse> {
    try {
      return await this.#answer({ request, caller, signal })
    } catch (error) {
      return this.#refusal(error)
    }
  }

  async openStream(request: HttpRequest, caller: Caller): Promise<StreamRequest | HttpResponse> {
    try {
      const match = matchRoute(request.method, request.path)
      if (match === undefined) throw nothingAt(request.path)
      const session = await this.#sessionFor(match, { request, caller, signal: undefined })
      const { query } = askedOf(match, request) as Asked<'events'>
      const wantsOverview = query.overview === '1'
      if (wantsOverview && rank[session.role] < rank.viewer) throw forbidden
      return { session, after: request.headers.get('last-event-id') ?? query.after, wantsOverview }
    } catch (error) {
      return this.#refusal(error)
    }
  }

  async overview(): Promise<string> {
    const before = this.#samples
    this.#samples = await this.#options.metrics()
    return JSON.stringify(overview(this.#samples, { atMs: Date.now(), before }))
  }

  async #answer(handling: Handling): Promise<HttpResponse> {
    const { request } = handling
    const plain = Object.hasOwn(this.#plain, request.path) ? this.#plain[request.path] : undefined
    if (plain !== undefined) {
      if (request.method !== 'GET' && request.method !== 'HEAD') throw new MethodNotAllowed(request.path, ['GET', 'HEAD'])
      return plain(handling)
    }
    const match = matchRoute(request.method, request.path)
    if (match === undefined) {
      const file = await this.#console.answer(request)
      if (file === undefined) throw nothingAt(request.path)
      return file
    }
    if (match.id === 'login') return this.#login(askedOf(match, localLogin(handling)), handling)
    const session = await this.#sessionFor(match, handling)
    const asked = askedOf(match, request)
    if (match.route.kind === 'operation') return this.#start(match.id as OperationKind, asked, { ...handling, session })
    const own = this.#own[match.id]
    if (own !== undefined) return own(asked as never, { ...handling, session })
    const query = this.#api.managed.queries[match.id as QueryId] as (asked: Asked<RouteId>) => Promise<unknown>
    return json(200, await query(asked))
  }

  /** What is served beside the table of routes. */
  readonly #plain: Readonly<Record<string, (handling: Handling) => MaybePromise<HttpResponse>>> = {
    '/healthz': () => json(200, { status: 'ok' }),
    '/readyz': async () => {
      const troubles = await this.#options.troubles()
      if (troubles.length > 0) throw new ManagementError('UNAVAILABLE', troubles.map(({ name, detail }) => `${name}: ${detail}`).join('; '))
      return json(200, { status: 'ready' })
    },
    '/metrics': async handling => {
      if (this.#options.metricsAccess !== 'open') await this.#sessionOf(handling, 'viewer')
      return { status: 200, contentType: prometheusContentType, body: formatMetrics(await this.#options.metrics()) }
    },
    '/openapi.json': async handling => {
      await this.#sessionOf(handling, 'session')
      this.#document ??= `${JSON.stringify(openApiDocument(this.#options.version ?? '0'))}\n`
      return { status: 200, contentType: 'application/json', body: this.#document }
    },
  }

  /** Routes that are about the API itself. */
  readonly #own: { readonly [Id in RouteId]?: (asked: Asked<Id>, handling: WithSession) => Promise<HttpResponse> } = {
    logout: async (_, { session, request, caller }) => {
      await session.logout(originOf(request, caller))
      return { status: 204, body: '', headers: session.cookie ? { 'Set-Cookie': noCookie } : {} }
    },
    'session.own': async (_, { session }) => json(200, session.view),
    'operation.list': async ({ query }) => json(200, await this.#api.core.operations.list(query)),
    'operation.show': async ({ parameters }) => {
      const operation = await this.#api.core.operations.get(parameters.id)
      if (operation === undefined) throw new ManagementError('UNKNOWN_OPERATION', `There is no operation "${parameters.id}".`)
      return json(200, operation)
    },
    'operation.cancel': async ({ parameters }, { session, request, caller }) =>
      json(200, await session.cancel(parameters.id, originOf(request, caller))),
    'audit.list': async ({ query }) => json(200, await this.#api.core.audit.list(query)),
  }

  get #api(): NonNullable<ManagementOptions['api']> {
    const { api } = this.#options
    if (api === undefined) throw new ManagementError('UNAVAILABLE', 'This node is not managed by HTTP.')
    return api
  }

  async #login({ body }: Asked<'login'>, { request, caller }: Handling): Promise<HttpResponse> {
    checkOrigin(request.headers)
    const { address } = caller
    const { user, password, cookie = false } = body
    const { token, session } = await this.#api.core.login(caller.isLocal ? { local: true, address } : { user, password, cookie, address })
    if (!cookie) return json(200, { token, ...session })
    return json(200, session, { 'Set-Cookie': cookieOf(token, Date.parse(session.expires) - Date.now()) })
  }

  /** The session of a request that may ask for this route. What would change something, and may not, is in the audit log. */
  async #sessionFor({ id, route, parameters }: Match, handling: Handling): Promise<ApiSession> {
    const { request, caller } = handling
    const { session, credentials } = await this.#known(handling)
    const isChange = route.method !== 'GET'
    try {
      if (isChange && credentials.byCookie) checkCsrf(request.headers, session.csrf)
      this.#checkRole(session, route.access)
    } catch (error) {
      if (isChange) await this.#audit({ session, caller, action: id, target: targetOf(route.path, parameters), error })
      throw error
    }
    return session
  }

  async #sessionOf(handling: Handling, access: 'session' | 'viewer'): Promise<ApiSession> {
    const { session } = await this.#known(handling)
    this.#checkRole(session, access)
    return session
  }

  #checkRole({ role }: ApiSession, access: keyof typeof needed): void {
    if (rank[role] < needed[access]) throw forbidden
  }

  async #known({ request }: Handling): Promise<{ readonly session: ApiSession; readonly credentials: Credentials }> {
    const credentials = credentialsOf(request.headers)
    if (credentials === undefined) throw new ManagementError('NOT_LOGGED_IN', 'Log in first: POST /v1/login.')
    const session = await this.#api.core.session(credentials.token)
    if (session === undefined) throw new ManagementError('NOT_LOGGED_IN', 'There is no such session, or it has ended. Log in again.')
    const seconds = this.#sessions.take(session.id, performance.now())
    if (seconds > 0) throw new TooManyRequests(seconds)
    return { session, credentials }
  }

  async #audit(refused: { session: ApiSession; caller: Caller; action: string; target: string; error: unknown }): Promise<void> {
    const { session, caller, action, target, error } = refused
    const detail = error instanceof Error ? error.message : String(error)
    const entry = { user: session.user, session: session.id, address: caller.address, action, target, outcome: 'refused', detail } as const
    await this.#api.core.audit.append(entry).catch((failure: unknown) => this.#options.onError?.(failure))
  }

  async #start(kind: OperationKind, asked: Asked<RouteId>, { session, request, caller, signal }: WithSession): Promise<HttpResponse> {
    const origin = originOf(request, caller)
    if (caller.again && origin.idempotencyKey === undefined) throw mayBeDone
    const preference = preferenceOf(request.headers.get('prefer'))
    const operation = await session.start(kind, asked, origin)
    const { operations } = this.#api.core
    const ended = await outcomeOf({ operation, operations, waitMs: 1000 * preference.waitSeconds, signal })
    return ended ?? receiptOf(operation, preference)
  }

  #refusal(error: unknown): HttpResponse {
    if (knownProblemOf(error) === undefined) this.#options.onError?.(error)
    return problemResponse(problemOf(error), refusalHeaders(error))
  }
}

/** RFC 6585 4, with what `Retry-After` says. */
class TooManyRequests extends ManagementError {
  readonly retryAfterSeconds: number
  constructor(seconds: number) {
    super('TOO_MANY_REQUESTS', `Too many requests; ask again in ${seconds} s.`)
    this.retryAfterSeconds = seconds
  }
}
const tooManyRequests = (seconds: number): HttpResponse => {
  const error = new TooManyRequests(seconds)
  return problemResponse(problemOf(error), refusalHeaders(error))
}

const forbidden = new ManagementError('FORBIDDEN', 'The role of the user does not allow that.')
const mayBeDone = new ManagementError('WORKER_LOST', 'The request may have been received: look at GET /v1/operations, or send an Idempotency-Key.')
const nothingAt = (path: string): ManagementError => new ManagementError('UNKNOWN_PATH', `There is nothing at ${path}.`)

/** How long somebody waits who is told to come again, where nothing else is known. */
const retryAfterSeconds = 1

function refusalHeaders(error: unknown): Readonly<Record<string, string>> {
  if (error instanceof MethodNotAllowed) return { Allow: error.allow }
  if (!(error instanceof Error) || !('code' in error)) return {}
  const { status, code } = problemOf(error)
  // RFC 9110 11.6.1, RFC 6750 3.
  if (code === 'NOT_LOGGED_IN') return { 'WWW-Authenticate': 'Bearer realm="holdfast"' }
  const seconds = 'retryAfterSeconds' in error && typeof error.retryAfterSeconds === 'number' ? error.retryAfterSeconds : retryAfterSeconds
  return status === 429 || status === 503 ? { 'Retry-After': String(Math.ceil(seconds)) } : {}
}

/** Visible ASCII, and not longer than anybody needs. */
const idempotencyKey = /^[!-~]{1,200}$/

function originOf({ headers }: HttpRequest, { address }: Caller): Origin {
  const key = headers.get('idempotency-key')
  if (key !== undefined && !idempotencyKey.test(key)) throw new ManagementError('MALFORMED', 'An Idempotency-Key has 1 to 200 visible characters.')
  return { address, ...(key !== undefined && { idempotencyKey: key }) }
}

/** The local administrator has no password to send. */
function localLogin({ request, caller }: Handling): HttpRequest {
  if (!caller.isLocal) return request
  return {
    ...request,
    headers: new Map([...request.headers, ['content-type', 'application/json']]),
    content: Buffer.from(JSON.stringify({ user: 'local', password: '' })),
  }
}

const targetOf = (path: string, parameters: Readonly<Record<string, string>>): string =>
  path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(parameters[name] ?? ''))
