import type { Clock } from '../../time.ts'
import { bytesOf, excess, retentionOf } from '../retention.ts'
import type { Retention } from '../retention.ts'
import type { Bounds } from '../keys.ts'
import type { StoreState } from '../state.ts'
import type { Entry, HistoryOptions, WatchBatch } from '../store.ts'
import { SortedEntries } from './sorted-map.ts'

/** A store's state in this process's memory. */
export class MemoryState implements StoreState {
  readonly #entries = new SortedEntries()
  readonly #clock: Clock
  readonly #retention: Retention
  readonly #leases = new Map<number, { readonly ttlMs: number; readonly keys: Set<string> }>()
  /** Revision `compactRevision + 1` and later, one batch each. */
  #history: (WatchBatch & { readonly timeMs: number; readonly bytes: number })[] = []
  #historyBytes = 0
  #revision = 0
  #compactRevision = 0
  #lastLease = 0

  constructor({ clock, history }: { clock: Clock; history: HistoryOptions | undefined }) {
    this.#clock = clock
    this.#retention = retentionOf(history)
  }

  get revision(): number {
    return this.#revision
  }

  get compactRevision(): number {
    return this.#compactRevision
  }

  get(key: string): Entry | undefined {
    return this.#entries.get(key)
  }

  scan(bounds: Bounds, limit: number): Entry[] {
    return this.#entries.scan(bounds, limit)
  }

  keysOfLease(lease: number): string[] {
    return [...(this.#leases.get(lease)?.keys ?? [])]
  }

  put(entry: Entry): void {
    this.#detach(entry.key)
    this.#leases.get(entry.lease)?.keys.add(entry.key)
    this.#entries.set(entry)
  }

  remove(key: string): void {
    this.#detach(key)
    this.#entries.delete(key)
  }

  record(batch: WatchBatch): void {
    this.#revision = batch.revision
    const bytes = bytesOf(batch.events)
    this.#historyBytes += bytes
    this.#history.push({ ...batch, timeMs: this.#clock(), bytes })
  }

  history(from: number, limit: number): WatchBatch[] {
    const begin = Math.max(0, from - this.#compactRevision - 1)
    return this.#history.slice(begin, begin + limit).map(({ revision, events }) => ({ revision, events }))
  }

  compact(revision: number): void {
    for (const { bytes } of this.#history.splice(0, revision - this.#compactRevision)) this.#historyBytes -= bytes
    this.#compactRevision = revision
  }

  trim(): void {
    const oldest = this.#clock() - this.#retention.ageMs
    const aged = this.#history.findIndex(({ timeMs }) => timeMs >= oldest)
    const byAge = aged === -1 ? this.#revision : this.#compactRevision + aged
    const bySize = excess(this.#history, this.#historyBytes, this.#retention.bytes)
    const revision = Math.max(byAge, bySize, this.#revision - this.#retention.revisions)
    if (revision > this.#compactRevision) this.compact(revision)
  }

  addLease(ttlMs: number): number {
    this.#leases.set(++this.#lastLease, { ttlMs, keys: new Set() })
    return this.#lastLease
  }

  lease(id: number): number | undefined {
    return this.#leases.get(id)?.ttlMs
  }

  removeLease(id: number): void {
    this.#leases.delete(id)
  }

  leases(): { readonly id: number; readonly ttlMs: number }[] {
    return [...this.#leases].map(([id, { ttlMs }]) => ({ id, ttlMs }))
  }

  #detach(key: string): void {
    const lease = this.#entries.get(key)?.lease ?? 0
    if (lease !== 0) this.#leases.get(lease)?.keys.delete(key)
  }
}
