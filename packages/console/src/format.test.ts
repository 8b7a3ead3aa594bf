import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { ago, clock, count, dateTime, duration, latency, percent, rate, size } from './format.ts'

test('sizes have the unit that leaves one to four digits before the point', () => {
  const table = {
    0: '0 B',
    1: '1 B',
    1023: '1,023 B',
    1024: '1 KiB',
    1536: '1.5 KiB',
    1048576: '1 MiB',
    10737418240: '10 GiB',
    1099511627776: '1 TiB',
  }
  for (const [bytes, text] of Object.entries(table)) assert.equal(size(Number(bytes)), text)
  assert.equal(size(2 ** 60), '1,024 PiB')
  assert.equal(rate(13_107_200), '12.5 MiB/s')
})

test('a size that is read back is the size, within a hundredth', () => {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 52 }), bytes => {
      const [figure = '', unit = ''] = size(bytes).split(' ')
      const read = Number(figure.replaceAll(',', '')) * 1024 ** units.indexOf(unit)
      assert.ok(Math.abs(read - bytes) <= bytes / 100, `${bytes} was ${size(bytes)}`)
    }),
  )
})

test('latencies are in microseconds, milliseconds or seconds', () => {
  assert.deepEqual([0.2, 0.85, 1.25, 99.4, 2500].map(latency), ['200 µs', '850 µs', '1.25 ms', '99.4 ms', '2.5 s'])
})

test('a percentage is 0 only for nothing, and 100 only for all', () => {
  assert.deepEqual([0, 0.001, 0.43, 0.999, 1].map(percent), ['0 %', '< 1 %', '43 %', '99 %', '100 %'])
})

test('durations have their two largest units', () => {
  assert.deepEqual([-5, 0, 59_000, 312_000, 3_600_000, 3_605_000, 273_600_000].map(duration), [
    '0 s',
    '0 s',
    '59 s',
    '5 min 12 s',
    '1 h',
    '1 h',
    '3 d 4 h',
  ])
  assert.equal(ago('2026-11-21T12:00:00Z', Date.parse('2026-11-21T12:00:03Z')), 'just now')
  assert.equal(ago('2026-11-21T12:00:00Z', Date.parse('2026-11-21T14:05:00Z')), '2 h ago')
})

test('times are local, with two digits each', () => {
  const at = new Date(2026, 0, 2, 3, 4, 5)
  assert.equal(dateTime(at.toISOString()), '2026-01-02 03:04:05')
  assert.equal(clock(at.getTime()), '03:04:05')
  assert.equal(count(1234567.8), '1,234,568')
})
