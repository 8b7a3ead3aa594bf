import assert from 'node:assert/strict'
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { OutOfSharedMemory } from '@holdfast/engine/worker'
import type { FilePiece, Message, Settlement } from '@holdfast/engine'
import { Outgoing } from './outgoing.ts'

/** Memory that is either with the sender, sent or given back. */
function wire() {
  const sent: string[] = []
  const settled: number[][] = []
  const pieces: FilePiece[] = []
  let held = 0
  return {
    sent,
    settled,
    pieces,
    isFull: false,
    get held() {
      return held
    },
    allocate(lengthBytes: number) {
      if (this.isFull) throw new OutOfSharedMemory(lengthBytes)
      held++
      return Buffer.alloc(lengthBytes)
    },
    discard() {
      held--
    },
    close() {
      assert.fail()
    },
    sendPart(
      buffer: Buffer,
      fromBytes: number,
      lengthBytes: number,
      { finishes = [], state = [] }: Settlement = {},
      files: readonly FilePiece[] = [],
    ) {
      held--
      pieces.push(...files)
      settled.push([finishes.length, ...state])
      for (const message of finishes) message.release()
      sent.push(buffer.toString('latin1', fromBytes, fromBytes + lengthBytes))
    },
    settle({ finishes = [], state = [] }: Settlement) {
      settled.push([finishes.length, ...state])
      for (const message of finishes) message.release()
    },
  }
}

const noState = () => []

/** Messages, and which of them have been released. */
function messages() {
  const released: string[] = []
  const message = (name: string): Message => ({ bytes: Buffer.alloc(0), orphaned: false, release: () => void released.push(name) })
  return { released, message }
}

const put = (out: Outgoing, text: string): void => {
  out.reserve(text.length).write(text, 'latin1')
  out.commit()
}

test('what a batch commits goes out with one write, in order', () => {
  const to = wire()
  const out = new Outgoing(to, noState)
  put(out, 'one ')
  out.reserve(100)
  out.cancel()
  put(out, 'two ')
  out.flush()
  out.flush()
  assert.deepEqual([to.sent, to.held], [['one two '], 0])
})

test('what is detached goes out when it is filled, after what was committed meanwhile', () => {
  const to = wire()
  const out = new Outgoing(to, noState)
  put(out, 'first ')
  out.reserve(5)
  const later = out.detach()
  put(out, 'second ')
  out.flush()
  put(out, 'third ')
  later.bytes.write('later', 'latin1')
  out.send(later, [], () => undefined)
  assert.deepEqual([to.sent, to.held], [['first second ', 'third ', 'later'], 0])
})

test('what is larger than a block has one of its own', () => {
  const to = wire()
  const out = new Outgoing(to, noState)
  put(out, 'small ')
  put(out, 'x'.repeat(1 << 20))
  out.flush()
  assert.deepEqual(
    to.sent.map(text => text.length),
    [6, 1 << 20],
  )
  const dropped = (out.reserve(10), out.detach())
  out.discard(dropped)
  assert.equal(to.held, 0)
})

test('a message ends with the write that answers it, and the state is what it is behind that', () => {
  const to = wire()
  let state = 0
  const out = new Outgoing(to, () => [state])
  const { released, message } = messages()
  state = 1
  put(out, 'one ')
  out.finish(message('first'))
  out.reserve(5)
  const later = out.detach()
  assert.deepEqual(released, [])
  out.flush()
  assert.deepEqual([released, to.settled], [['first'], [[1, 1]]])
  out.finish(message('unanswered'))
  out.flush()
  assert.deepEqual(
    [released.splice(0), to.settled.splice(0)],
    [
      ['first', 'unanswered'],
      [
        [1, 1],
        [1, 1],
      ],
    ],
  )
  put(out, 'two ')
  out.send(later, [message('second')], () => void (state = 2))
  assert.deepEqual(
    [released, to.settled],
    [
      ['second'],
      [
        [0, 1],
        [1, 2],
      ],
    ],
  )
})

test('what must be answered waits for shared memory, in order; reads are told that there is none', async () => {
  const to = wire()
  const out = new Outgoing(to, noState)
  const { released, message } = messages()
  put(out, 'before ')
  out.reserve(5)
  const later = out.detach()
  out.flush()
  to.isFull = true
  assert.throws(() => out.reserve(5), OutOfSharedMemory)
  out.reserveSurely(5).write('small')
  out.commit()
  out.finish(message('small'))
  out.flush()
  out.send(later, [message('later')], () => undefined)
  assert.deepEqual([to.sent, released], [['before '], []])
  to.isFull = false
  while (to.sent.length < 3) await sleep(1)
  assert.deepEqual([to.sent.slice(1), released, to.held], [['small', later.bytes.toString('latin1')], ['small', 'later'], 0])
})

test('what waits for shared memory when the connection ends is given back', () => {
  const to = wire()
  const out = new Outgoing(to, noState)
  const { released, message } = messages()
  out.reserve(5)
  const later = out.detach()
  to.isFull = true
  out.reserveSurely(5)
  out.commit()
  out.finish(message('small'))
  out.send(later, [message('later')], () => undefined)
  out.close()
  assert.deepEqual([released, to.held, to.sent], [['small', 'later'], 0, []])
  out.finish(message('after the end'))
  out.flush()
  assert.deepEqual(released, ['small', 'later', 'after the end'])
})

describe('pieces of files', () => {
  const folder = mkdtempSync(join(tmpdir(), 'outgoing-'))
  const path = join(folder, 'content')
  writeFileSync(path, 'abcdefghij')
  const descriptor = openSync(path, 'r')
  after(() => {
    closeSync(descriptor)
    rmSync(folder, { recursive: true })
  })
  const putPiece = (out: Outgoing, text: string): void => {
    out.reserve(text.length).write(text, 'latin1')
    out.commit([{ at: text.indexOf('.'), lengthBytes: 3, descriptor, offset: 4 }])
  }

  test('go with the write that they are in, at their places', () => {
    const to = wire()
    const out = new Outgoing(to, noState)
    put(out, 'one ')
    putPiece(out, 'two ... ')
    // What is detached leaves them with what was before.
    out.reserve(5)
    const late = out.detach()
    putPiece(out, 'three ...')
    assert.ok(out.sendsFiles)
    out.flush()
    late.bytes.write('four ', 'latin1')
    out.send(late, [], () => undefined)
    assert.deepEqual(to.sent, ['one two ... three ...', 'four '])
    assert.deepEqual(
      to.pieces.map(({ at, offset }) => [at, offset]),
      [
        [8, 4],
        [18, 4],
      ],
    )
    assert.equal(to.held, 0)
  })

  test('are read where the write has to wait: what has them may be gone by then', async () => {
    const to = wire()
    const out = new Outgoing(to, noState)
    putPiece(out, 'two ... ')
    to.isFull = true
    // What was committed before moves to memory of its own, and waits.
    out.reserve(0)
    const late = out.detach()
    out.flush()
    assert.deepEqual([to.sent, out.sendsFiles], [[], false])
    to.isFull = false
    await sleep(30)
    assert.deepEqual([to.sent, to.pieces], [['two efg '], []])
    out.discard(late)
    assert.equal(to.held, 0)
  })
})
