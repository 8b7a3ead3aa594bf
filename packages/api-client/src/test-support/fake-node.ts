import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Operation, OperationEvent } from '../table.ts'

/** Of `startFakeNode`. */
export interface FakeNodeOptions {
  /** Instead of a free port. */
  readonly socketPath?: string
  /** Answers of GET by path, besides those of operations and sessions. */
  readonly answers?: Readonly<Record<string, unknown>>
  /** Ends every operation at once, with this result; else tests move them by `tell`. */
  readonly result?: (operation: Operation) => unknown
}

type Change = Partial<Pick<Operation, 'state' | 'percent' | 'note' | 'result' | 'problem'>>

interface Stream {
  readonly response: ServerResponse
}

const at = '2026-11-21T00:00:00.000Z'
const user = { user: 'alice', password: 'correct horse' }
const tokenOf = (session: string): string => `hf1.${session}.secret`

/** One session log for each login, one stream each, operations that tests move on. */
export class FakeNode implements AsyncDisposable {
  readonly requests: string[] = []
  readonly operations = new Map<string, Operation>()
  /** As many POST requests are carried out and not answered: the connection ends. */
  losesAnswers = 0
  /** As many requests are answered so, before anything is done. */
  readonly refusals: { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly code: string }[] = []
  /** As many events at the log's begin are forgotten. */
  forgotten = 0
  epoch = 'e1'
  readonly #server: Server
  readonly #options: FakeNodeOptions
  readonly #logs = new Map<string, OperationEvent[]>()
  readonly #keys = new Map<string, string>()
  readonly #streams = new Map<string, Stream>()
  readonly #changed = new Set<() => void>()

  constructor(server: Server, options: FakeNodeOptions) {
    this.#server = server
    this.#options = options
    server.on('request', (request: IncomingMessage, response: ServerResponse) => void this.#answer(request, response))
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  get streams(): number {
    return this.#streams.size
  }

  /** Resolves when `condition` holds, looked at whenever something is asked. */
  async until(condition: (node: this) => boolean): Promise<void> {
    while (!condition(this)) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#changed.add(resolve)
      await promise
      this.#changed.delete(resolve)
    }
  }

  /** Changes an operation, and says so on its session's stream. */
  tell(id: string, change: Change): void {
    const operation = { ...this.operations.get(id)!, ...change }
    this.operations.set(id, operation)
    const log = this.#logOf(operation.session)
    const { id: _id, session: _session, user: _user, createdAt: _at, ...rest } = operation
    const event: OperationEvent = { ...rest, id: `${this.epoch}-${log.length + 1}`, operation: id, at }
    log.push(event)
    this.#streams.get(operation.session)?.response.write(`event: operation\nid: ${event.id}\ndata: ${JSON.stringify(event)}\n\n`)
  }

  /** Cuts the connections of all streams. */
  cut(): void {
    for (const { response } of this.#streams.values()) response.destroy()
    this.#streams.clear()
  }

  /** Sends bytes on all streams as they are. */
  write(text: string): void {
    for (const { response } of this.#streams.values()) response.write(text)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut()
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #logOf(session: string): OperationEvent[] {
    const log = this.#logs.get(session) ?? []
    this.#logs.set(session, log)
    return log
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '' } = request
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = (chunks.length === 0 ? {} : JSON.parse(Buffer.concat(chunks).toString())) as Record<string, unknown>
    const { pathname, searchParams } = new URL(url, 'http://x')
    this.requests.push(`${method} ${pathname}`)
    const refusal = this.refusals.shift()
    if (refusal !== undefined) this.#problem(response, refusal.status, refusal.code, refusal.headers)
    else if (pathname === '/v1/login') this.#logIn(body, response)
    else this.#route({ request, response, method, pathname, searchParams, body })
    for (const wake of this.#changed) wake()
  }

  #route(asked: {
    readonly request: IncomingMessage
    readonly response: ServerResponse
    readonly method: string
    readonly pathname: string
    readonly searchParams: URLSearchParams
    readonly body: Record<string, unknown>
  }): void {
    const { request, response, method, pathname, searchParams, body } = asked
    const session = /^Bearer hf1\.(\w+)\.secret$/.exec(request.headers.authorization ?? '')?.[1]
    if (session === undefined || !this.#logs.has(session)) return this.#problem(response, 401, 'NOT_LOGGED_IN')
    const operation = /^\/v1\/operations\/(\w+)$/.exec(pathname)?.[1]
    if (pathname === '/v1/session') return this.#json(response, 200, this.#session(session))
    if (pathname === '/v1/events') return this.#open(session, searchParams, { request, response })
    if (pathname === '/v1/logout') return void response.writeHead(204).end()
    if (operation !== undefined && method === 'DELETE') this.tell(operation, { state: 'cancelled' })
    if (operation !== undefined) {
      const record = this.operations.get(operation)
      return record === undefined ? this.#problem(response, 404, 'UNKNOWN_OPERATION') : this.#json(response, 200, record)
    }
    if (method === 'GET') return this.#get(pathname, searchParams, response)
    this.#begin({ session, method, pathname, body, key: String(request.headers['idempotency-key']) }, response)
  }

  #logIn({ user: name, password }: Record<string, unknown>, response: ServerResponse): void {
    const isLocal = this.#options.socketPath !== undefined && name === 'local'
    if (!isLocal && (name !== user.user || password !== user.password)) return this.#problem(response, 401, 'WRONG_CREDENTIALS')
    const session = `s${this.#logs.size + 1}`
    this.#logOf(session)
    this.#json(response, 200, { ...this.#session(session), token: tokenOf(session) })
  }

  #session(session: string): object {
    return { session, user: this.#options.socketPath === undefined ? user.user : 'local', role: 'admin', expires: '2100-01-01T00:00:00.000Z' }
  }

  #get(pathname: string, query: URLSearchParams, response: ServerResponse): void {
    const answer = this.#options.answers?.[pathname]
    if (answer === undefined) return this.#problem(response, 404, 'UNKNOWN_VOLUME')
    if (!Array.isArray(answer)) return this.#json(response, 200, answer)
    const from = Number(query.get('cursor') ?? 0)
    const to = from + Number(query.get('limit') ?? 2)
    this.#json(response, 200, { items: answer.slice(from, to), next: to < answer.length ? String(to) : null })
  }

