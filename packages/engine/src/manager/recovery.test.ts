import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { test } from 'node:test'
import { Control, Intent, Slot, slotAt } from '../shared/layout.ts'
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

test('of a write with pieces of files only the worker knew the rest: the connection is lost unless all has gone out', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [[accepted]] = (await Promise.all([once(server, 'connection'), once(socket, 'connect')])) as [[Socket], unknown]
  try {
    const dead = remains(Intent.withFiles, 7, 7)
    dead.table[slotAt(0) + Slot.descriptor] = (accepted as unknown as { _handle: { fd: number } })._handle.fd
    assert.deepEqual(unfinishedWrite(dead, 0), { offset: 4096, length: 0, messages: [5, 6, 7], isLost: true })
    dead.table[slotAt(0) + Slot.intent] = Intent.withFiles
    accepted.write(Buffer.alloc(100))
    assert.deepEqual(unfinishedWrite(dead, 0), { offset: 4196, length: 0, messages: [5, 6, 7] })
    assert.deepEqual(unfinishedWrite(remains(Intent.withFiles, 7, 8), 0), { offset: 4096, length: 0, messages: [6, 7] })
  } finally {
    socket.destroy()
    accepted.destroy()
    server.close()
  }
})
