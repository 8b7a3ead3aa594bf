import assert from 'node:assert/strict'
import { test } from 'node:test'
import { array, assert as check, boolean, constantFrom, integer, oneof, property, record } from 'fast-check'
import { TcpFlag } from '../transform/packet.ts'
import { agent, handOff, machine, pass, peer, setUp, start, words } from './test-support/agent-scene.ts'
import { request } from './test-support/fake-directors.ts'

const connection = integer({ min: 1, max: 3 })
const generation = integer({ min: 1, max: 3 })

/** What can happen, in any order. */
const step = oneof(
  record({ does: constantFrom('handOff'), connection, generation, clientPort: integer({ min: 2000, max: 2001 }), otherVip: boolean() }),
  record({ does: constantFrom('release'), connection, generation, flags: integer({ min: 0, max: 3 }), clientAck: constantFrom(20_000, 30_000) }),
  record({ does: constantFrom('continue'), connection, generation, flags: constantFrom(TcpFlag.ack, TcpFlag.ack | TcpFlag.fin) }),
  record({ does: constantFrom('seen'), entry: integer({ min: 0, max: 7 }), flags: constantFrom(TcpFlag.ack, TcpFlag.fin, TcpFlag.rst) }),
  record({ does: constantFrom('behave'), behaviour: constantFrom('synAck', 'reset', 'challenge', 'silence', 'late') }),
  record({ does: constantFrom('open'), outcome: constantFrom('opened', 'inTheWay', 'late', 'never') }),
  record({ does: constantFrom('wait'), ms: constantFrom(1, 250, 1500) }),
  record({ does: constantFrom('start') }),
)
type Step = typeof step extends { generate(...given: never[]): { value: infer S } } ? S : never

const vips = [Buffer.from('00000000000000000000ffffc6336401', 'hex'), Buffer.from('00000000000000000000ffffc6336402', 'hex')]

function follow(one: Step): void {
  if (one.does === 'handOff') handOff({ ...one, vip: vips[Number(one.otherVip)] })
  else if (one.does === 'release') agent.release(peer, one)
  else if (one.does === 'continue')
    agent.continue(peer, { ...one, sequence: 10_000, acknowledgement: 20_000, tsVal: 1, tsEcr: 1, window: 1 }, request, 0, request.length)
  else if (one.does === 'seen') {
    const key = [...machine.flows.entries.keys()][one.entry]
    if (key !== undefined) machine.pass(Buffer.from(key, 'hex'), { flags: one.flags })
  } else if (one.does === 'behave') machine.behaviours = [one.behaviour]
  else if (one.does === 'open') {
    if (one.outcome === 'never') machine.open = undefined
    else machine.canOpen(one.outcome)
  } else if (one.does === 'wait') pass(one.ms)
  else start()
}

test('whatever happens in whatever order: each connection has two entries, nobody else has any, and all of them end', () => {
  check(
    property(array(step, { maxLength: 30 }), steps => {
      setUp()
      for (const one of steps) follow(one)
      // What was looked for a second time has been found, or not.
      pass(250)
      assert.equal(machine.flows.entries.size, 2 * agent.connections())
      for (const key of machine.flows.entries.keys()) machine.pass(Buffer.from(key, 'hex'), { flags: TcpFlag.rst })
      words.take()
      const { size } = machine.flows.entries
      pass(5000)
      assert.deepEqual([machine.flows.entries.size, agent.connections()], [0, 0])
      assert.equal(words.take().filter(word => word.startsWith('closed')).length, size / 2)
    }),
    { numRuns: 500 },
  )
})
