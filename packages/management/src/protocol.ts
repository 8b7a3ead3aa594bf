/**
 * The management application as a protocol of the engine. A request is a non-distributed session: its connection over shared memory is torn down with
 * the response. The event stream is a distributed one, with the worker that has the API's session (S11).
 */

import type { Connection, ConnectionHandler, Message, WorkerNode, WorkerProtocol } from '@holdfast/engine'
import { durationBounds } from '@holdfast/engine/metrics'
import { type BadHead, continueResponse, FramingVariant, type HttpRequest } from '@holdfast/http'
import type { Caller, ManagementApp, StreamRequest } from './app.ts'
import { problemOf } from './core/problems.ts'
import { readApiRequest, requestBytesMax } from './http/requests.ts'
import { badRequestResponse, type HttpResponse, problemResponse, writeResponse, writeStreamHead } from './http/response.ts'
import { EventStream } from './stream/event-stream.ts'
import { placeOf } from './stream/place.ts'
import { Streams } from './stream/streams.ts'

/** The id of the worker object that answers requests for sessions of its worker. */
const objectId = 'management'
const noContent = Buffer.alloc(0)
/** Checkpoint of a connection that has a stream. */
const streamCheckpoint = 'stream'
/** A request that this many workers have died of is not tried on another one. */
const attemptsMax = 3

/** What a worker offers to the others: requests whose session it owns. */
interface RequestObject {
  answer(asked: { readonly request: HttpRequest; readonly caller: Caller }): Promise<HttpResponse>
}

/** What the next worker needs to go on with a stream: who has asked for what. */
interface StreamCheckpoint {
  readonly request: HttpRequest
  readonly caller: Caller
}

/** What all connections of a worker share. */
interface Shared {
  readonly node: WorkerNode
  readonly app: ManagementApp
  readonly streams: Streams
  readonly tellsRequests: boolean
  /** A request was answered, `seconds` after it had come to its worker. */
  count(method: string, status: number, seconds: number): void
}

/** What `createManagementProtocols` may be told besides. */
export interface ManagementProtocolOptions {
  /** The end of each request is told to the worker's log, with the level debug. */
  readonly tellsRequests?: boolean
}

/**
 * The protocols of a worker: `http` for listeners at addresses, `local` for the control socket, whose clients log in without a password. Listen for
 * both with `httpFraming` and `distributed: false`.
 *
 * @example
 * await runWorker({
 *   http: {
 *     framing: httpFraming,
 *     create: node => createManagementProtocols(node, createManagementApp({ metrics: () => node.ask('metrics'), troubles: () => [] })).http,
 *   },
 * })
 */
export function createManagementProtocols(
  node: WorkerNode,
  app: ManagementApp,
  { tellsRequests = false }: ManagementProtocolOptions = {},
): { readonly http: WorkerProtocol; readonly local: WorkerProtocol } {
  const open = node.counters.gauge('holdfast_http_event_streams', 'Event streams that are open')
  const streams = new Streams({ overview: () => app.overview(), onSize: size => open.set(size) })
  const shared: Shared = { node, app, streams, tellsRequests, count: requestCounter(node) }
  const answer: RequestObject['answer'] = ({ request, caller }) => app.answer({ ...request, content: Buffer.from(request.content) }, caller)
  node.register(objectId, { answer })
  const protocol = (isLocal: boolean): WorkerProtocol => ({
    accept(connection, checkpoints) {
      const exchange = new Exchange(shared, connection, isLocal)
      const stream = checkpoints.get(streamCheckpoint) as StreamCheckpoint | undefined
      if (stream !== undefined) exchange.resume(stream)
      return exchange
    },
  })
  return { http: protocol(false), local: protocol(true) }
}

function requestCounter({ counters }: WorkerNode): Shared['count'] {
  const known = new Set(['GET', 'HEAD', 'POST', 'PATCH', 'DELETE'])
  const durationHelp = 'Time from the arrival of an HTTP request at its worker to its answer; of an event stream: to its beginning'
  return (name, status, seconds) => {
    const method = known.has(name) ? name : 'other'
    counters.counter('holdfast_http_requests_total', 'HTTP requests answered', { method, status: String(status) }).add()
    counters.histogram('holdfast_http_request_duration_seconds', durationHelp, durationBounds, { method }).observe(seconds)
  }
}

