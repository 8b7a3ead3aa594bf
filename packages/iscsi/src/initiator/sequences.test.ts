import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { ReceivedSequence } from './sequences.ts'

test('numbers in order', () => {
  const sequence = new ReceivedSequence(7)
  assert.ok(sequence.receive(7))
  assert.ok(sequence.receive(8))
  assert.equal(sequence.next, 9)
  assert.ok(sequence.isComplete)
  assert.ok(!sequence.receive(8), 'came already')
})

test('what was skipped is missing, as runs, until it comes', () => {
  const sequence = new ReceivedSequence(0)
  sequence.receive(0)
  assert.ok(sequence.receive(3))
  assert.ok(sequence.receive(6))
  assert.deepEqual(sequence.missing(), [
    { begin: 1, length: 2 },
    { begin: 4, length: 2 },
  ])
  assert.equal(sequence.expected, 1)
  assert.ok(sequence.receive(1))
  assert.equal(sequence.expected, 2)
  assert.ok(!sequence.receive(1))
  for (const number of [2, 4, 5]) sequence.receive(number)
  assert.ok(sequence.isComplete)
  assert.equal(sequence.expected, 7)
})

test('a number that somebody tells of is missing', () => {
  const sequence = new ReceivedSequence(5)
  assert.ok(sequence.expectUpTo(7))
  assert.deepEqual(sequence.missing(), [{ begin: 5, length: 2 }])
  assert.ok(!sequence.expectUpTo(6), 'known of')
  assert.ok(!sequence.expectUpTo(5 + 70_000), 'nobody can mean that')
  assert.ok(!sequence.receive(5 + 70_000))
  assert.equal(sequence.next, 7)
})

test('what is held is not acknowledged', () => {
  const sequence = new ReceivedSequence(5)
  sequence.receive(5)
  sequence.receive(6)
  sequence.hold(5)
  assert.ok(sequence.isHeld)
  assert.equal(sequence.expected, 5)
  sequence.release(5)
  assert.equal(sequence.expected, 7)
})

test('beginning anew', () => {
  const sequence = new ReceivedSequence(0)
  sequence.receive(4)
  sequence.restart(2)
  assert.ok(sequence.isComplete)
  assert.ok(sequence.receive(2))
})

test('whatever the order, all that came is counted once, across the end of numbers too', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 60 }), fc.constantFrom(0, 100, 0xffff_fff0), (offsets, first) => {
      const sequence = new ReceivedSequence(first)
      const seen = new Set<number>()
      for (const offset of offsets) {
        assert.equal(sequence.receive((first + offset) >>> 0), !seen.has(offset))
        seen.add(offset)
      }
      const end = Math.max(-1, ...seen) + 1
      const missing = Array.from({ length: end }, (_, i) => i).filter(i => !seen.has(i))
      const runs = sequence.missing().flatMap(({ begin, length }) => Array.from({ length }, (_, i) => (begin + i - first) >>> 0))
      assert.deepEqual(runs, missing)
      assert.equal(sequence.isComplete, missing.length === 0)
      assert.equal(sequence.expected, (first + (missing[0] ?? end)) >>> 0)
    }),
    { seed: 20_261_121 },
  )
})
