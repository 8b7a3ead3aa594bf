import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MetricSample } from '@holdfast/engine'
import { Overview } from './api/schemas.ts'
import { overview } from './overview.ts'

const bounds = [0.001, 0.01, 0.1]
const number = (name: string, value: number, labels: Readonly<Record<string, string>> = {}): MetricSample => ({
  name,
  help: name,
  type: name.endsWith('_total') ? 'counter' : 'gauge',
  labels,
  value,
})
const durations = (command: string, counts: readonly number[], name = 'holdfast_smb_request_duration_seconds'): MetricSample => ({
  name,
  help: name,
  type: 'histogram',
  labels: { command },
  value: counts.reduce((all, count) => all + count, 0),
  histogram: { bounds, counts, sum: 0 },
})

test('totals are summed over labels, by protocol and over all of them', () => {
  const samples = [
    number('holdfast_connections', 7),
    number('holdfast_open_connections', 4, { protocol: 'smb' }),
    number('holdfast_open_connections', 2, { protocol: 'iscsi' }),
    number('holdfast_open_connections', 1, { protocol: 'http' }),
    number('holdfast_smb_sessions', 3),
    number('holdfast_iscsi_sessions', 2),
    number('holdfast_smb_open_handles', 11),
    number('holdfast_smb_requests_total', 100, { command: 'read', status: 'STATUS_SUCCESS' }),
    number('holdfast_smb_requests_total', 5, { command: 'read', status: 'other' }),
    number('holdfast_iscsi_commands_total', 40, { command: 'READ (10)', status: 'GOOD' }),
    number('holdfast_http_requests_total', 2),
    number('holdfast_smb_read_bytes_total', 1000, { share: 'docs' }),
    number('holdfast_smb_read_bytes_total', 24, { share: 'other' }),
    number('holdfast_smb_written_bytes_total', 8, { share: 'docs' }),
    number('holdfast_iscsi_written_bytes_total', 4096, { volume: 'disk0' }),
    number('holdfast_thread_busy_seconds_total', 9, { thread: 'manager' }),
    number('holdfast_thread_busy_seconds_total', 2, { thread: 'worker-10' }),
    number('holdfast_thread_busy_seconds_total', 1.5, { thread: 'worker-2' }),
    number('process_resident_memory_bytes', 1 << 20),
  ]
  const found = overview(samples, { atMs: 17 })
  assert.deepEqual(found, {
    atMs: 17,
    connections: 7,
    sessions: 5,
    opens: 11,
    bytesReadTotal: 1024,
    bytesWrittenTotal: 4104,
    requestsTotal: 147,
    perProtocol: {
      smb: { connections: 4, bytesReadTotal: 1024, bytesWrittenTotal: 8, requestsTotal: 105 },
      iscsi: { connections: 2, bytesReadTotal: 0, bytesWrittenTotal: 4096, requestsTotal: 40 },
      http: { connections: 1, bytesReadTotal: 0, bytesWrittenTotal: 0, requestsTotal: 2 },
    },
    workers: [
      { index: 2, busySecondsTotal: 1.5 },
      { index: 10, busySecondsTotal: 2 },
    ],
    memoryBytes: 1 << 20,
  })
  assert.deepEqual(Overview.parse(found), found)
})

test('latencies are of what was answered between two snapshots, of all commands and protocols together', () => {
  const before = [durations('read', [1000, 0, 0, 0]), durations('write', [0, 0, 0, 5])]
  const after = [
    durations('read', [1049, 49, 0, 0]),
    durations('write', [0, 0, 0, 5]),
    durations('READ (10)', [1, 0, 1, 0], 'holdfast_iscsi_command_duration_seconds'),
  ]
  // 50 up to 1 ms, 49 up to 10 ms, 1 up to 100 ms: the 50th and the 99th end their buckets.
  const { p50Ms, p99Ms } = overview(after, { atMs: 0, before }).latency!
  assert.deepEqual([p50Ms.toFixed(9), p99Ms.toFixed(9)], ['1.000000000', '10.000000000'])
})

test('within a bucket observations are taken for evenly spread; above all bounds is the highest one', () => {
  const none = [durations('read', [0, 0, 0, 0])]
  const of = (counts: readonly number[]): unknown => overview([durations('read', counts)], { atMs: 0, before: none }).latency
  const { p50Ms, p99Ms } = of([0, 2, 0, 0]) as { p50Ms: number; p99Ms: number }
  assert.equal(p50Ms.toFixed(6), (1 + 9 / 2).toFixed(6))
  assert.equal(p99Ms.toFixed(6), (1 + 9 * 0.99).toFixed(6))
  assert.deepEqual(of([0, 0, 0, 3]), { p50Ms: 100, p99Ms: 100 })
})

test('there are no latencies without a snapshot of before, without anything answered since, or after a restart', () => {
  const some = [durations('read', [3, 2, 1, 0])]
  assert.equal(overview(some, { atMs: 0 }).latency, undefined)
  assert.equal(overview(some, { atMs: 0, before: some }).latency, undefined)
  assert.equal(overview(some, { atMs: 0, before: [durations('read', [4, 0, 0, 0])] }).latency, undefined)
})

test('commands that wait for others are no latency of the node', () => {
  const before = [durations('read', [0, 0, 0, 0]), durations('changeNotify', [0, 0, 0, 0])]
  const after = [durations('read', [1, 0, 0, 0]), durations('changeNotify', [0, 0, 0, 1000])]
  assert.ok(overview(after, { atMs: 0, before }).latency!.p99Ms <= 1)
})
