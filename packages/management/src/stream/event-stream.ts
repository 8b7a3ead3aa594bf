/** The one event stream of a session: Server-Sent Events (WHATWG HTML 9.2) on a connection that stays. */

import type { Connection, Message } from '@holdfast/engine'
import { begun, placeAfter } from './place.ts'
import type { EventSink, StreamEnd, StreamEvent, Subscription } from '../core/core.ts'

/** A line that says nothing is written after so long a silence, so that both ends and all between know that the other is there. */
const heartbeatMs = 15_000
/** So much may wait to be read by the client; what comes then waits in the session's log. */
const unsentBytesMax = 256 * 1024
/** A client that has not read anything for so long, although there is something, is disconnected: its cursor is what it has read. */
const stuckMs = 30_000

/** What the stream needs of its connection. */
export type StreamConnection = Pick<Connection, 'allocate' | 'sendPart' | 'close' | 'unsentBytes'>

/** Writes events; its owner calls `tick` now and then. */
export class EventStream implements EventSink {
  /** Wants `overview` too. */
  readonly wantsOverview: boolean
  readonly #connection: StreamConnection
  readonly #nowMs: () => number
  readonly #onCongested: (() => void) | undefined
  #subscription: Subscription | undefined
  /** Written together when the task is done that brought them. */
  #pending: string[] = []
  #pendingCharacters = 0
  /** Of the events that have come. */
  #lastId: string | undefined
  /** What holds behind what has been written. */
  #place = begun
  #isCongested = false
  #isOver = false
  #wroteMs: number
  #movedMs: number
  #unsentBytes = 0

  constructor(
    connection: StreamConnection,
    options: { readonly wantsOverview: boolean; readonly nowMs: () => number; readonly onCongested?: () => void },
  ) {
    this.#connection = connection
    this.wantsOverview = options.wantsOverview
    this.#nowMs = options.nowMs
    this.#onCongested = options.onCongested
    this.#wroteMs = this.#movedMs = this.#nowMs()
  }

  /** Waits for the client to read. */
  get isCongested(): boolean {
    return this.#isCongested && !this.#isOver
  }

  /** Answers the request with the head of the stream; events come by the subscription. */
  begin(head: Buffer, { message, subscribe }: { readonly message: Message | undefined; subscribe(sink: EventSink): Subscription }): void {
    this.#write(Buffer.concat([head, Buffer.from('retry: 1000\n\n')]), message)
    this.#subscription = subscribe(this)
  }

  /** Goes on where another worker's stream was, by `place`. */
  resume(place: readonly number[], subscribe: (sink: EventSink) => Subscription): void {
    this.#place = place
    this.#subscription = subscribe(this)
  }

  event({ event, id, data }: StreamEvent): boolean {
    this.#put(`event: ${event}\nid: ${id}\ndata: ${data}\n\n`)
    this.#lastId = id
    if (!this.#isCongested && this.#connection.unsentBytes + this.#pendingCharacters > unsentBytesMax) {
      this.#isCongested = true
      this.#onCongested?.()
    }
    return !this.#isCongested
  }

  /** An event that is not kept: it has no id. Left out while the client does not read. */
  aside(event: string, data: string): void {
    if (!this.#isCongested) this.#put(`event: ${event}\ndata: ${data}\n\n`)
  }

  end(reason: StreamEnd): void {
    this.#put(`event: end\ndata: ${JSON.stringify({ reason })}\n\n`)
    this.#flush()
    this.close(reason)
  }

  /** Closes the connection; nothing more is written. */
  close(reason: string): void {
    if (this.#isOver) return
    this.closed()
    this.#connection.close(reason)
  }

  /** The connection has been closed. */
  closed(): void {
    this.#isOver = true
    this.#subscription?.close()
  }

  /** Goes on after a client that has read, gives up one that does not, and breaks the silence. */
  tick(): void {
    if (this.#isOver) return
    const nowMs = this.#nowMs()
    const { unsentBytes } = this.#connection
    if (unsentBytes === 0 || unsentBytes < this.#unsentBytes) this.#movedMs = nowMs
    this.#unsentBytes = unsentBytes
    if (nowMs - this.#movedMs > stuckMs) this.close('the client does not read')
    else if (this.#isCongested && unsentBytes <= unsentBytesMax / 2) this.#resume()
    else if (nowMs - this.#wroteMs >= heartbeatMs) this.#put(':\n\n')
  }

  #resume(): void {
    this.#isCongested = false
    this.#subscription?.resume()
  }

  #put(text: string): void {
    if (this.#isOver) return
    if (this.#pending.length === 0) queueMicrotask(() => this.#flush())
    this.#pending.push(text)
    this.#pendingCharacters += text.length
  }

  #flush(): void {
    if (this.#pending.length === 0) return
    const bytes = Buffer.from(this.#pending.join(''), 'utf8')
    this.#pending = []
    this.#pendingCharacters = 0
    if (!this.#isOver) this.#write(bytes)
  }

  #write(bytes: Buffer, finishes?: Message): void {
    try {
      const buffer = this.#connection.allocate(bytes.length)
      bytes.copy(buffer)
      if (this.#lastId !== undefined) this.#place = placeAfter(this.#lastId)
      this.#connection.sendPart(buffer, 0, bytes.length, { ...(finishes && { finishes: [finishes] }), state: this.#place })
      this.#wroteMs = this.#nowMs()
    } catch {
      // No shared memory: the client has what it has, and goes on after that when it comes back.
      finishes?.release()
      this.close('no memory for the stream')
    }
  }
}
