import assert from 'node:assert/strict'
import test from 'node:test'
import { HandoffOptions } from '../protocol/messages.ts'
import { newSynAck, faultOf, readSynAck } from './syn-ack.ts'

const { timestamps, sack, windowScale } = HandoffOptions
const all = timestamps | sack | windowScale

/** TCP header of Linux' SYN-ACK with all options: sequence 1000, acknowledgement 500, window 65160. */
const withAll = '0050c350 000003e8 000001f4 a012fe88 00000000 020405b4 0402 080a 00abcdef 00112233 01 030307'

const captured = (hex: string): Buffer => {
  const entry = Buffer.alloc(8 + 60)
  Buffer.from(hex.replaceAll(' ', ''), 'hex').copy(entry, 8)
  return entry
}

const read = (hex: string) => {
  const synAck = newSynAck()
  return { fits: readSynAck(captured(hex), 8, synAck), ...synAck }
}

test('a SYN-ACK says what the server agrees to', () => {
  assert.deepEqual(read(withAll), {
    fits: true,
    sequence: 1000,
    acknowledgement: 500,
    window: 65_160,
    options: all,
    scale: 7,
    tsVal: 0x00abcdef,
  })
})

test('a SYN-ACK without options promises none', () => {
  const { fits, options, scale, tsVal } = read('0050c350 000003e8 000001f4 6012fe88 00000000 020405b4')
  assert.deepEqual({ fits, options, scale, tsVal }, { fits: true, options: 0, scale: 0, tsVal: 0 })
})

test('what is no SYN-ACK is not taken for one: a RST, a challenge ACK, a header shorter than a header', () => {
  assert.equal(read('0050c350 00000000 000001f4 50140000 00000000').fits, false)
  assert.equal(read('0050c350 000003e8 000001f4 5010fe88 00000000').fits, false)
  assert.equal(read('0050c350 000003e8 000001f4 4012fe88 00000000').fits, false)
})

test('an option longer than the header ends the reading, and the loop', () => {
  assert.equal(read('0050c350 000003e8 000001f4 6012fe88 00000000 08ff0000').options, 0)
  assert.equal(read('0050c350 000003e8 000001f4 6012fe88 00000000 05000000').options, 0)
})

test('a shift above 14 is taken as 14 (RFC 7323 2.3)', () => {
  assert.equal(read('0050c350 000003e8 000001f4 6012fe88 00000000 010303ff').scale, 14)
})

test('an option that the client was promised must be there', () => {
  const synAck = newSynAck()
  readSynAck(captured(withAll), 8, synAck)
  const promised = { sequence: 499, options: all, requestBytes: 100 }
  assert.equal(faultOf(synAck, promised), undefined)
  assert.equal(faultOf({ ...synAck, options: sack | windowScale }, promised), 'optionMissing')
  assert.equal(faultOf({ ...synAck, options: timestamps | windowScale }, promised), 'optionMissing')
  assert.equal(faultOf({ ...synAck, options: timestamps | sack }, promised), 'optionMissing')
  assert.equal(faultOf({ ...synAck, options: 0 }, { ...promised, options: 0 }), undefined)
})

test('a SYN-ACK of another SYN, and one whose window the request does not fit into, are of no use', () => {
  const synAck = newSynAck()
  readSynAck(captured(withAll), 8, synAck)
  assert.equal(faultOf(synAck, { sequence: 500, options: all, requestBytes: 100 }), 'otherSequence')
  assert.equal(faultOf(synAck, { sequence: 499, options: all, requestBytes: 65_160 }), undefined)
  assert.equal(faultOf(synAck, { sequence: 499, options: all, requestBytes: 65_161 }), 'windowTooSmall')
})
