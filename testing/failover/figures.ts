/** How long an application had to wait for each restart: what it saw by its own clock, and what happened here by ours. */
import type { Restart } from './restarter.ts'

/** A line that the application printed, and when it arrived here (`Date.now()`). */
export interface ArrivedLine {
  readonly text: string
  readonly atMs: number
}

/** What one restart meant for the application; undefined where it noticed nothing (no record took longer than 0.2 s). */
export interface Pause {
  readonly fromKillMs: number
  readonly fromUpMs: number
}

/** Of a run. */
export interface PauseFigures {
  readonly pauses: readonly Pause[]
  /** Restarts that the application did not notice. */
  readonly unnoticed: number
  /** Pauses in milliseconds that began when all was well again, or followed the first one. */
  readonly others: readonly number[]
}

interface Interval {
  readonly beginMs: number
  readonly endMs: number
}

/** Clocks drift: they are compared anew with what arrived this long before and after. */
const clockWindowMs = 30_000

/** Reads the application's lines (see pauses.py) and finds the pause for each restart: the first one that ends after the kill. */
export function pauseFigures(lines: readonly ArrivedLine[], restarts: readonly Restart[]): PauseFigures {
  const clocks = lines.flatMap(({ text, atMs }) => {
    const match = /^pauses: clock ([\d.]+)$/.exec(text)
    return match === null ? [] : [{ atMs, aheadMs: atMs - Number(match[1]) * 1000 }]
  })
  // A line is on its way for a while, never less than nothing: the smallest difference is nearest to that of the clocks.
  const aheadMs = (atMs: number): number =>
    Math.min(...clocks.filter(clock => Math.abs(clock.atMs - atMs) <= clockWindowMs).map(clock => clock.aheadMs))
  const seen = lines.flatMap(({ text, atMs }): Interval[] => {
    const match = /^pauses: pause ([\d.]+) ([\d.]+)$/.exec(text)
    const ahead = aheadMs(atMs)
    if (match === null || !Number.isFinite(ahead)) return []
    return [{ beginMs: Number(match[1]) * 1000 + ahead, endMs: Number(match[2]) * 1000 + ahead }]
  })
  const matched = new Set<Interval>()
  const found = restarts.map((restart, index): Pause | undefined => {
    const nextKillMs = restarts[index + 1]?.killedAtMs ?? Infinity
    const pause = seen.find(({ beginMs, endMs }) => endMs > restart.killedAtMs && beginMs < Math.min(restart.upAtMs + 1000, nextKillMs))
    if (pause === undefined || matched.has(pause)) return undefined
    matched.add(pause)
    return { fromKillMs: pause.endMs - restart.killedAtMs, fromUpMs: pause.endMs - restart.upAtMs }
  })
  const pauses = found.filter(pause => pause !== undefined)
  return {
    pauses,
    unnoticed: found.length - pauses.length,
    others: seen.filter(pause => !matched.has(pause)).map(({ beginMs, endMs }) => endMs - beginMs),
  }
}

/** `min 0.41  median 0.55  max 1.20 s`, or `none`. */
export function spread(values: readonly number[]): string {
  if (values.length === 0) return 'none'
  const sorted = values.toSorted((a, b) => a - b)
  const seconds = (at: number): string => ((sorted[at] ?? 0) / 1000).toFixed(2)
  return `min ${seconds(0)}  median ${seconds(sorted.length >> 1)}  max ${seconds(sorted.length - 1)} s`
}
