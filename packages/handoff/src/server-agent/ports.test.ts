import assert from 'node:assert/strict'
import test from 'node:test'
import { assert as check, double, integer, property } from 'fast-check'
import { Captured } from '../bpf/entries.ts'
import { TcpFlag } from '../transform/packet.ts'
import { mayBeOfAnother, outcomeOf, portOfAttempt } from './ports.ts'

test("the client's own port comes first", () => {
  check(property(integer({ min: 1, max: 65_535 }), port => portOfAttempt(0, port) === port))
})

test('another port is never one of a service, and may be any other', () => {
  check(
    property(double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), random => {
      const port = portOfAttempt(1, 80, () => random)
      return Number.isInteger(port) && port >= 1024 && port <= 65_535
    }),
  )
  assert.equal(
    portOfAttempt(1, 80, () => 0),
    1024,
  )
  assert.equal(
    portOfAttempt(1, 80, () => 1 - 2 ** -53),
    65_535,
  )
})

test('a RST says that nobody listens; another answer that the port is in use', () => {
  assert.equal(outcomeOf(Captured.synAck, TcpFlag.syn | TcpFlag.ack), 'answered')
  assert.equal(outcomeOf(Captured.other, TcpFlag.rst | TcpFlag.ack), 'reset')
  assert.equal(outcomeOf(Captured.other, TcpFlag.ack), 'inUse')
  assert.equal(outcomeOf(Captured.nothing, 0), 'silence')
})

test("what comes at the client's own port may be of an earlier connection, but for a SYN-ACK; another port has no past", () => {
  for (const outcome of ['reset', 'silence', 'inUse'] as const)
    assert.deepEqual([mayBeOfAnother(outcome, 0), mayBeOfAnother(outcome, 1)], [true, false])
  assert.equal(mayBeOfAnother('answered', 0), false)
})
