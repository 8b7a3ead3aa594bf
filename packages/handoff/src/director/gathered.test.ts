import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { newSegment, setEnds, TcpFlag, writeSegment } from '../transform/index.ts'
import { ClientPacket } from './client-packet.ts'
import { Gathered, gatheredBytesMax } from './gathered.ts'

const address = (last: number): Buffer => Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, last])

const packetOf = (sequence: number, payload: Buffer, flags: number = TcpFlag.ack, acknowledgement = 7): ClientPacket => {
  const segment = newSegment()
  setEnds(segment, address(2), 4000, address(100), 80)
  Object.assign(segment, { sequence: sequence >>> 0, acknowledgement, flags, window: 500, payload, payloadFrom: 0, payloadEnd: payload.length })
  const bytes = Buffer.alloc(payload.length + 100)
  const packet = new ClientPacket()
  assert.ok(packet.read(bytes, 0, writeSegment(segment, bytes)))
  return packet
}

test('packets in any order, repeated and overlapping, give the bytes the client has sent', () => {
  const content = Buffer.from(Array.from({ length: 3000 }, (_, at) => at & 0xff))
  const piece = fc.record({ from: fc.nat(2999), length: fc.integer({ min: 1, max: 900 }) })
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), fc.constantFrom(1, 0xffff_fff0, 0xffff_fa00), (pieces, begin) => {
      const gathered = new Gathered(begin, 0)
      for (const { from, length } of pieces) {
        const payload = content.subarray(from, from + length)
        const before = gathered.length
        assert.ok(gathered.take(packetOf(begin + from, payload)))
        // What is known or leaves a hole adds nothing.
        assert.equal(gathered.length, from <= before ? Math.max(before, from + payload.length) : before)
      }
      assert.deepEqual(gathered.bytes.subarray(0, gathered.length), content.subarray(0, gathered.length))
      assert.equal(gathered.end, (begin + gathered.length) >>> 0)
    }),
  )
})

test('a FIN counts when it follows the last byte', () => {
  const gathered = new Gathered(100, 0)
  gathered.take(packetOf(105, Buffer.alloc(0), TcpFlag.ack | TcpFlag.fin))
  assert.equal(gathered.finished, false)
  gathered.take(packetOf(100, Buffer.alloc(5)))
  assert.equal(gathered.finished, false)
  gathered.take(packetOf(105, Buffer.alloc(0), TcpFlag.ack | TcpFlag.fin))
  assert.equal(gathered.finished, true)
})

test('an old packet does not take an acknowledgement back', () => {
  const gathered = new Gathered(100, 0)
  gathered.take(packetOf(100, Buffer.alloc(5), TcpFlag.ack, 50))
  gathered.take(packetOf(100, Buffer.alloc(5), TcpFlag.ack, 40))
  assert.equal(gathered.acknowledgement, 50)
  gathered.take(packetOf(100, Buffer.alloc(5), TcpFlag.ack, 60))
  assert.equal(gathered.acknowledgement, 60)
})

test('no more is gathered than a hand-off carries', () => {
  const gathered = new Gathered(0, 0)
  for (let at = 0; at + 10_000 <= gatheredBytesMax; at += 10_000) assert.ok(gathered.take(packetOf(at, Buffer.alloc(10_000))))
  assert.equal(gathered.take(packetOf(gatheredBytesMax, Buffer.alloc(1))), false)
})

test('what has been sent on is left out', () => {
  const gathered = new Gathered(0xffff_ffff, 0)
  gathered.take(packetOf(0xffff_ffff, Buffer.from('abcdef')))
  gathered.skip(2)
  assert.equal(gathered.sequence, 1)
  assert.equal(gathered.bytes.toString('latin1', 0, gathered.length), 'cdef')
})
