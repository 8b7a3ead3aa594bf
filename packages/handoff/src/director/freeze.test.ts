import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hex } from '@holdfast/wire'
import { Connection } from './connection.ts'
import { readSyn, takeAgreed, takeWindows } from './freeze.ts'
import { repairOptions, repairWindow } from './restore.ts'

/** As the kernel saved it: from 10.77.0.2:40000 to 10.77.0.100:80, MSS 1460, SACK, timestamps 0x01020304, window scale 7. */
const syn = hex(`4500003c1234400040060000 0a4d0002 0a4d0064
  9c400050 fffffffe 00000000 a002faf0 00000000 020405b4 0402080a01020304 00000000 01030307`)

test('a SYN says where the client begins, and what it takes', () => {
  assert.deepEqual(readSyn(syn, syn.length), { sequence: 0xffff_fffe, mss: 1460, tsVal: 0x0102_0304 })
  assert.equal(readSyn(syn, 39), undefined)
  assert.equal(readSyn(syn, 0), undefined)
  const bare = hex('45000028123440004006000 00a4d00020a4d0064 9c400050 00000001 00000000 5002faf0 00000000'.replaceAll(' ', ''))
  assert.deepEqual(readSyn(bare, bare.length), { sequence: 1, mss: 536, tsVal: 0 }, 'RFC 9293 3.7.1')
})

test('what was agreed is what the socket says', () => {
  const connection = new Connection(1)
  takeAgreed(connection, Buffer.from([1, 0, 0, 0, 0, 0x0f, 0xa7, 0]), { sequence: 0xffff_fffe, mss: 1460, tsVal: 9 })
  const { options, clientScale, directorScale, mss, tsClient, begin } = connection
  // Options: timestamps, SACK, window scale, and ECN, which is no matter of ours.
  assert.deepEqual(
    { options, clientScale, directorScale, mss, tsClient, begin },
    { options: 7, clientScale: 7, directorScale: 10, mss: 1460, tsClient: 9, begin: 0xffff_ffff },
  )
})

test('the window that the client was told counts from what it has sent', () => {
  const connection = new Connection(1)
  const window = Buffer.alloc(20)
  for (const [index, value] of [1, 64_256, 99_999, 65_535, 0xffff_ffff].entries()) window.writeUInt32LE(value, index * 4)
  connection.clientSequenceNext = 99
  takeWindows(connection, window)
  assert.deepEqual([connection.sendWindow, connection.receiveWindow], [64_256, 65_535 - 100])
  connection.clientSequenceNext = 70_000
  takeWindows(connection, window)
  assert.equal(connection.receiveWindow, 0)
})

test('a connection that is put back has the options and windows it had (linux/tcp.h)', () => {
  const connection = new Connection(1)
  Object.assign(connection, { options: 7, mss: 1460, clientScale: 7, directorScale: 10, sendWindow: 64_256, receiveWindow: 65_535 })
  assert.deepEqual(repairOptions(connection), hex('02000000b4050000 0300000007000a00 0400000000000000 0800000000000000'))
  assert.deepEqual(repairWindow(connection, 0x1234), hex('34120000 00fb0000 00fb0000 ffff0000 34120000'))
  connection.options = 0
  assert.deepEqual(repairOptions(connection), hex('02000000b4050000'))
})

test('timestamps never go back, whoever sends them (RFC 7323 5)', () => {
  const connection = new Connection(1)
  assert.equal(connection.timestampAt(1000, 50), 51, 'of a connection whose clock is not known')
  connection.setClock(1000.7, 0xffff_ff00)
  assert.equal(connection.timestampAt(1200.2, 0xffff_ff10), 0xffff_ffc8)
  assert.equal(connection.timestampAt(1400, 0xffff_ff10), 0x90)
  assert.equal(connection.timestampAt(1400, 0x100), 0x101)
})
