import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CommandWindow } from './command-window.ts'

test('commands go out from ExpCmdSN to MaxCmdSN, and no further (RFC 7143 4.2.2.1)', () => {
  const window = new CommandWindow(1)
  assert.ok(window.isOpen, 'the first command follows the login')
  window.update(1, 3)
  assert.equal(window.room, 3)
  assert.deepEqual([window.take(), window.take(), window.take()], [1, 2, 3])
  assert.ok(!window.isOpen)
  assert.equal(window.room, 0)
  window.update(3, 4)
  assert.ok(window.isOpen)
  assert.ok(window.isAcknowledged(2))
  assert.ok(!window.isAcknowledged(3))
})

test('a window is closed by MaxCmdSN right before ExpCmdSN', () => {
  const window = new CommandWindow(10)
  window.update(10, 9)
  window.take()
  assert.ok(!window.isOpen)
})

test('numbers of a PDU that was overtaken, and a window that is none, change nothing', () => {
  const window = new CommandWindow(1)
  window.update(1, 9)
  for (let i = 0; i < 5; i++) window.take()
  window.update(5, 12)
  window.update(2, 9)
  assert.equal(window.expCmdSn, 5)
  assert.equal(window.room, 7)
  window.update(100, 50)
  assert.equal(window.expCmdSn, 5)
  window.update(200, 250)
  assert.equal(window.expCmdSn, 5, 'what was never sent cannot have come')
})

test('numbers go on with 0 behind 2^32-1 (RFC 1982)', () => {
  const window = new CommandWindow(0xffff_fffe)
  window.update(0xffff_fffe, 1)
  assert.deepEqual([window.take(), window.take(), window.take()], [0xffff_fffe, 0xffff_ffff, 0])
  assert.equal(window.room, 1)
  window.update(1, 5)
  assert.ok(window.isAcknowledged(0xffff_ffff))
  assert.ok(!window.isAcknowledged(1))
})