  #begin(
    asked: {
      readonly session: string
      readonly method: string
      readonly pathname: string
      readonly body: Record<string, unknown>
      readonly key: string
    },
    response: ServerResponse,
  ): void {
    const { session, method, pathname, body, key } = asked
    const known = this.#keys.get(key)
    const id = known ?? `o${this.operations.size + 1}`
    if (known === undefined) {
      const verb = { POST: 'create', PATCH: 'change', DELETE: 'delete' }[method]
      const kind = `${pathname.split('/')[2]?.replace(/s$/, '')}.${verb}`
      const target = method === 'POST' ? `${pathname}/${String(body['name'])}` : pathname
      const operation: Operation = { id, kind, target, session, user: 'alice', request: body, state: 'queued', percent: 0, createdAt: at }
      this.operations.set(id, operation)
      this.#keys.set(key, id)
      this.tell(id, {})
      if (this.#options.result) this.tell(id, { state: 'succeeded', percent: 100, result: this.#options.result(operation) })
    }
    if (this.losesAnswers > 0) {
      this.losesAnswers--
      response.destroy()
    } else this.#json(response, 202, { received: true, operation: id }, { Location: `/v1/operations/${id}` })
  }

  #open(
    session: string,
    query: URLSearchParams,
    { request, response }: { readonly request: IncomingMessage; readonly response: ServerResponse },
  ): void {
    response.writeHead(200, { 'Content-Type': 'text/event-stream', Connection: 'close' })
    response.write(': hello\n\n')
    // One stream a session.
    this.#streams.get(session)?.response.end('event: end\ndata: {"reason":"replaced"}\n\n')
    this.#streams.set(session, { response })
    response.on('close', () => {
      if (this.#streams.get(session)?.response === response) this.#streams.delete(session)
    })
    const log = this.#logOf(session)
    const after = request.headers['last-event-id'] ?? query.get('after') ?? undefined
    const [epoch, sequence] = after === undefined ? [this.epoch, this.forgotten] : [String(after).split('-')[0], Number(String(after).split('-')[1])]
    const isLost = epoch !== this.epoch || sequence < this.forgotten
    if (isLost) {
      const reason = epoch === this.epoch ? 'too-old' : 'unknown-epoch'
      const id = `${this.epoch}-${log.length}`
      response.write(`event: resync\nid: ${id}\ndata: ${JSON.stringify({ id, reason })}\n\n`)
      for (const { id: operation } of [...this.operations.values()].filter(one => one.session === session)) this.tell(operation, {})
    } else {
      for (const event of log.slice(sequence)) response.write(`event: operation\nid: ${event.id}\ndata: ${JSON.stringify(event)}\n\n`)
    }
    if (query.get('overview') === '1') response.write(`event: overview\ndata: ${JSON.stringify({ atMs: 1, connections: 2 })}\n\n`)
  }

  #problem(response: ServerResponse, status: number, code: string, headers: Readonly<Record<string, string>> = {}): void {
    const body = { type: 'about:blank', title: code, status, detail: `it is ${code}`, code }
    const errors = code === 'INVALID' ? { errors: [{ field: 'name', message: 'is so' }] } : {}
    this.#json(response, status, { ...body, ...errors }, { ...headers, 'Content-Type': 'application/problem+json' })
  }

  #json(response: ServerResponse, status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): void {
    response.writeHead(status, { 'Content-Type': 'application/json', Connection: 'close', ...headers }).end(JSON.stringify(value))
  }
}

/** Starts one; `alice` with the password `correct horse` may log in, over a socket `local` without one. */
export async function startFakeNode(options: FakeNodeOptions = {}): Promise<FakeNode> {
  const server = createServer()
  const node = new FakeNode(server, options)
  if (options.socketPath === undefined) server.listen(0, '127.0.0.1')
  else server.listen(options.socketPath)
  await once(server, 'listening')
  return node
}
