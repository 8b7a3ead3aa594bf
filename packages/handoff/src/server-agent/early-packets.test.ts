import assert from 'node:assert/strict'
import test from 'node:test'
import { EarlyPackets, keepMs } from './early-packets.ts'

const datagram = Buffer.from('xxfirstsecond')

test('packets of a flow are given back in the order they came, once', () => {
  const early = new EarlyPackets()
  assert.equal(early.keep('a', datagram, 2, 7, 0), true)
  assert.equal(early.keep('b', datagram, 0, 2, 1), true)
  assert.equal(early.keep('a', datagram, 7, 13, 2), true)
  assert.deepEqual(early.take('a').map(String), ['first', 'second'])
  assert.deepEqual(early.take('a'), [])
  assert.deepEqual(early.take('b').map(String), ['xx'])
})

test('what is kept is a copy', () => {
  const early = new EarlyPackets()
  const bytes = Buffer.from('first')
  early.keep('a', bytes, 0, 5, 0)
  bytes.fill(0)
  assert.deepEqual(early.take('a').map(String), ['first'])
})

test('packets are let go of when their time is over, and the room is free again', () => {
  const early = new EarlyPackets()
  early.keep('a', datagram, 0, 13, 0)
  early.keep('b', datagram, 0, 13, 10)
  early.keep('a', datagram, 0, 13, 20)
  assert.equal(early.nextMs(), keepMs)
  assert.equal(early.expire(keepMs - 1), 0)
  assert.equal(early.expire(keepMs), 2)
  assert.equal(early.nextMs(), keepMs + 10)
  assert.equal(early.expire(keepMs + 10), 1)
  assert.equal(early.nextMs(), Infinity)
})

test('a flow has 64 KiB, and all together 4 MiB', () => {
  const early = new EarlyPackets()
  const large = Buffer.alloc(65_536)
  assert.equal(early.keep('0', large, 0, 65_536, 0), true)
  assert.equal(early.keep('0', large, 0, 1, 0), false)
  for (let flow = 1; flow < 64; flow++) assert.equal(early.keep(String(flow), large, 0, 65_536, 0), true)
  assert.equal(early.keep('64', large, 0, 1, 0), false)
  early.take('7')
  assert.equal(early.keep('64', large, 0, 1, 0), true)
})
