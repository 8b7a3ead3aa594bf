import type { HistoryOptions, StoreEvent } from './store.ts'

/** How much history is kept, in the units of the code that keeps it. */
export interface Retention {
  readonly revisions: number
  readonly ageMs: number
  readonly bytes: number
}

/** The options with their defaults. */
export function retentionOf({ revisions = 10_000, minutes = 60, bytes = 67_108_864 }: HistoryOptions = {}): Retention {
  return { revisions, ageMs: minutes * 60_000, bytes }
}

/** What events count for. */
export const bytesOf = (events: readonly StoreEvent[]): number =>
  events.reduce((sum, { key, entry, previous }) => sum + key.length + (entry?.value.byteLength ?? 0) + (previous?.value.byteLength ?? 0), 0)

/** Up to which revision history has to go, oldest first, for the rest to be small enough; 0 when it is. */
export function excess(sizes: Iterable<{ readonly revision: number; readonly bytes: number }>, total: number, limit: number): number {
  let left = total
  let last = 0
  if (left <= limit) return last
  for (const { revision, bytes } of sizes) {
    if (left <= limit) break
    left -= bytes
    last = revision
  }
  return last
}
