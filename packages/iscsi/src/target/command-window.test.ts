import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CommandWindow } from './command-window.ts'

test('commands are delivered in the order of CmdSN, whatever the order of arrival (RFC 7143 4.2.2.1)', () => {
  const window = new CommandWindow(10, 8)
  const delivered: number[] = []
  for (const number of [12, 11, 14, 10, 13]) assert.equal(window.takeNext(number) || window.arrive(number, () => delivered.push(number)), true)
  assert.deepEqual(delivered, [10, 11, 12, 13, 14])
  assert.equal(window.expected, 15)
})

test('a command outside of the window, or that has come before, is not taken', () => {
  const window = new CommandWindow(10, 4)
  const never = (): void => assert.fail('delivered')
  assert.equal(window.takeNext(9), false)
  assert.equal(window.arrive(9, never), false)
  assert.equal(window.arrive(14, never), false)
  assert.equal(window.takeNext(10), true)
  assert.equal(window.arrive(10, never), false)
  assert.equal(
    window.arrive(12, () => undefined),
    true,
  )
  assert.equal(window.arrive(12, never), false)
})

test('MaxCmdSN makes room as tasks end, and never moves back', () => {
  const window = new CommandWindow(0xffff_fffe, 4)
  assert.equal(window.maximum, 1)
  for (const number of [0xffff_fffe, 0xffff_ffff, 0]) {
    assert.equal(window.takeNext(number), true)
    window.begin()
  }
  assert.deepEqual([window.expected, window.maximum], [1, 1])
  window.end()
  assert.equal(window.maximum, 2)
  window.begin()
  assert.equal(window.maximum, 2)
})

test('a command that is given up lets those behind it go on', () => {
  const window = new CommandWindow(5, 8)
  const delivered: number[] = []
  window.arrive(6, () => delivered.push(6))
  assert.equal(window.giveUp(5), true)
  assert.deepEqual([delivered, window.expected], [[6], 7])
})

test('what came over a connection that has failed, and waited, is forgotten and may come again', () => {
  const [failed, other] = [{}, {}]
  const window = new CommandWindow(5, 8)
  const delivered: string[] = []
  const dropped: number[] = []
  const arrive = (number: number, from: object): boolean =>
    window.arrive(number, () => delivered.push(`${number} ${from === failed ? 'failed' : 'other'}`), { from, drop: () => dropped.push(number) })
  arrive(6, failed)
  arrive(7, other)
  window.forget(failed)
  assert.deepEqual(dropped, [6])
  arrive(5, other)
  assert.deepEqual(delivered, ['5 other'])
  assert.equal(window.expected, 6)
  assert.equal(arrive(6, other), true)
  assert.deepEqual(delivered, ['5 other', '6 other', '7 other'])
})
