/**
 * The event log of a session: kept in the store, an event in the same transaction as the change that it tells. Events are numbered without gaps. The log
 * itself is not in memory, but for where it begins and ends.
 */

import type { Entry, Store } from '@holdfast/cluster'
import { prefixEnd } from '@holdfast/cluster'
import { fromJson, keys, sequenceOf, toJson } from '../core/keys.ts'
import type { Writes } from '../core/writes.ts'
import { eventId } from './cursor.ts'

/** Which events there are: from `first` to `last`; none where `last` is before `first`. */
export interface LogHead {
  readonly first: number
  readonly last: number
}

/** An event of the log. */
export interface LoggedEvent {
  readonly sequence: number
  /** JSON in one line, with its id. */
  readonly data: string
}

/** Deletions are gathered: so many events, as a part of those that are kept, are there above the limit. */
const slack = 1 / 16
const pageEvents = 100

/** Told of events that are in the store, in order. */
export type LogListener = (event: LoggedEvent) => void

/** See the top of the file. */
export class SessionLog {
  readonly session: string
  readonly epoch: string
  readonly #limit: number
  /** The stream, where there is one. */
  listener: LogListener | undefined
  /** The log goes with its session: what comes later is told to nobody. */
  ended = false
  #first: number
  /** In the store. */
  #last: number
  /** In the store, or on the way. */
  #numbered: number

  constructor(options: { readonly session: string; readonly epoch: string; readonly limit: number; readonly head?: LogHead | undefined }) {
    this.session = options.session
    this.epoch = options.epoch
    this.#limit = options.limit
    this.#first = options.head?.first ?? 1
    this.#last = options.head?.last ?? 0
    this.#numbered = this.#last
  }

  get last(): number {
    return this.#last
  }

  /** Puts an event behind the others; `dataOf` makes its JSON. Returns its number, undefined where the session has ended. */
  append(writes: Writes, dataOf: (id: string) => string): number | undefined {
    if (this.ended) return undefined
    const sequence = ++this.#numbered
    const data = dataOf(eventId(this.epoch, sequence))
    writes.put(keys.event(this.session, sequence), Buffer.from(data))
    const former = this.#first
    if (sequence - former >= this.#limit * (1 + slack)) this.#prune(writes, sequence - this.#limit + 1)
    else this.#putHead(writes)
    writes.whenDropped(() => {
      this.#numbered = sequence - 1
      this.#first = former
    })
    writes.whenCommitted(() => {
      this.#last = sequence
      this.listener?.({ sequence, data })
    })
    return sequence
  }

  /** Deletes events before that number; at least one stays. */
  #prune(writes: Writes, first: number): void {
    this.#first = first
    writes.deleteAll(keys.log(this.session), keys.event(this.session, first))
    this.#putHead(writes)
  }

  /** Deletes all of it. */
  delete(writes: Writes): void {
    writes.deleteAll(keys.log(this.session))
    writes.delete(keys.head(this.session))
  }

  /** Events after that number, a page of them; it may have some that were not told to the listener yet. */
  async read(store: Store, after: number): Promise<LoggedEvent[]> {
    const range = { from: keys.event(this.session, after + 1), to: prefixEnd(keys.log(this.session)) }
    const { entries } = await store.range(range, { limit: pageEvents })
    return entries.map(eventOf)
  }

  #putHead(writes: Writes): void {
    writes.put(keys.head(this.session), toJson({ first: this.#first, last: this.#numbered } satisfies LogHead))
  }
}

const eventOf = ({ key, value }: Entry): LoggedEvent => ({ sequence: sequenceOf(key), data: Buffer.from(value).toString() })

/** What a head's entry says. */
export const headOf = ({ value }: Entry): LogHead => fromJson<LogHead>(value)
