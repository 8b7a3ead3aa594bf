import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { contentRange, readRanges } from './ranges.ts'

const shown = (value: string, sizeBytes: number): string => {
  const ranges = readRanges(value, sizeBytes)
  return typeof ranges === 'string' ? ranges : ranges.map(range => contentRange(range, sizeBytes)).join('; ')
}

describe('ranges of 10,000 bytes (RFC 9110 14.1.2, 14.2)', () => {
  for (const [value, expected] of [
    ['bytes=0-499', 'bytes 0-499/10000'],
    ['bytes=500-999', 'bytes 500-999/10000'],
    ['bytes=-500', 'bytes 9500-9999/10000'],
    ['bytes=9500-', 'bytes 9500-9999/10000'],
    ['bytes=0-0,-1', 'bytes 0-0/10000; bytes 9999-9999/10000'],
    ['bytes= 0-999, 4500-5499, -1000', 'bytes 0-999/10000; bytes 4500-5499/10000; bytes 9000-9999/10000'],
    // Those two lie beside one another, and those overlap.
    ['bytes=500-600,601-999', 'bytes 500-999/10000'],
    ['bytes=500-700,601-999', 'bytes 500-999/10000'],
    // Order is the client's where nothing is joined (15.3.7.2).
    ['bytes=4500-5499,0-999', 'bytes 4500-5499/10000; bytes 0-999/10000'],
    ['BYTES=0-499', 'bytes 0-499/10000'],
    ['bytes=,,0-0,', 'bytes 0-0/10000'],
    ['bytes=-99999', 'bytes 0-9999/10000'],
    ['bytes=9999-99999999999999999999', 'bytes 9999-9999/10000'],
    ['bytes=10000-', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=10000-,0-0', 'bytes 0-0/10000'],
    ['bytes=5-4', 'all'],
    ['bytes=5-4,0-0', 'all'],
    ['bytes=', 'all'],
    ['bytes=-', 'all'],
    ['bytes=a-b', 'all'],
    ['bytes 0-1', 'all'],
    ['items=0-1', 'all'],
    [`bytes=${Array.from({ length: 33 }, (_, at) => `${300 * at}-${300 * at}`).join(',')}`, 'all'],
  ] as const) {
    test(`${value.slice(0, 60)}: ${expected}`, () => assert.equal(shown(value, 10_000), expected))
  }
})

test('of nothing there are no ranges', () => {
  assert.equal(shown('bytes=0-', 0), 'unsatisfiable')
  assert.equal(shown('bytes=-1', 0), 'unsatisfiable')
  assert.equal(contentRange(undefined, 47022), 'bytes */47022')
})

test('whatever is asked for, ranges are within, apart, and no more than the whole in all', () => {
  const spec = fc.tuple(fc.nat(2000), fc.nat(2000)).map(([a, b]) => `${a}-${b}`)
  fc.assert(
    fc.property(fc.array(spec, { maxLength: 40 }), fc.nat(1500), (specs, sizeBytes) => {
      const ranges = readRanges(`bytes=${specs.join(',')}`, sizeBytes)
      if (typeof ranges === 'string') return
      const sorted = ranges.toSorted((a, b) => a.offset - b.offset)
      for (const [index, { offset, lengthBytes }] of sorted.entries()) {
        assert.ok(offset >= 0 && lengthBytes > 0 && offset + lengthBytes <= sizeBytes)
        if (index > 0) assert.ok(offset > sorted[index - 1].offset + sorted[index - 1].lengthBytes)
      }
    }),
  )
})
