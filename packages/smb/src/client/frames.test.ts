import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MalformedError } from '@holdfast/wire'
import * as fc from 'fast-check'
import { BufferPool } from './buffers.ts'
import { FrameReceiver } from './frames.ts'

function frame(payload: Buffer): Buffer {
  const bytes = Buffer.alloc(4 + payload.length)
  bytes.writeUInt32BE(payload.length, 0)
  payload.copy(bytes, 4)
  return bytes
}

/** Feeds a stream in pieces of at most so many bytes. */
function feed(receiver: FrameReceiver, stream: Buffer, pieces: readonly number[]): void {
  for (let at = 0, turn = 0; at < stream.length; turn++) {
    const target = receiver.target()
    assert.ok(target.length > 0)
    const count = Math.min(target.length, stream.length - at, pieces[turn % pieces.length] ?? 1)
    stream.copy(target, 0, at, at + count)
    receiver.received(count)
    at += count
  }
}

const pattern = (lengthBytes: number, seed: number): Buffer => Buffer.alloc(lengthBytes, Buffer.from([seed, 1, 2, 3, 5, 7, 11]))

test('frames come out as they were sent, however the stream is cut (MS-SMB2 2.1)', () => {
  const sizes = fc.array(fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 30_000, max: 200_000 })), { maxLength: 12 })
  const pieces = fc.array(fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1000, max: 100_000 })), { minLength: 1, maxLength: 20 })
  fc.assert(
    fc.property(sizes, pieces, (lengths, cuts) => {
      const sent = lengths.map((length, index) => pattern(length, index))
      const received: Buffer[] = []
      const receiver = new FrameReceiver({ pool: new BufferPool(), onFrame: ({ bytes }) => received.push(Buffer.from(bytes)) })
      receiver.maxFrameBytes = 0xff_ffff
      feed(receiver, Buffer.concat(sent.map(frame)), cuts)
      assert.deepEqual(received, sent)
    }),
    { numRuns: 60 },
  )
})

test('a large frame has a buffer of its own, which is used again when nobody keeps it', () => {
  const pool = new BufferPool()
  const kept: Buffer[] = []
  const receiver = new FrameReceiver({
    pool,
    onFrame({ bytes, owner }) {
      assert.ok(owner)
      if (kept.length > 0) return
      owner.retain()
      kept.push(bytes)
    },
  })
  receiver.maxFrameBytes = 0xff_ffff
  feed(receiver, frame(pattern(100_000, 1)), [65_536])
  assert.equal(pool.idleBytes, 0)
  feed(receiver, frame(pattern(100_000, 2)), [65_536])
  assert.equal(pool.idleBytes, 2 * 65_536)
  assert.deepEqual(kept[0], pattern(100_000, 1))
})

test('a frame longer than anything that was asked for is malformed', () => {
  const receiver = new FrameReceiver({ pool: new BufferPool(), onFrame: () => assert.fail() })
  assert.throws(() => feed(receiver, Buffer.from([0x01, 0, 0, 0]), [4]), MalformedError)
})
