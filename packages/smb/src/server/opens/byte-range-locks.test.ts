import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { applyLockElements, ByteRangeLocks, rangeIsInvalid, rangesOverlap } from './byte-range-locks.ts'
import { lockFlags } from './types.ts'

const { shared, exclusive, unlock, failImmediately } = lockFlags
const element = (offset: number | bigint, length: number | bigint, flags: number): { offset: bigint; length: bigint; flags: number } => ({
  offset: BigInt(offset),
  length: BigInt(length),
  flags,
})
const now = exclusive | failImmediately

const statusOf = (outcome: ReturnType<typeof applyLockElements>): string => ('status' in outcome ? outcome.status : 'wait')

test('a lock of length zero touches only what has bytes on both sides of it (MS-FSA 2.1.4.10)', () => {
  const cases: [number, number, number, number, boolean][] = [
    [10, 0, 10, 0, false],
    [10, 0, 9, 1, false],
    [10, 0, 10, 1, false],
    [10, 0, 11, 1, false],
    [10, 0, 9, 2, true],
    [10, 0, 10, 2, false],
    [10, 0, 9, 3, true],
    [0, 0, 0, 0, false],
  ]
  for (const [a, aLength, b, bLength, overlap] of cases) {
    const first = { offset: BigInt(a), length: BigInt(aLength) }
    const second = { offset: BigInt(b), length: BigInt(bLength) }
    assert.equal(rangesOverlap(first, second), overlap)
    assert.equal(rangesOverlap(second, first), overlap)
  }
})

test('a range ends at the last 64-bit offset or is invalid (MS-FSA 2.1.5.7)', () => {
  const last = (1n << 64n) - 1n
  assert.equal(rangeIsInvalid({ offset: last, length: 1n }), false)
  assert.equal(rangeIsInvalid({ offset: last, length: 0n }), false)
  assert.equal(rangeIsInvalid({ offset: 0n, length: last }), false)
  assert.equal(rangeIsInvalid({ offset: last, length: last }), true)
  assert.equal(rangeIsInvalid({ offset: last, length: 2n }), true)
})

test('flags are validated before anything is locked (MS-SMB2 2.2.26.1, 3.3.5.14)', () => {
  const locks = new ByteRangeLocks()
  const apply = (...elements: ReturnType<typeof element>[]): string => statusOf(applyLockElements(locks, 1n, elements))
  assert.equal(apply(), 'INVALID_PARAMETER')
  for (const flags of [0, ~0x17, unlock | exclusive, unlock | shared, unlock | failImmediately, failImmediately, shared | exclusive]) {
    assert.equal(apply(element(0, 1, flags)), 'INVALID_PARAMETER', `flags ${flags}`)
  }
  assert.equal(apply(element(0, 1, shared | failImmediately), element(5, 1, shared)), 'INVALID_PARAMETER')
  assert.equal(apply(element(0, 1, now), element(5, 1, unlock)), 'INVALID_PARAMETER')
  assert.equal(locks.held.length, 0)
})

test('locks of one request are all or nothing, unlocks go one by one (MS-SMB2 3.3.5.14.1, 3.3.5.14.2)', () => {
  const locks = new ByteRangeLocks()
  const apply = (...elements: ReturnType<typeof element>[]): string => statusOf(applyLockElements(locks, 1n, elements))
  assert.equal(apply(element(10, 10, now)), 'SUCCESS')
  assert.equal(apply(element(0, 10, now), element(10, 10, now)), 'LOCK_NOT_GRANTED')
  assert.equal(locks.held.length, 1)
  assert.equal(apply(element(10, 10, unlock), element(0, 10, unlock)), 'RANGE_NOT_LOCKED')
  assert.equal(locks.held.length, 0)
  assert.equal(apply(element(0, 10, now), element(10, 10, now)), 'SUCCESS')
  assert.equal(apply(element(0, 10, unlock), element(10, 10, now)), 'INVALID_PARAMETER')
  assert.equal(locks.held.length, 1)
})

test('a shared lock may lie on top of one’s own exclusive lock, and the exclusive one is released first (MS-FSA 2.1.5.7, 2.1.5.8)', () => {
  const locks = new ByteRangeLocks()
  const apply = (openId: bigint, flags: number): string => statusOf(applyLockElements(locks, openId, [element(0, 10, flags)]))
  assert.equal(apply(1n, now), 'SUCCESS')
  assert.equal(apply(1n, shared | failImmediately), 'SUCCESS')
  assert.equal(apply(1n, now), 'LOCK_NOT_GRANTED')
  assert.equal(apply(2n, shared | failImmediately), 'LOCK_NOT_GRANTED')
  assert.equal(apply(1n, unlock), 'SUCCESS')
  assert.equal(apply(2n, shared | failImmediately), 'SUCCESS')
  assert.equal(apply(2n, now), 'LOCK_NOT_GRANTED')
})

