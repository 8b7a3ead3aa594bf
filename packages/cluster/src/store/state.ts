import { compactedError, StoreError } from './errors.ts'
import { compareKeys, isInside } from './keys.ts'
import type { Bounds } from './keys.ts'
import type { Entry, WatchBatch } from './store.ts'

/** Where entries, history and leases are kept: in memory, or in a database. Nothing here checks what it is told. */
export interface StoreState {
  readonly revision: number
  /** History up to this revision is gone. */
  readonly compactRevision: number
  get(key: string): Entry | undefined
  /** Entries as of now in the order of their keys, at most `limit`. */
  scan(bounds: Bounds, limit: number): Entry[]
  keysOfLease(lease: number): string[]
  put(entry: Entry): void
  remove(key: string): void
  /** Makes these changes, which were carried out by `put` and `remove`, the history of the next revision. */
  record(batch: WatchBatch): void
  /** What the revisions at and after `from` changed, at most `limit` of them that changed anything. */
  history(from: number, limit: number): WatchBatch[]
  compact(revision: number): void
  /** Compacts what is beyond the configured history; called now and then. */
  trim(): void
  addLease(ttlMs: number): number
  /** The lease's time to live in milliseconds. */
  lease(id: number): number | undefined
  removeLease(id: number): void
  leases(): { readonly id: number; readonly ttlMs: number }[]
}

/** Entries as of a revision. Throws `compacted` and `future-revision`. */
export function scanAt(state: StoreState, bounds: Bounds, { limit, revision }: { limit: number; revision: number }): Entry[] {
  if (revision > state.revision) throw new StoreError('future-revision', `revision ${revision} is yet to come, the store is at ${state.revision}`)
  if (revision < state.compactRevision) throw compactedError(state.compactRevision)
  if (revision === state.revision) return state.scan(bounds, limit)
  const entries = new Map(state.scan(bounds, Infinity).map(entry => [entry.key, entry]))
  for (const { events } of state.history(revision + 1, Infinity).reverse()) {
    for (const { key, previous } of events) {
      if (!isInside(key, bounds)) continue
      if (previous === undefined) entries.delete(key)
      else entries.set(key, previous)
    }
  }
  return [...entries.values()].sort((a, b) => compareKeys(a.key, b.key)).slice(0, limit)
}
