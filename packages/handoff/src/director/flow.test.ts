import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { flowKeyBytes, flowOf, FlowKeys, portOf, writeClient } from './flow.ts'

const mapped = (tail: Uint8Array): Buffer => Buffer.concat([Buffer.alloc(10), Buffer.from([0xff, 0xff]), tail])
const ipv4 = fc.uint8Array({ minLength: 4, maxLength: 4 }).map(mapped)
const ipv6 = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(bytes => Buffer.from(Uint8Array.from(bytes, (byte, at) => (at === 0 ? 0x20 : byte))))
const port = fc.integer({ min: 0, max: 65535 })

test('a flow gives back address and port', () => {
  fc.assert(
    fc.property(fc.oneof(ipv4, ipv6), port, (address, port) => {
      const flow = flowOf(address, port, address[0] === 0)
      const written = Buffer.alloc(16, 0xee)
      writeClient(flow, written)
      assert.deepEqual(written, address)
      assert.equal(portOf(flow), port)
    }),
  )
})

test('a key is that of the packet, and leads back to its flow', () => {
  const vip = mapped(Buffer.from([10, 0, 0, 100]))
  const keys = new FlowKeys(vip, 80)
  fc.assert(
    fc.property(fc.oneof(ipv4, ipv6), port, (address, port) => {
      const flow = flowOf(address, port, address[0] === 0)
      const key = Buffer.from(keys.of(flow))
      const expected = Buffer.alloc(flowKeyBytes)
      address.copy(expected)
      vip.copy(expected, 16)
      expected.writeUInt16BE(port, 32)
      expected.writeUInt16BE(80, 34)
      assert.deepEqual(key, expected)
      assert.equal(keys.flowOf(key), flow)
      key.writeUInt16BE(81, 34)
      assert.equal(keys.flowOf(key), undefined)
    }),
  )
})
