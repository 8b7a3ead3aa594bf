import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serialAdd, serialBefore, serialDistance, serialWithin } from './serial-number.ts'

test('serial numbers go on with 0 behind 2^32-1 (RFC 1982)', () => {
  assert.equal(serialAdd(0xffff_ffff, 1), 0)
  assert.equal(serialAdd(0xffff_fffe, 5), 3)
  assert.equal(serialAdd(0, -1), 0xffff_ffff)
  assert.equal(serialDistance(0xffff_fffe, 3), 5)
  assert.equal(serialDistance(3, 0xffff_fffe), -5)
})

test('comparison across the end', () => {
  assert.ok(serialBefore(0xffff_ffff, 0))
  assert.ok(!serialBefore(0, 0xffff_ffff))
  assert.ok(!serialBefore(7, 7))
  assert.ok(serialBefore(0, 0x7fff_ffff))
  assert.ok(!serialBefore(0, 0x8000_0001))
})

test('a command window may lie across the end, and may be empty (RFC 7143 4.2.2.1)', () => {
  assert.ok(serialWithin(0, 0xffff_fff0, 5))
  assert.ok(serialWithin(0xffff_fff0, 0xffff_fff0, 5))
  assert.ok(serialWithin(5, 0xffff_fff0, 5))
  assert.ok(!serialWithin(6, 0xffff_fff0, 5))
  assert.ok(!serialWithin(10, 10, 9))
})
