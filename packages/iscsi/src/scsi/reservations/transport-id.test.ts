import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hex, toHex } from '@holdfast/wire'
import * as fc from 'fast-check'
import { decodeTransportId, iscsiTransportId } from './transport-id.ts'

const port = iscsiTransportId('iqn.2026-11.example:A', hex('00023d00000a'))

test('an iSCSI port: format 01b, name and ISID, ended by a zero, a multiple of four (SPC-4 7.6.4.6)', () => {
  assert.equal(toHex(port.subarray(0, 8)), '45000028 69716e2e')
  assert.equal(port.toString('utf8', 4).replaceAll('\0', ''), 'iqn.2026-11.example:A,i,0x00023d00000a')
  assert.equal(port.length % 4, 0)
  assert.equal(port.at(-1), 0)
})

test('ports are the same however they are spelled', () => {
  const other = Buffer.from(port)
  other.write('IQN.2026-11.EXAMPLE:a,i,0x00023D00000A', 4)
  assert.equal(decodeTransportId(other)?.port, decodeTransportId(port)?.port)
  assert.equal(decodeTransportId(port)?.port, 'iqn.2026-11.example:a,i,0x00023d00000a')
})

test('a TransportID takes no more than its own length', () => {
  const two = Buffer.concat([port, port])
  assert.deepEqual(decodeTransportId(two)?.bytes, port)
})

test('what is cut, has no end, no ISID, or another format is no TransportID', () => {
  for (let length = 0; length < port.length; length++) assert.equal(decodeTransportId(port.subarray(0, length)), undefined)
  const endless = Buffer.from(port).fill(0x61, 4)
  assert.equal(decodeTransportId(endless), undefined)
  const withoutIsid = Buffer.from(port)
  withoutIsid.fill(0, 4 + 'iqn.2026-11.example:A'.length)
  assert.equal(decodeTransportId(withoutIsid), undefined)
  const otherFormat = Buffer.from(port)
  otherFormat[0] = 0x85
  assert.equal(decodeTransportId(otherFormat), undefined)
})

test('TransportIDs of other protocols have 24 bytes (SPC-4 7.6.4)', () => {
  const sas = Buffer.alloc(30)
  sas[0] = 0x06
  assert.equal(decodeTransportId(sas)?.bytes.length, 24)
  assert.equal(decodeTransportId(sas.subarray(0, 23)), undefined)
})

test('every name and ISID come back', () => {
  const name = fc.stringMatching(/^iqn\.[a-z0-9.:-]{1,100}$/)
  fc.assert(
    fc.property(name, fc.uint8Array({ minLength: 6, maxLength: 6 }), (initiator, isid) => {
      const id = decodeTransportId(iscsiTransportId(initiator, Buffer.from(isid)))
      assert.equal(id?.name, initiator)
      assert.equal(id?.port, `${initiator},i,0x${Buffer.from(isid).toString('hex')}`)
    }),
  )
})
