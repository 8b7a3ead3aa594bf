import type { HistoryOptions } from './store.ts'

/** How much history is kept, in the units of the code that keeps it. */
export interface Retention {
  readonly revisions: number
  readonly ageMs: number
}

/** The options with their defaults. */
export const retentionOf = ({ revisions = 10_000, minutes = 60 }: HistoryOptions = {}): Retention => ({ revisions, ageMs: minutes * 60_000 })
