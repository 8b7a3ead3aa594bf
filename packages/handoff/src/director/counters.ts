import { RefuseReason } from '../protocol/index.ts'
import type { DirectorMetrics } from './status.ts'

/** What the data thread counts. */
export interface Counters {
  accepted: number
  handoffs: number
  moves: number
  continued: number
  repeats: number
  readonly refusals: Record<keyof DirectorMetrics['refusals'], number>
  busy: number
  thawed: number
  restored: number
  reset: number
  reading: number
  dropped: number
  resumed: number
  learned: number
  closed: number
  idle: number
}

/** All 0. */
export const newCounters = (): Counters => ({
  accepted: 0,
  handoffs: 0,
  moves: 0,
  continued: 0,
  repeats: 0,
  refusals: { serverDown: 0, optionMissing: 0, noRoom: 0, ending: 0, system: 0, late: 0, silent: 0 },
  busy: 0,
  thawed: 0,
  restored: 0,
  reset: 0,
  reading: 0,
  dropped: 0,
  resumed: 0,
  learned: 0,
  closed: 0,
  idle: 0,
})

const names = new Map(Object.entries(RefuseReason).map(([name, reason]) => [reason, name as keyof typeof RefuseReason]))

/** The word of a reason; what we don't know is the kernel's. */
export const refusalWord = (reason: RefuseReason): keyof DirectorMetrics['refusals'] => names.get(reason) ?? 'system'
