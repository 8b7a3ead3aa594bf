import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sampleBetween, withSample, type Sample, type Totals } from './samples.ts'

const totals = (atMs: number, read: number, busy: readonly number[] = []): Totals => ({
  atMs,
  bytesReadTotal: read,
  bytesWrittenTotal: 10 * read,
  requestsTotal: read / 100,
  latency: { p50Ms: 1, p99Ms: 9 },
  perProtocol: { smb: { requestsTotal: read / 100 } },
  workers: busy.map((busySecondsTotal, index) => ({ index, busySecondsTotal })),
})

test('a sample has the rates between two totals, by the time that has passed', () => {
  assert.deepEqual(sampleBetween(totals(1000, 5000, [1, 2]), totals(3000, 9000, [1.5, 4])), {
    atMs: 3000,
    readPerSecond: 2000,
    writtenPerSecond: 20_000,
    requestsPerSecond: 20,
    perProtocol: { smb: 20 },
    p50Ms: 1,
    p99Ms: 9,
    busy: [0.25, 1],
  })
})

test('there is none where the node was started again, where no time has passed, and over a gap', () => {
  assert.equal(sampleBetween(totals(1000, 5000), totals(2000, 4999)), undefined)
  assert.equal(sampleBetween(totals(1000, 5000), totals(1000, 6000)), undefined)
  assert.equal(sampleBetween(totals(1000, 5000), totals(60_000, 6000)), undefined)
})

test('a protocol or a worker that was not there before has done nothing yet', () => {
  const sample = sampleBetween({ ...totals(1000, 100), perProtocol: {} }, totals(2000, 200, [7]))
  assert.deepEqual(sample?.perProtocol, { smb: 0 })
  assert.deepEqual(sample?.busy, [0])
})

test('samples are kept for as long as asked', () => {
  const at = (atMs: number): Sample => ({
    atMs,
    readPerSecond: 0,
    writtenPerSecond: 0,
    requestsPerSecond: 0,
    perProtocol: {},
    p50Ms: undefined,
    p99Ms: undefined,
    busy: [],
  })
  let samples: readonly Sample[] = []
  for (const ms of [0, 1000, 2000, 3000, 9000]) samples = withSample(samples, at(ms), 6500)
  assert.deepEqual(
    samples.map(({ atMs }) => atMs),
    [3000, 9000],
  )
  assert.deepEqual(withSample(samples, at(100_000), 6500), [at(100_000)])
})
