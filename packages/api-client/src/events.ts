/** The session's one event stream, shared by everybody in this process who listens to it. */

import { ApiError, errorOfResponse } from './error.ts'
import { eventReader, type StreamEvent } from './sse.ts'
import type { OperationEvent, Overview, ResyncEvent } from './table.ts'
import { backoffMs, delay } from './timing.ts'

/** What the stream tells; `id` is the cursor to go on after. */
export type ApiEvent =
  | { readonly event: 'operation'; readonly id: string; readonly data: OperationEvent }
  | { readonly event: 'resync'; readonly id: string; readonly data: ResyncEvent }
  | { readonly event: 'overview'; readonly id: undefined; readonly data: Overview }

/** Somebody who listens. */
export interface Listener {
  /** What they have read: nothing of this or before comes. Undefined: all that is kept. */
  cursor: string | undefined
  readonly overview: boolean
  /** Resolves, where it returns a promise, when more may come. */
  readonly onEvent: (event: ApiEvent) => Promise<void> | undefined
  /** Nothing comes any more: the session is over. */
  readonly onEnd: (error: Error) => void
}

/** What became of the connection of the stream. */
export type ConnectionState = 'open' | 'lost'

export interface EventStreamSettings {
  /** Opens the stream; the answer may have any status. */
  readonly open: (asked: { readonly overview: boolean; readonly headers: Readonly<Record<string, string>> }, signal: AbortSignal) => Promise<Response>
  readonly onConnection?: ((state: ConnectionState, error?: Error) => void) | undefined
  /** Silence after which the connection is taken for dead. The node says something every 15 s. */
  readonly silenceMs?: number
}

const silenceMsDefault = 40_000
/** A connection that has lived so long was not one in a row of failures. */
const steadyMs = 3000
/** Statuses after which it helps to try again. */
const passing = (status: number): boolean => status === 0 || status === 408 || status === 429 || status >= 500

/** Keeps the stream open while somebody listens; opens it again after what has been read. */
export class EventStream {
  readonly #settings: EventStreamSettings
  readonly #listeners = new Set<Listener>()
  /** What the connection has told, or what it went on after. */
  #cursor: string | undefined
  #hasOverview = false
  #connection: AbortController | undefined
  #running: Promise<void> | undefined

  constructor(settings: EventStreamSettings) {
    this.#settings = settings
  }

  /** For who wants what comes from now on. */
  get cursor(): string | undefined {
    return this.#cursor
  }

  /** Listens from its cursor on, until what it returns is called. */
  listen(listener: Listener): () => void {
    this.#listeners.add(listener)
    const isMissing = (listener.overview && !this.#hasOverview) || isAfter(this.#cursor, listener.cursor)
    if (this.#running === undefined) this.#start()
    // The node sends again what this one has not read; the others know what they have.
    else if (isMissing) this.#connection?.abort(reopened)
    return () => {
      this.#listeners.delete(listener)
      if (this.#listeners.size === 0) this.#connection?.abort(reopened)
    }
  }

  /** Ends the stream; whoever listens hears `error`. */
  close(error: Error): void {
    for (const listener of this.#listeners) listener.onEnd(error)
    this.#listeners.clear()
    this.#connection?.abort(reopened)
  }

  #start(): void {
    this.#running = this.#run().finally(() => {
      this.#running = undefined
      // Somebody may have come while it ended.
      if (this.#listeners.size > 0) this.#start()
    })
  }

  async #run(): Promise<void> {
    for (let attempt = 0; this.#listeners.size > 0;) {
      const connection = new AbortController()
      this.#connection = connection
      const beganMs = performance.now()
      const error = await this.#connect(connection).then(
        () => new ApiError('the event stream ended', { code: 'STREAM_ENDED', status: 0 }),
        (error: unknown) => error,
      )
      if (connection.signal.reason === reopened) continue
      const known = error instanceof Error ? error : new Error(String(error))
      if (error instanceof ApiError && !passing(error.status)) return this.close(known)
      this.#settings.onConnection?.('lost', known)
      if (performance.now() - beganMs > steadyMs) attempt = 0
      // Whoever comes or goes meanwhile need not wait.
      const waitMs = backoffMs(attempt++, codeOf(known) === replaced ? { firstMs: replacedMs } : {})
      await delay(waitMs, connection.signal).catch(() => undefined)
    }
  }

