import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hex } from '@holdfast/wire'
import { formatIsid, initiatorPortName, randomIsid, targetPortName } from './isid.ts'

test('a random ISID has its type in the first byte and the qualifier in the last two (RFC 7143 11.12.5)', () => {
  const isid = randomIsid(0x0102, lengthBytes => Buffer.alloc(lengthBytes, 0xab))
  assert.deepEqual(isid, hex('80 ababab 0102'))
  assert.notDeepEqual(randomIsid(), randomIsid())
})

test('names of ports (4.2.8)', () => {
  assert.equal(formatIsid(hex('00023d000000')), '0x00023d000000')
  assert.equal(initiatorPortName('iqn.2026-11.a:host', hex('00023d000000')), 'iqn.2026-11.a:host,i,0x00023d000000')
  assert.equal(targetPortName('iqn.2026-11.a:disk', 1), 'iqn.2026-11.a:disk,t,0x0001')
})
