/** What the plots show: rates, made of the running totals that the node sends once a second. */

/** The part of an `overview` event that rates are made of. */
export interface Totals {
  readonly atMs: number
  readonly bytesReadTotal: number
  readonly bytesWrittenTotal: number
  readonly requestsTotal: number
  readonly latency?: { readonly p50Ms: number; readonly p99Ms: number } | undefined
  readonly perProtocol: Readonly<Record<string, { readonly requestsTotal: number }>>
  readonly workers: readonly { readonly index: number; readonly busySecondsTotal: number }[]
}

/** A moment: what went on since the one before. */
export interface Sample {
  readonly atMs: number
  readonly readPerSecond: number
  readonly writtenPerSecond: number
  readonly requestsPerSecond: number
  readonly perProtocol: Readonly<Record<string, number>>
  readonly p50Ms: number | undefined
  readonly p99Ms: number | undefined
  /** By worker: 0 to 1. */
  readonly busy: readonly number[]
}

/**
 * Undefined where no rate can be told: no time has passed, or so much that it would be an average over a gap, or totals went down: the node was
 * started again.
 */
export function sampleBetween(before: Totals, after: Totals, gapMs = 10_000): Sample | undefined {
  const ms = after.atMs - before.atMs
  if (ms <= 0 || ms > gapMs) return undefined
  const perSecond = (now: number, then: number): number => ((now - then) * 1000) / ms
  const readPerSecond = perSecond(after.bytesReadTotal, before.bytesReadTotal)
  const writtenPerSecond = perSecond(after.bytesWrittenTotal, before.bytesWrittenTotal)
  const requestsPerSecond = perSecond(after.requestsTotal, before.requestsTotal)
  if (readPerSecond < 0 || writtenPerSecond < 0 || requestsPerSecond < 0) return undefined
  const perProtocol = Object.entries(after.perProtocol).map(
    ([name, { requestsTotal }]) => [name, Math.max(0, perSecond(requestsTotal, before.perProtocol[name]?.requestsTotal ?? requestsTotal))] as const,
  )
  const busyBefore = new Map(before.workers.map(({ index, busySecondsTotal }) => [index, busySecondsTotal]))
  const busy = after.workers.map(({ index, busySecondsTotal }) =>
    Math.min(1, Math.max(0, perSecond(busySecondsTotal, busyBefore.get(index) ?? busySecondsTotal))),
  )
  return {
    atMs: after.atMs,
    readPerSecond,
    writtenPerSecond,
    requestsPerSecond,
    perProtocol: Object.fromEntries(perProtocol),
    p50Ms: after.latency?.p50Ms,
    p99Ms: after.latency?.p99Ms,
    busy,
  }
}

/** The samples of the last `keepMs`, the newest last. A gap is one: its values are left out of the plot. */
export function withSample(samples: readonly Sample[], next: Sample, keepMs: number): readonly Sample[] {
  const from = samples.findIndex(({ atMs }) => atMs >= next.atMs - keepMs)
  return [...(from === -1 ? [] : samples.slice(from)), next]
}