  /** One connection, until it ends. */
  async #connect(connection: AbortController): Promise<void> {
    const { open, onConnection, silenceMs = silenceMsDefault } = this.#settings
    const overview = [...this.#listeners].some(listener => listener.overview)
    const after = oldest([...this.#listeners].map(({ cursor }) => cursor))
    this.#hasOverview = overview
    this.#cursor = after
    let silence: ReturnType<typeof setTimeout> | undefined
    const heard = (): void => {
      clearTimeout(silence)
      silence = setTimeout(() => connection.abort(new ApiError('the event stream is silent', { code: 'STREAM_SILENT', status: 0 })), silenceMs)
    }
    try {
      heard()
      const headers = { Accept: 'text/event-stream', ...(after !== undefined && { 'Last-Event-ID': after }) }
      const response = await open({ overview, headers }, connection.signal)
      if (!response.ok) throw await errorOfResponse(response)
      onConnection?.('open')
      const read = eventReader()
      for await (const bytes of bytesOf(response)) {
        heard()
        for (const event of read(bytes)) {
          if (event.event === 'end') throw endOf(event)
          await this.#deliver(event, connection.signal)
        }
      }
    } catch (error) {
      // What says why is the reason, not that a read was given up.
      throw connection.signal.aborted ? connection.signal.reason : error
    } finally {
      clearTimeout(silence)
    }
  }

  async #deliver(sent: StreamEvent, signal: AbortSignal): Promise<void> {
    const event = eventOf(sent)
    if (event === undefined || signal.aborted) return
    const waits: Promise<void>[] = []
    for (const listener of this.#listeners) {
      if (event.event === 'overview' ? !listener.overview : event.event === 'operation' && !isAfter(event.id, listener.cursor)) continue
      if (event.id !== undefined) listener.cursor = event.id
      const wait = listener.onEvent(event)
      if (wait !== undefined) waits.push(wait)
    }
    if (event.id !== undefined) this.#cursor = event.id
    if (waits.length > 0) await Promise.race([Promise.all(waits), aborted(signal)])
  }
}

/** Why a connection of ours ends that is not lost: another one takes its place, or nobody listens. */
const reopened = new Error('the event stream is opened again')

/** Not every browser can iterate over a stream by itself. */
async function* bytesOf({ body }: Response): AsyncGenerator<Uint8Array, void> {
  const reader = body?.getReader()
  try {
    for (let part = await reader?.read(); part?.done === false; part = await reader?.read()) yield part.value
  } finally {
    // Of a stream that has failed, this tells once more.
    await reader?.cancel().catch(() => undefined)
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => signal.addEventListener('abort', () => resolve(), { once: true }))
}

/** Another process has opened the session's stream. Both go on: each reads a while. */
const replaced = 'STREAM_REPLACED'
const replacedMs = 1000
const codeOf = (error: Error): string => (error instanceof ApiError ? error.code : '')

/** The node says why it ends the stream. Whether the session is over, the next request tells. */
function endOf({ data }: StreamEvent): ApiError {
  const { reason } = JSON.parse(data) as { readonly reason?: string }
  return new ApiError(`the node ended the event stream: ${reason}`, { code: reason === 'replaced' ? replaced : 'STREAM_ENDED', status: 0 })
}

const names: ReadonlySet<string> = new Set(['operation', 'resync', 'overview'])

/** Undefined for what a later version may send. */
function eventOf({ event, id, data }: StreamEvent): ApiEvent | undefined {
  if (!names.has(event)) return undefined
  const content = JSON.parse(data) as ApiEvent['data']
  return { event, id: id ?? ('id' in content ? content.id : undefined), data: content } as ApiEvent
}

/** `EPOCH-SEQ`; the sequence is a number, the epoch may have hyphens. */
function parts(id: string): { readonly epoch: string; readonly sequence: number } {
  const hyphen = id.lastIndexOf('-')
  return { epoch: id.slice(0, hyphen), sequence: Number(id.slice(hyphen + 1)) }
}

/** Whether `id` comes after what was read; a log of another epoch always does. */
function isAfter(id: string | undefined, cursor: string | undefined): boolean {
  if (id === undefined) return false
  if (cursor === undefined) return true
  const [a, b] = [parts(id), parts(cursor)]
  return a.epoch !== b.epoch || a.sequence > b.sequence
}

/** The one that lets nobody miss anything. */
function oldest(cursors: readonly (string | undefined)[]): string | undefined {
  if (cursors.includes(undefined)) return undefined
  return (cursors as readonly string[]).reduce((a, b) => (isAfter(a, b) ? b : a))
}