/** One connection: a request, and what answers it. */
class Exchange implements ConnectionHandler {
  readonly #shared: Shared
  readonly #connection: Connection
  readonly #isLocal: boolean
  readonly #gone = new AbortController()
  /** A connection comes to a worker with its request. */
  readonly #arrivedAtMs = performance.now()
  /** Of a request whose client was told to go on. */
  #begun: Buffer | undefined
  #isTaken = false
  #request: HttpRequest | undefined
  #stream: EventStream | undefined

  constructor(shared: Shared, connection: Connection, isLocal: boolean) {
    this.#shared = shared
    this.#connection = connection
    this.#isLocal = isLocal
  }

  onMessage(message: Message): void {
    // What comes behind the request has no answer.
    if (this.#isTaken) return message.release()
    const bytes = this.#begun === undefined ? message.bytes : Buffer.concat([this.#begun, message.bytes])
    const request = readApiRequest(bytes)
    if ('unfinished' in request) {
      if (this.#begun === undefined && !request.continue) return this.#refuse({ status: 400, detail: 'The request is not complete.' }, message)
      if (bytes.length > requestBytesMax) return this.#refuse({ status: 413, detail: 'The content is too long.' }, message)
      return this.#goOn(bytes, message)
    }
    if ('status' in request) return this.#refuse(request, message)
    this.#isTaken = true
    this.#request = request
    this.#take(request, message)
  }

  onClose(): void {
    this.#gone.abort()
    if (this.#stream === undefined) return
    this.#stream.closed()
    this.#shared.streams.delete(this.#stream)
  }

  /** Keeps what has come of the request; a client that waits to be told sends the rest (RFC 9110 10.1.1). */
  #goOn(bytes: Buffer, message: Message): void {
    const isFirst = this.#begun === undefined
    this.#begun = Buffer.from(bytes)
    if (!isFirst) return message.release()
    this.#connection.stay()
    this.#connection.reframe(FramingVariant.content)
    this.#send(continueResponse, message)
  }

  #refuse(request: BadHead, message: Message): void {
    this.#isTaken = true
    this.#respond(badRequestResponse(request), { method: 'other', message })
  }

  #take(request: HttpRequest, message: Message): void {
    const { app, node } = this.#shared
    const caller = { address: this.#connection.remoteAddress, isLocal: this.#isLocal, again: message.orphaned }
    const limited = app.limit(caller)
    if (limited !== undefined) return this.#respond(limited, { method: request.method, message })
    const owner = app.ownerOf(request) ?? node.index
    const isStream = app.isStream(request)
    if (isStream && owner !== node.index) return this.#connection.moveTo(owner, message)
    node.beginAsync()
    const answered = isStream ? this.#open(request, caller, message) : this.#answer(request, { caller, owner, message })
    void answered.catch((error: unknown) => this.#fail(error, message)).finally(() => node.endAsync())
  }

  /** Goes on with a stream whose worker died, after what has gone out of it; with the worker that has the session. */
  resume({ request, caller }: StreamCheckpoint): void {
    const { app, node } = this.#shared
    const { state } = this.#connection
    const place = placeOf(state)
    // Its request comes again.
    if (place.kind === 'none') return
    this.#isTaken = true
    if (place.kind === 'untold') return this.#connection.close('the worker of the stream is gone')
    const owner = app.ownerOf(request) ?? node.index
    if (owner !== node.index) return queueMicrotask(() => this.#connection.moveTo(owner))
    node.beginAsync()
    void app
      .openStream(request, caller)
      .then(opened => {
        if ('status' in opened || this.#gone.signal.aborted) return this.#connection.close('the session has ended')
        const { after = opened.after } = place
        this.#newStream(opened).resume(state, sink => opened.session.subscribe({ after }, sink))
      })
      .catch((error: unknown) => {
        node.log('warn', 'a stream was not taken up again', { error: String(error) })
        this.#connection.close('given up')
      })
      .finally(() => node.endAsync())
  }

  /** A session may end between two looks at it: the client asks again, and hears why. */
  #fail(error: unknown, message: Message): void {
    this.#shared.node.log('warn', 'a request of the management API was given up', { error: String(error) })
    message.release()
    this.#connection.close('given up')
  }

  async #answer(request: HttpRequest, { caller, owner, message }: { caller: Caller; owner: number; message: Message }): Promise<void> {
    const { app, node } = this.#shared
    const response = owner === node.index ? await app.answer(request, caller, this.#gone.signal) : await answerBy(node, owner, { request, caller })
    this.#respond(response, { method: request.method, message })
  }

  async #open(request: HttpRequest, caller: Caller, message: Message): Promise<void> {
    const opened = await this.#shared.app.openStream(request, caller)
    if ('status' in opened) return this.#respond(opened, { method: request.method, message })
    if (this.#gone.signal.aborted) return message.release()
    const { session, after } = opened
    this.#connection.stay()
    this.#connection.known()
    // The request's content is a view of the message.
    this.#connection.checkpoint(streamCheckpoint, { request: { ...request, content: noContent }, caller } satisfies StreamCheckpoint)
    this.#ended('GET', { status: 200, body: '' })
    this.#newStream(opened).begin(writeStreamHead(), { message, subscribe: sink => session.subscribe({ after }, sink) })
  }

  #newStream({ wantsOverview }: StreamRequest): EventStream {
    const { streams } = this.#shared
    const stream = new EventStream(this.#connection, {
      wantsOverview,
      nowMs: () => performance.now(),
      onCongested: () => streams.watchCongested(),
    })
    this.#stream = stream
    streams.add(stream)
    return stream
  }

  #ended(method: string, { status, body }: Pick<HttpResponse, 'status' | 'body'>): void {
    const { node, count, tellsRequests } = this.#shared
    const { id } = this.#connection
    const seconds = (performance.now() - this.#arrivedAtMs) / 1000
    count(method, status, seconds)
    if (!tellsRequests) return
    node.log('debug', 'request done', {
      // A connection has one request.
      request: `http/${id}/1`,
      connection: id,
      command: this.#request === undefined ? method : `${method} ${this.#request.path}`,
      status,
      durationMs: Math.round(seconds * 1e6) / 1000,
      bytes: Buffer.byteLength(body),
    })
  }

  #respond(response: HttpResponse, { method, message }: { readonly method: string; readonly message: Message }): void {
    this.#ended(method, response)
    this.#send(writeResponse(response, { head: method === 'HEAD' }), message)
    if (this.#begun !== undefined) this.#connection.close('answered')
  }

  #send(bytes: Buffer, message: Message): void {
    try {
      const buffer = this.#connection.allocate(bytes.length)
      bytes.copy(buffer)
      this.#connection.send(buffer, bytes.length, message)
    } catch {
      // No shared memory for it: the client hears nothing, and asks again.
      message.release()
      this.#connection.close('no memory for the response')
    }
  }
}

/** Asks the worker that has the session. One that has died is asked again when it has been started again, where nothing can happen twice by that. */
async function answerBy(node: WorkerNode, owner: number, asked: { readonly request: HttpRequest; readonly caller: Caller }): Promise<HttpResponse> {
  let { caller } = asked
  for (let attempt = 1; ; attempt++) {
    try {
      return (await node.call(owner, objectId, 'answer', { request: asked.request, caller } satisfies Parameters<
        RequestObject['answer']
      >[0])) as HttpResponse
    } catch (error) {
      const isLost = error instanceof Error && 'code' in error && error.code === 'WORKER_LOST'
      if (!isLost || attempt === attemptsMax) {
        if (!isLost) node.log('error', 'a request could not be handed to its worker', { error: String(error) })
        return problemResponse(problemOf(error))
      }
      caller = { ...caller, again: true }
    }
  }
}
