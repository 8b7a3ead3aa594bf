import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { Connection, Connections, firstNumberOf } from './connection.ts'
import type { Flow } from './flow.ts'

/** Few, and some of the same hash: their address and port differ in bits that are hashed to the same. */
const flows: readonly Flow[] = [1, 2, 0x4000_0001, 0x8000_0001, 0x0a00_0002_9c40, 0x0a00_0003_9c40, '\x20aaaaaaaaaaaaaaaaa', '\x20aaaaaaaaaaaaaaaab']

test('connections are found by flow and by number for as long as they are there', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ flow: fc.constantFrom(...flows), add: fc.boolean() }), { maxLength: 60 }), steps => {
      const connections = new Connections(firstNumberOf(2 ** 53 - 1))
      const known = new Map<Flow, Connection>()
      for (const { flow, add } of steps) {
        const before = known.get(flow)
        if (before !== undefined) connections.remove(before)
        known.delete(flow)
        if (add) {
          const connection = new Connection(flow)
          connections.add(connection)
          connections.number(connection)
          known.set(flow, connection)
        }
        for (const each of flows) assert.equal(connections.byFlow.get(each), known.get(each))
        for (const each of known.values()) assert.equal(connections.named(each.number, 0), each)
        if (before !== undefined) assert.equal(connections.named(before.number, 0), undefined)
        assert.equal(connections.size, known.size)
        assert.deepEqual(new Set(connections.byFlow.values()), new Set(known.values()))
      }
    }),
  )
})

test('who is late does not find another generation, nor another connection of the flow', () => {
  const connections = new Connections(1)
  const [older, newer] = [new Connection(7), new Connection(7)]
  for (const connection of [older, newer]) {
    connections.add(connection)
    connections.number(connection)
  }
  connections.remove(older)
  assert.equal(connections.byFlow.get(7), newer)
  assert.equal(connections.named(newer.number, 1), undefined)
  newer.generation = 1
  assert.equal(connections.named(newer.number, 1), newer)
})

test('numbers of processes do not meet, and stay exact', () => {
  for (const random of [0, 1, 2 ** 32, 2 ** 53 - 1]) {
    const first = firstNumberOf(random)
    assert.ok(Number.isSafeInteger(first + 2 ** 32 - 2) && first > 0)
  }
  assert.notEqual(firstNumberOf(2 ** 40), firstNumberOf(2 ** 41))
})
