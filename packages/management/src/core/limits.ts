import type { CoreLimits } from './core.ts'

const hourMs = 3_600_000

/** What holds unless the options say otherwise. */
export const defaultLimits: CoreLimits = {
  sessionMs: 12 * hourMs,
  idleMs: hourMs,
  sessions: 20_000,
  sessionsPerUser: 10_000,
  events: 10_000,
  unfinished: 1000,
  running: 64,
  progressMs: 250,
  idempotencyMs: 24 * hourMs,
  operationsMs: 30 * 24 * hourMs,
  operations: 100_000,
  audit: 100_000,
}
