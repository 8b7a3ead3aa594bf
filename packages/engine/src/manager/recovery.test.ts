import assert from 'node:assert/strict'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { heldPieces, holdPieces, releasePieces } from '../shared/held-pieces.ts'
import { Control, Intent, piecesMax, Slot, slotAt } from '../shared/layout.ts'
import { readRest } from '../worker/files.ts'
import { unfinishedWrite } from './recovery.ts'

/** A worker that died in a write which finishes messages 5, 6 and 7, after the record before number `record`. */
function remains(intent: number, record: number, nextRecord: number) {
  const table = new Int32Array(slotAt(1))
  const slot = slotAt(0)
  table[slot + Slot.intent] = intent
  table[slot + Slot.intentOffset] = 4096
  table[slot + Slot.intentLength] = 100
  table[slot + Slot.intentMessages] = 3
  table[slot + Slot.intentRecord] = record
  table[slot + Slot.intentState] = 1
  table[slot + Slot.descriptor] = -1
  const control = new Int32Array(Control.words)
  control.set([5, 6, 7], Control.finishing)
  return { table, control, nextRecord }
}

test('no intent: nothing is unfinished, and what held holds', () => {
  const dead = remains(Intent.none, 0, 0)
  assert.equal(unfinishedWrite(dead, 0), undefined)
  assert.equal(dead.table[slotAt(0) + Slot.stateInForce], 0)
})

test('an intent without a record: its messages are finished for the dead worker, and what holds with it holds', () => {
  const dead = remains(Intent.throughManager, 7, 7)
  assert.deepEqual(unfinishedWrite(dead, 0), { offset: 4096, length: 100, messages: [5, 6, 7] })
  assert.equal(dead.table[slotAt(0) + Slot.stateInForce], 1)
  assert.equal(unfinishedWrite(dead, 0), undefined)
})

test('what records were written of is over, as an index may be another message by now', () => {
  for (const intent of [Intent.direct, Intent.throughManager]) {
    assert.deepEqual(unfinishedWrite(remains(intent, 7, 8), 0), { offset: 4096, length: 0, messages: [6, 7] })
    assert.deepEqual(unfinishedWrite(remains(intent, -1, 2), 0), { offset: 4096, length: 0, messages: [] })
    assert.deepEqual(unfinishedWrite(remains(intent, 7, 99), 0), { offset: 4096, length: 0, messages: [] })
  }
})

test('a write to a socket that is gone is not repeated', () => {
  assert.deepEqual(unfinishedWrite(remains(Intent.direct, 7, 7), 0), { offset: 4096, length: 0, messages: [5, 6, 7] })
})

test('of a write with pieces of files what has not gone out is read from them, by descriptors that outlive the worker', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [[accepted]] = (await Promise.all([once(server, 'connection'), once(socket, 'connect')])) as [[Socket], unknown]
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-recovery-'))
  try {
    writeFileSync(join(folder, 'file'), Buffer.alloc(1000, 'abcdefghij'))
    const descriptor = openSync(join(folder, 'file'), 'r')
    const dead = remains(Intent.withFiles, 7, 7)
    dead.table[slotAt(0) + Slot.descriptor] = (accepted as unknown as { _handle: { fd: number } })._handle.fd
    const pieces = [{ at: 4106, lengthBytes: 20, descriptor, offset: 2 }]
    assert.equal(holdPieces(dead.control, pieces), true)
    closeSync(descriptor)
    const nothing = unfinishedWrite(dead, 0)
    assert.deepEqual([nothing?.offset, nothing?.length, nothing?.messages], [4096, 100, [5, 6, 7]])
    assert.deepEqual(
      nothing?.files?.map(({ at, lengthBytes, offset }) => [at, lengthBytes, offset]),
      [[4106, 20, 2]],
    )
    const memory = Buffer.alloc(5000, '.')
    assert.equal(readRest(memory, nothing?.files ?? [], 4096), true)
    assert.equal(memory.toString('latin1', 4104, 4128), '..cdefghijabcdefghijab..')

    dead.table[slotAt(0) + Slot.intent] = Intent.withFiles
    accepted.write(Buffer.alloc(15))
    const [rest] = [unfinishedWrite(dead, 0)]
    assert.deepEqual([rest?.offset, rest?.length, rest?.files?.length], [4111, 85, 1])
    memory.fill('.')
    assert.equal(readRest(memory, rest?.files ?? [], 4111), true)
    assert.equal(memory.toString('latin1', 4106, 4128), '.....hijabcdefghijab..')

    dead.table[slotAt(0) + Slot.intent] = Intent.withFiles
    accepted.write(Buffer.alloc(85))
    assert.deepEqual(unfinishedWrite(dead, 0), { offset: 4196, length: 0, messages: [5, 6, 7] })
    releasePieces(dead.control)
    assert.deepEqual(heldPieces(dead.control), [])
    assert.deepEqual(unfinishedWrite(remains(Intent.withFiles, 7, 8), 0), { offset: 4096, length: 0, messages: [6, 7] })
  } finally {
    rmSync(folder, { recursive: true, force: true })
    socket.destroy()
    accepted.destroy()
    server.close()
  }
})

test('pieces of one file share a descriptor, and all that were duplicated are closed', () => {
  const control = new Int32Array(new SharedArrayBuffer(4 * Control.words))
  const open = (): number => readdirSync('/proc/self/fd').length
  const descriptors = [openSync('/dev/null', 'r'), openSync('/dev/zero', 'r')]
  const before = open()
  const pieces = [0, 0, 1, 1, 0].map((file, index) => ({ at: 100 * index, lengthBytes: 50, descriptor: descriptors[file], offset: index * 2 ** 33 }))
  assert.equal(holdPieces(control, pieces), true)
  assert.equal(open(), before + 3)
  const held = heldPieces(control)
  assert.deepEqual(
    held.map(({ descriptor }) => readlinkSync(`/proc/self/fd/${descriptor}`)),
    ['/dev/null', '/dev/null', '/dev/zero', '/dev/zero', '/dev/null'],
  )
  assert.deepEqual(
    held.map(({ at, offset }) => [at, offset]),
    pieces.map(({ at, offset }) => [at, offset]),
  )
  releasePieces(control)
  assert.equal(open(), before)
  // One in the middle is not open: what was duplicated before it is closed.
  assert.equal(holdPieces(control, [...pieces, { ...pieces[0], descriptor: -1 }]), false)
  assert.equal(open(), before)
  assert.deepEqual(heldPieces(control), [])
  for (const descriptor of descriptors) closeSync(descriptor)
})

test('more pieces than can be noted, and files that are not open, are not held', () => {
  const control = new Int32Array(new SharedArrayBuffer(4 * Control.words))
  const piece = { at: 0, lengthBytes: 1, descriptor: -1, offset: 2 ** 40 }
  assert.equal(holdPieces(control, [piece]), false)
  assert.equal(
    holdPieces(
      control,
      Array.from({ length: piecesMax + 1 }, () => piece),
    ),
    false,
  )
  assert.deepEqual(heldPieces(control), [])
})
