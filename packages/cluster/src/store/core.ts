import type { Clock, Timers } from '../time.ts'
import { compactedError, StoreError } from './errors.ts'
import { endLease, evaluate } from './evaluate.ts'
import { boundsOf } from './keys.ts'
import { LeaseDeadlines } from './leases.ts'
import { checkTxn } from './limits.ts'
import { scanAt } from './state.ts'
import type { StoreState } from './state.ts'
import type { KeyRange, Lease, RangeOptions, RangeResult, StoreEvent, Txn, TxnResult, WatchBatch } from './store.ts'
import { Watchers } from './watchers.ts'

/** What a store can be asked for, apart from watches: by name, with what it takes and gives. */
export interface StoreMethods {
  txn(txn: Txn): TxnResult
  range(request: { readonly range: KeyRange } & RangeOptions): RangeResult
  grantLease(ttlMs: number): Lease
  keepAlive(lease: number): Lease
  revoke(lease: number): { readonly revision: number }
  compact(revision: number): void
  /** Ends leases that have run out; asked for by the store itself. */
  expire(leases: readonly number[]): void
}

/** Changes of keys: a transaction may make many, and history holds all of them. */
const trimEvery = 64
const retryExpiryMs = 1000

/**
 * What all our stores do alike, on whatever keeps their state: transactions, leases, watches. Synchronous. What was done is undone by nobody here:
 * after each group of calls comes `committed`, or `rolledBack` when the state went back to where it was.
 */
export class StoreCore implements StoreMethods {
  readonly watchers: Watchers
  readonly #state: StoreState
  readonly #deadlines: LeaseDeadlines
  /** What comes after the commit. */
  readonly #effects: (() => void)[] = []
  readonly #batches: WatchBatch[] = []
  #sinceTrim = 0

  /** `onExpired` has to call `expire`, at a time of its choice. */
  constructor(state: StoreState, options: { clock: Clock; timers: Timers; onExpired: (leases: readonly number[]) => void }) {
    this.#state = state
    this.watchers = new Watchers(state)
    this.#deadlines = new LeaseDeadlines(options)
    for (const { id, ttlMs } of state.leases()) this.#deadlines.renew(id, ttlMs)
  }

  get revision(): number {
    return this.#state.revision
  }

  txn(txn: Txn): TxnResult {
    checkTxn(txn)
    const { result, events } = evaluate(this.#state, txn)
    this.#changed(events)
    return result
  }

  range({ range, limit = Infinity, revision = this.#state.revision }: { readonly range: KeyRange } & RangeOptions): RangeResult {
    const found = scanAt(this.#state, boundsOf(range), { limit: limit + 1, revision })
    return { revision: this.#state.revision, entries: found.slice(0, limit), more: found.length > limit }
  }

  grantLease(ttlMs: number): Lease {
    const id = this.#state.addLease(ttlMs)
    this.#effects.push(() => this.#deadlines.renew(id, ttlMs))
    return { id, ttlMs }
  }

  keepAlive(lease: number): Lease {
    const ttlMs = this.#state.lease(lease)
    if (ttlMs === undefined) throw new StoreError('lease-not-found', `no lease ${lease}`)
    this.#deadlines.renew(lease, ttlMs)
    return { id: lease, ttlMs }
  }

  revoke(lease: number): { readonly revision: number } {
    if (this.#state.lease(lease) === undefined) throw new StoreError('lease-not-found', `no lease ${lease}`)
    this.#end(lease)
    return { revision: this.#state.revision }
  }

  compact(revision: number): void {
    if (revision > this.#state.revision) throw new StoreError('future-revision', `revision ${revision} is yet to come`)
    if (revision <= this.#state.compactRevision) throw compactedError(this.#state.compactRevision)
    this.#state.compact(revision)
  }

  expire(leases: readonly number[]): void {
    for (const lease of leases) if (this.#deadlines.isExpired(lease) && this.#state.lease(lease) !== undefined) this.#end(lease)
  }

  /** Something that expired could not be ended: it comes again. */
  retryExpiry(): void {
    this.#deadlines.retry(retryExpiryMs)
  }

  /** What was done since the last time stands: watchers hear of it. */
  committed(): void {
    for (const effect of this.#effects.splice(0)) effect()
    this.watchers.publish(this.#batches.splice(0))
  }

  /** What was done since the last time never was. */
  rolledBack(): void {
    this.#effects.length = 0
    this.#batches.length = 0
  }

  /** Ends all watches with this error, and all deadlines. */
  close(error: StoreError): void {
    this.#deadlines.close()
    this.watchers.close(error)
  }

  #end(lease: number): void {
    this.#changed(endLease(this.#state, lease))
    this.#effects.push(() => this.#deadlines.remove(lease))
  }

  #changed(events: readonly StoreEvent[]): void {
    if (events.length === 0) return
    this.#batches.push({ revision: this.#state.revision, events })
    this.#sinceTrim += events.length
    if (this.#sinceTrim < trimEvery) return
    this.#sinceTrim = 0
    this.#state.trim()
  }
}
