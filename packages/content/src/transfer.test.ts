import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FilePiece, Message } from '@holdfast/engine'
import { memory } from '@holdfast/storage'
import { type Answer, wholeFile } from './answer.ts'
import { OpenFiles } from './open-files.ts'
import { testShare } from './test-support/content-server.ts'
import { bytesBegun, identityOf, idleState, Transfer } from './transfer.ts'

const content = Buffer.from(Array.from({ length: 3_000_000 }, (_, at) => (at * 7) % 251))

function answerOf(): Answer {
  const files = memory()
  const handle = files.create('file', '', { folder: false, attributes: 0x20, access: { read: true, write: true } })
  handle.write(content, 0)
  handle.close()
  const opened = new OpenFiles({ filesMax: 1, idleMs: 1 }, () => 0).open(testShare('s', files), 'file')
  assert.ok(!(opened instanceof Promise))
  return wholeFile(opened, false)
}

/** A connection that takes everything, and dies with the worker after so many writes. */
function connectionOf(diesAfter = Infinity) {
  const sent: Buffer[] = []
  let state = idleState
  const finished: unknown[] = []
  return {
    sent,
    finished,
    get state() {
      return state
    },
    allocate: (length: number) => Buffer.alloc(length, 0xee),
    discard() {},
    sendFile: () => 0,
    unsentBytes: 0,
    sendPart(
      buffer: Buffer,
      from: number,
      length: number,
      settles: { state?: readonly number[]; finishes?: readonly Message[] } = {},
      files: readonly FilePiece[] = [],
    ) {
      if (sent.length === diesAfter) throw new Error('the worker has died')
      assert.equal(files.length, 0)
      sent.push(Buffer.from(buffer.subarray(from, from + length)))
      state = settles.state ?? state
      finished.push(...(settles.finishes ?? []))
    },
  }
}

const message = { bytes: Buffer.alloc(0), orphaned: false, release() {} }
const node = { beginAsync() {}, endAsync() {} }
const head = Buffer.from('head')

test('the next worker goes on where the one before it died, after whatever write', () => {
  const answer = answerOf()
  const run = (connection: ReturnType<typeof connectionOf>, begun?: number): void =>
    new Transfer(
      { node, connection, nowMs: () => 0, onDone: () => undefined },
      { message, answer, head, ...(begun !== undefined && { begun }) },
    ).start()
  const all = connectionOf()
  run(all)
  assert.ok(Buffer.concat(all.sent).equals(Buffer.concat([head, content])))
  assert.deepEqual([all.finished.length, all.state], [1, idleState])
  assert.ok(all.sent.length > 3)
  for (let writes = 0; writes < all.sent.length; writes++) {
    const first = connectionOf(writes)
    run(first)
    const begun = bytesBegun(first.state, identityOf(answer))
    assert.equal(begun, writes === 0 ? 'none' : Buffer.concat(first.sent).length - head.length)
    const second = connectionOf()
    run(second, begun === 'none' ? undefined : begun)
    assert.ok(Buffer.concat([...first.sent, ...second.sent]).equals(Buffer.concat([head, content])), `${writes} writes`)
    assert.deepEqual([first.finished.length, second.finished.length], [0, 1])
  }
})

test('a response that was begun of something else is not gone on with', () => {
  const answer = answerOf()
  const state = [1, 5, 1, identityOf(answer) | 0]
  assert.equal(bytesBegun(state, identityOf(answer)), 2 ** 32 + 5)
  assert.equal(bytesBegun(state, identityOf({ ...answer, bodyBytes: 1 })), 'another')
  assert.equal(bytesBegun(state, identityOf({ ...answer, status: 206 })), 'another')
  assert.equal(bytesBegun(idleState, identityOf(answer)), 'none')
})
