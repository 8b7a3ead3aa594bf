/** What the console's first page shows, made of the node's metrics. */

import type { MetricSample } from '@holdfast/engine'
import type { z } from 'zod'
import type { Overview } from './api/schemas.ts'

/** What `overview` is made of. */
export interface OverviewOptions {
  /** When the samples were taken, in milliseconds since 1970. */
  readonly atMs: number
  /** Samples of before: latencies are of what was answered since then. Without, there are none. */
  readonly before?: readonly MetricSample[] | undefined
}

/** Metrics of a protocol that are summed over all their labels. */
const protocols: Readonly<Record<string, Readonly<Record<'requests' | 'read' | 'written' | 'duration', string>>>> = {
  smb: {
    requests: 'holdfast_smb_requests_total',
    read: 'holdfast_smb_read_bytes_total',
    written: 'holdfast_smb_written_bytes_total',
    duration: 'holdfast_smb_request_duration_seconds',
  },
  iscsi: {
    requests: 'holdfast_iscsi_commands_total',
    read: 'holdfast_iscsi_read_bytes_total',
    written: 'holdfast_iscsi_written_bytes_total',
    duration: 'holdfast_iscsi_command_duration_seconds',
  },
  http: { requests: 'holdfast_http_requests_total', read: '', written: '', duration: '' },
}
const durations: ReadonlySet<string> = new Set(Object.values(protocols).map(({ duration }) => duration))
/** Commands that wait for what others do: how long they take says nothing of the node. */
const patient: ReadonlySet<string | undefined> = new Set(['changeNotify', 'lock'])
const workerThread = /^worker-(\d+)$/

/**
 * A node at a glance: running totals, from which rates are made, and percentiles of what was answered between two snapshots.
 *
 * @example
 * const first = overview([], { atMs: 0 })
 * first.latency // => undefined
 */
export function overview(samples: readonly MetricSample[], { atMs, before = [] }: OverviewOptions): z.infer<typeof Overview> {
  const byName = Map.groupBy(samples, ({ name }) => name)
  const total = (name: string, of: Readonly<Record<string, string>> = {}): number => sum((byName.get(name) ?? []).filter(sample => has(sample, of)))
  const perProtocol = Object.fromEntries(
    Object.entries(protocols).map(([protocol, { requests, read, written }]) => [
      protocol,
      {
        connections: total('holdfast_open_connections', { protocol }),
        bytesReadTotal: total(read),
        bytesWrittenTotal: total(written),
        requestsTotal: total(requests),
      },
    ]),
  )
  const overAll = (key: 'bytesReadTotal' | 'bytesWrittenTotal' | 'requestsTotal'): number =>
    Object.values(perProtocol).reduce((all, each) => all + each[key], 0)
  const latency = percentiles(samples, before)
  return {
    atMs,
    connections: total('holdfast_connections'),
    sessions: total('holdfast_smb_sessions') + total('holdfast_iscsi_sessions'),
    opens: total('holdfast_smb_open_handles'),
    bytesReadTotal: overAll('bytesReadTotal'),
    bytesWrittenTotal: overAll('bytesWrittenTotal'),
    requestsTotal: overAll('requestsTotal'),
    ...(latency && { latency }),
    perProtocol,
    workers: (byName.get('holdfast_thread_busy_seconds_total') ?? []).flatMap(workerOf).sort((a, b) => a.index - b.index),
    memoryBytes: total('process_resident_memory_bytes'),
  }
}

const sum = (samples: readonly MetricSample[]): number => samples.reduce((all, { value }) => all + value, 0)

const has = ({ labels }: MetricSample, wanted: Readonly<Record<string, string>>): boolean =>
  Object.entries(wanted).every(([label, value]) => labels[label] === value)

function workerOf({ labels, value }: MetricSample): { readonly index: number; readonly busySecondsTotal: number }[] {
  const [, index] = workerThread.exec(labels['thread'] ?? '') ?? []
  return index === undefined ? [] : [{ index: Number(index), busySecondsTotal: value }]
}

function percentiles(
  after: readonly MetricSample[],
  before: readonly MetricSample[],
): { readonly p50Ms: number; readonly p99Ms: number } | undefined {
  const now = buckets(after)
  if (now === undefined) return undefined
  const then = buckets(before)
  const counts = now.counts.map((count, index) => count - (then?.counts[index] ?? 0))
  // Fewer than before: another life of the node.
  if (before.length === 0 || counts.every(count => count === 0) || counts.some(count => count < 0)) return undefined
  return { p50Ms: quantile(0.5, now.bounds, counts) * 1000, p99Ms: quantile(0.99, now.bounds, counts) * 1000 }
}

interface Buckets {
  readonly bounds: readonly number[]
  readonly counts: readonly number[]
}

/** Of all commands that do not wait. All these histograms have the same bounds. */
function buckets(samples: readonly MetricSample[]): Buckets | undefined {
  const all = samples.filter(({ name, labels }) => durations.has(name) && !patient.has(labels['command'])).flatMap(({ histogram }) => histogram ?? [])
  const [first] = all
  return first && { bounds: first.bounds, counts: first.counts.map((_, index) => all.reduce((count, { counts }) => count + counts[index], 0)) }
}

/** As Prometheus' histogram_quantile: evenly spread within a bucket; what is above all bounds is taken for the highest one. */
function quantile(q: number, bounds: readonly number[], counts: readonly number[]): number {
  const rank = q * counts.reduce((all, count) => all + count, 0)
  let below = 0
  for (const [index, upper] of bounds.entries()) {
    const count = counts[index]
    if (count > 0 && below + count >= rank) {
      const lower = bounds[index - 1] ?? 0
      return lower + (upper - lower) * ((rank - below) / count)
    }
    below += count
  }
  return bounds.at(-1) ?? 0
}
