/**
 * A stream's place in a session's log: what is kept after its cursor, then what comes, in order, none left out and none twice. While the sink takes
 * no more nothing is held for it: it goes on by reading the log.
 */

import type { Store, Timers } from '@holdfast/cluster'
import type { EventSink, StreamEnd, StreamEvent, Subscription } from '../core/core.ts'
import { eventId, parseCursor } from './cursor.ts'
import type { LoggedEvent, LogListener, SessionLog } from './log.ts'

/** An operation as a resync tells it. */
export interface OperationState {
  readonly id: string
  /** The number of its first event: one behind the resync's place is told by its events. */
  readonly firstSequence: number
  /** The number of the event that tells its state. */
  readonly lastSequence: number
  /** The data of its event, with this id. */
  dataOf(id: string): string
}

/** What a subscription needs. */
export interface SubscriptionOptions {
  readonly store: Store
  readonly timers: Timers
  readonly log: SessionLog
  /** All operations of the session as they are when it is called, a page at a time. */
  readonly operations: () => AsyncIterable<readonly OperationState[]>
  readonly after: string | undefined
  readonly sink: EventSink
}

type Resync = 'too-old' | 'unknown-epoch'
const retryMs = 1000

/** See the top of the file. */
export class LogSubscription implements Subscription {
  readonly #options: SubscriptionOptions
  readonly #log: SessionLog
  readonly #sink: EventSink
  /** What was given to the sink, up to here. */
  #cursor = 0
  #resync: Resync | undefined
  #isFull = false
  #isEnded = false
  /** Operations that a resync told as they were after its place, with the number of the event that tells the same. */
  readonly #told = new Map<string, number>()
  readonly #listener: LogListener = event => this.#onEvent(event)
  /** Waits for an event, or for room. */
  #wake: (() => void) | undefined

  constructor(options: SubscriptionOptions) {
    this.#options = options
    this.#log = options.log
    this.#sink = options.sink
    this.#begin(options.after)
    this.#log.listener = this.#listener
    void this.#run()
  }

  resume(): void {
    this.#isFull = false
    this.#wakeUp()
  }

  close(): void {
    this.#isEnded = true
    // A newer stream may have taken its place: the connection of an older one closes when it will.
    if (this.#log.listener === this.#listener) this.#log.listener = undefined
    this.#wakeUp()
  }

  /** Closes it from this side. */
  end(reason: StreamEnd): void {
    if (this.#isEnded) return
    this.close()
    this.#sink.end(reason)
  }

  #begin(after: string | undefined): void {
    // From the beginning: to who was never told, what is not kept any more is told by a resync as well.
    if (after === undefined) return
    const cursor = parseCursor(after)
    if (cursor?.epoch === this.#log.epoch && cursor.sequence <= this.#log.last) this.#cursor = cursor.sequence
    else this.#resync = 'unknown-epoch'
  }

  /** The shortest way: the sink has had all before it, and takes this one. */
  #onEvent(event: LoggedEvent): void {
    if (this.#wake === undefined || this.#isFull || this.#resync !== undefined || event.sequence !== this.#cursor + 1) return this.#wakeUp()
    this.#give(event)
  }

  #give({ sequence, data }: LoggedEvent): void {
    this.#cursor = sequence
    if (this.#told.size > 0 && this.#isTold(sequence, data)) return
    this.#send({ event: 'operation', id: eventId(this.#log.epoch, sequence), data })
  }

  #isTold(sequence: number, data: string): boolean {
    const { operation } = JSON.parse(data) as { readonly operation: string }
    const told = this.#told.get(operation) ?? 0
    if (sequence >= told) this.#told.delete(operation)
    return sequence <= told
  }

  #send(event: StreamEvent): void {
    try {
      if (!this.#sink.event(event)) this.#isFull = true
    } catch {
      // A stream that breaks is its client's trouble, who comes back; not that of the session.
      this.close()
    }
  }

  async #run(): Promise<void> {
    await Promise.resolve()
    while (!this.#isEnded) {
      try {
        if (this.#isFull) await this.#change()
        else if (this.#resync !== undefined) await this.#tellAll(this.#resync)
        else if (this.#cursor < this.#log.last) await this.#replay()
        else await this.#change()
      } catch {
        // The store does not answer; the sink waits.
        await new Promise<void>(resolve => void this.#options.timers.schedule(retryMs, resolve))
      }
    }
  }

  /** Until an event comes, the sink has room, or all has ended. */
  async #change(): Promise<void> {
    await new Promise<void>(resolve => (this.#wake = resolve))
  }

  #wakeUp(): void {
    this.#wake?.()
    this.#wake = undefined
  }

  async #replay(): Promise<void> {
    const page = await this.#log.read(this.#options.store, this.#cursor)
    if (page.length === 0 || page[0].sequence !== this.#cursor + 1) {
      this.#resync = 'too-old'
      return
    }
    for (const event of page) {
      while (this.#isFull && !this.#isEnded) await this.#change()
      if (this.#isEnded) return
      this.#give(event)
    }
  }

  /**
   * The cursor of all but the last event of it is before the log's beginning, so that a stream that is cut meanwhile is told all of it again: the
   * last one's is where the log goes on.
   */
  async #tellAll(reason: Resync): Promise<void> {
    const { last, epoch } = this.#log
    const place = eventId(epoch, last)
    const again = eventId(epoch, 0)
    /** Sent when the next one is known. */
    let held: { readonly event: StreamEvent['event']; readonly dataOf: (id: string) => string } = {
      event: 'resync',
      dataOf: id => JSON.stringify({ id, reason }),
    }
    this.#told.clear()
    for await (const page of this.#options.operations()) {
      for (const { id, firstSequence, lastSequence, dataOf } of page) {
        if (firstSequence > last) continue
        if (lastSequence > last) this.#told.set(id, lastSequence)
        this.#send({ event: held.event, id: again, data: held.dataOf(again) })
        held = { event: 'operation', dataOf }
        while (this.#isFull && !this.#isEnded) await this.#change()
        if (this.#isEnded) return
      }
    }
    this.#resync = undefined
    this.#cursor = last
    this.#send({ event: held.event, id: place, data: held.dataOf(place) })
  }
}
