import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hex, toHex } from '@holdfast/wire'
import * as fc from 'fast-check'
import { crc32c, crc32cOf, digestAt, putDigest } from './crc32c.ts'

/** RFC 7143 A.4: what goes over the wire behind the bytes. */
const examples = [
  ['32 bytes of zeros', Buffer.alloc(32), 'aa36918a'],
  ['32 bytes of ones', Buffer.alloc(32, 0xff), '43aba862'],
  ['32 incrementing bytes', Buffer.from(Array.from({ length: 32 }, (_, i) => i)), '4e79dd46'],
  ['32 decrementing bytes', Buffer.from(Array.from({ length: 32 }, (_, i) => 31 - i)), '5cdb3f11'],
  [
    'an iSCSI SCSI Read (10) Command PDU',
    hex('01c00000 00000000 00000000 00000000 14000000 00000400 00000014 00000018 28000000 00000000 02000000 00000000'),
    '563a96d9',
  ],
] as const

describe('CRC32C of the examples of RFC 7143 A.4', () => {
  for (const [title, bytes, digest] of examples) {
    test(title, () => {
      const out = Buffer.alloc(4)
      assert.equal(putDigest(out, 0, crc32c(bytes)), 4)
      assert.equal(toHex(out), digest)
      assert.equal(digestAt(out, 0), crc32c(bytes))
    })
  }
})

/** As the polynomial division is written, a bit at a time. */
function bitwise(bytes: Uint8Array): number {
  let crc = 0xffff_ffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f6_3b78 : crc >>> 1
  }
  return ~crc >>> 0
}

const noise = (lengthBytes: number): Buffer => {
  const bytes = Buffer.alloc(lengthBytes)
  for (let i = 0, state = 1; i < lengthBytes; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    bytes[i] = state >>> 24
  }
  return bytes
}

test('every length up to 600 bytes, and lengths around the thresholds', () => {
  const bytes = noise(600)
  for (let length = 0; length <= 600; length++) assert.equal(crc32c(bytes.subarray(0, length)), bitwise(bytes.subarray(0, length)), String(length))
  const long = noise(300_000)
  for (const length of [
    1023, 1024, 1025, 1500, 2047, 4095, 4096, 4097, 8191, 8192, 12_345, 65_535, 65_536, 65_537, 131_072, 131_073, 262_144, 300_000,
  ])
    assert.equal(crc32c(long.subarray(0, length)), bitwise(long.subarray(0, length)), String(length))
})

test('bytes in pieces have the CRC of the whole, however they are cut', () => {
  const bytes = noise(150_000)
  const whole = bitwise(bytes)
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: bytes.length }), { maxLength: 6 }), cuts => {
      const at = [0, ...cuts.sort((a, b) => a - b), bytes.length]
      assert.equal(crc32cOf(at.slice(1).map((end, i) => bytes.subarray(at[i], end))), whole)
    }),
    { seed: 20_261_121, numRuns: 50 },
  )
})

test('shared memory is read as well', () => {
  const shared = Buffer.from(new SharedArrayBuffer(5000))
  noise(5000).copy(shared)
  assert.equal(crc32c(shared), bitwise(shared))
})