test('shared locks forbid writing even to their holder, exclusive ones all access but their holder’s (MS-FSA 2.1.4.10)', () => {
  const locks = new ByteRangeLocks()
  locks.add({ openId: 1n, offset: 0n, length: 10n, exclusive: false })
  locks.add({ openId: 1n, offset: 20n, length: 10n, exclusive: true })
  const forbids = (openId: bigint, offset: number, length: number, isWrite: boolean): boolean =>
    locks.forbidsAccess(openId, { offset: BigInt(offset), length: BigInt(length) }, isWrite)
  assert.deepEqual([forbids(1n, 0, 1, false), forbids(2n, 0, 1, false), forbids(1n, 0, 1, true), forbids(2n, 9, 1, true)], [false, false, true, true])
  assert.deepEqual(
    [forbids(1n, 20, 1, false), forbids(1n, 20, 1, true), forbids(2n, 20, 1, false), forbids(2n, 29, 5, true)],
    [false, false, true, true],
  )
  assert.deepEqual([forbids(2n, 20, 0, false), forbids(2n, 30, 5, true)], [false, false])
})

/** The rules once more, byte by byte: bytes are even numbers, and a range of length zero is the odd one before its byte. */
class NaiveLocks {
  held: { openId: bigint; offset: number; length: number; exclusive: boolean }[] = []

  static points(offset: number, length: number): Set<number> {
    if (length === 0) return new Set([2 * offset - 1])
    const points = new Set<number>()
    for (let point = 2 * offset; point <= 2 * (offset + length - 1); point++) points.add(point)
    return points
  }

  static touch(a: { offset: number; length: number }, b: { offset: number; length: number }): boolean {
    if (a.length === 0 && b.length === 0) return false
    const points = NaiveLocks.points(a.offset, a.length)
    return [...NaiveLocks.points(b.offset, b.length)].some(point => points.has(point))
  }

  lock(openId: bigint, offset: number, length: number, isExclusive: boolean): boolean {
    const refused = this.held.some(
      other => NaiveLocks.touch(other, { offset, length }) && (isExclusive || (other.exclusive && other.openId !== openId)),
    )
    if (!refused) this.held.push({ openId, offset, length, exclusive: isExclusive })
    return !refused
  }

  unlock(openId: bigint, offset: number, length: number): boolean {
    const mine = this.held.filter(lock => lock.openId === openId && lock.offset === offset && lock.length === length)
    const first = mine.find(lock => lock.exclusive) ?? mine[0]
    this.held = this.held.filter(lock => lock !== first)
    return first !== undefined
  }

  forbids(openId: bigint, offset: number, length: number, isWrite: boolean): boolean {
    if (length === 0) return false
    return this.held.some(lock => NaiveLocks.touch(lock, { offset, length }) && (lock.exclusive ? lock.openId !== openId : isWrite))
  }
}

test('any sequence of locks and accesses agrees with a byte-by-byte model (MS-FSA 2.1.4.10, 2.1.5.7, 2.1.5.8)', () => {
  const step = fc.record({
    kind: fc.constantFrom('shared', 'exclusive', 'unlock', 'read', 'write', 'close'),
    openId: fc.constantFrom(1n, 2n, 3n),
    offset: fc.integer({ min: 1, max: 8 }),
    length: fc.integer({ min: 0, max: 4 }),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), steps => {
      const locks = new ByteRangeLocks()
      const naive = new NaiveLocks()
      const flags = { shared: shared | failImmediately, exclusive: now, unlock }
      for (const { kind, openId, offset, length } of steps) {
        if (kind === 'close') {
          locks.removeAll(openId)
          naive.held = naive.held.filter(lock => lock.openId !== openId)
        } else if (kind === 'read' || kind === 'write') {
          const range = { offset: BigInt(offset), length: BigInt(length) }
          assert.equal(locks.forbidsAccess(openId, range, kind === 'write'), naive.forbids(openId, offset, length, kind === 'write'))
        } else {
          const granted = statusOf(applyLockElements(locks, openId, [element(offset, length, flags[kind])])) === 'SUCCESS'
          const expected = kind === 'unlock' ? naive.unlock(openId, offset, length) : naive.lock(openId, offset, length, kind === 'exclusive')
          assert.equal(granted, expected)
        }
      }
      assert.equal(locks.held.length, naive.held.length)
    }),
    { numRuns: 300 },
  )
})
