import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MalformedError } from '@holdfast/wire'
import { crc32c, NopIn, noDigests, paddedBytes, putDigest } from '../pdu/index.ts'
import type { Digests } from '../pdu/index.ts'
import { IscsiError } from './errors.ts'
import { PduReceiver } from './receiver.ts'

const all: Digests = { header: true, data: true }

function pduOf(data: Buffer, digests: Digests): Buffer {
  const bytes = Buffer.alloc(48 + 4 + paddedBytes(data.length) + 4)
  let at = NopIn.encode({ dataSegmentLength: data.length, statSn: 1, expCmdSn: 2, maxCmdSn: 3 }, bytes, 0)
  if (digests.header) at = putDigest(bytes, at, crc32c(bytes.subarray(0, 48)))
  const begin = at
  data.copy(bytes, at)
  at += paddedBytes(data.length)
  if (digests.data && data.length > 0) at = putDigest(bytes, at, crc32c(bytes.subarray(begin, at)))
  return bytes.subarray(0, at)
}

interface Taken {
  readonly data: Buffer
  readonly isDamaged: boolean
}

/** Feeds bytes in pieces; gives what was handed out. */
function receive(bytes: Buffer, pieceBytes: number, digests: Digests, dataBytesMax = 5000): Taken[] {
  const taken: Taken[] = []
  const receiver = new PduReceiver({
    dataBytesMax,
    onPdu: ({ bytes: buffer, dataAt, dataBytes, isDamaged }) =>
      taken.push({ data: Buffer.from(buffer.subarray(dataAt, dataAt + dataBytes)), isDamaged }),
  })
  receiver.digests = digests
  for (let at = 0; at < bytes.length;) {
    const target = receiver.target()
    const piece = bytes.subarray(at, at + Math.min(pieceBytes, target.length))
    piece.copy(target)
    receiver.received(piece.length)
    at += piece.length
  }
  return taken
}

describe('PDUs come out whole, however they come in (RFC 7143 11.2)', () => {
  const segments = [0, 1, 4, 47, 4096, 5000, 3, 0].map((lengthBytes, i) => Buffer.alloc(lengthBytes, i + 1))
  for (const digests of [noDigests, { header: true, data: false }, { header: false, data: true }, all]) {
    for (const pieceBytes of [1, 7, 48, 1000, 1 << 20]) {
      test(`header digest ${digests.header}, data digest ${digests.data}, ${pieceBytes} bytes at a time`, () => {
        const stream = Buffer.concat(segments.map(segment => pduOf(segment, digests)))
        assert.deepEqual(
          receive(stream, pieceBytes, digests),
          segments.map(data => ({ data, isDamaged: false })),
        )
      })
    }
  }

  test('many more than the buffer holds', () => {
    const segments = Array.from({ length: 200 }, (_, i) => Buffer.alloc(5000 - i, i))
    const stream = Buffer.concat(segments.map(segment => pduOf(segment, all)))
    assert.deepEqual(
      receive(stream, 70_000, all).map(({ data }) => data),
      segments,
    )
  })
})

test('a wrong data digest is told, and does not disturb what follows (7.8)', () => {
  const damaged = pduOf(Buffer.from('abc'), all)
  damaged[52] ^= 1
  assert.deepEqual(
    receive(Buffer.concat([damaged, pduOf(Buffer.from('def'), all)]), 1000, all).map(({ isDamaged }) => isDamaged),
    [true, false],
  )
})

test('a wrong header digest ends the connection: nobody knows where the next PDU begins (7.7)', () => {
  const damaged = pduOf(Buffer.from('abc'), all)
  damaged[40] ^= 1
  assert.throws(
    () => receive(damaged, 1000, all),
    (error: unknown) => error instanceof IscsiError && error.code === 'CONNECTION_LOST',
  )
})

test('a segment longer than was declared is malformed', () => {
  assert.throws(
    () => receive(pduOf(Buffer.alloc(5001), noDigests), 1000, noDigests),
    (error: unknown) => error instanceof MalformedError && error.code === 'too-long',
  )
})
