import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connectionStates, linkStates, nextLinkState, nextOpenState, nextState, openStates } from './states.ts'

type Table = Readonly<Record<string, { readonly on: Readonly<Record<string, string>> }>>

/** Walks every state with every event; what the function says is what the table has. */
function rowsOf(table: Table, step: (state: never, event: never) => string): string[] {
  const events = [...new Set(Object.values(table).flatMap(({ on }) => Object.keys(on)))]
  return Object.entries(table).map(([state, { on, ...facts }]) => {
    const steps = events.flatMap(event => {
      if (on[event] !== undefined) return [`${event} ${step(state as never, event as never)}`]
      assert.throws(() => step(state as never, event as never), /cannot/)
      return []
    })
    return `${state} ${Object.values(facts).join()}: ${steps.join(', ')}`
  })
}

function reachable(table: Table, from: string): string[] {
  const seen = new Set([from])
  for (const state of seen) for (const to of Object.values(table[state]?.on ?? {})) seen.add(to)
  return [...seen].sort()
}

test("a connection's states and events, whole", () => {
  assert.deepEqual(rowsOf(connectionStates, nextState), [
    'idle nothing: connect connecting, close closed',
    'connecting nothing: close closed, connected negotiating, fail lost',
    'negotiating negotiate: close closed, fail lost, negotiated ready',
    'ready everything: close closed, fail lost, silence suspect',
    'suspect everything: close closed, fail lost, sound ready',
    'lost nothing: close closed, fail lost',
    'closed nothing: close closed, fail closed',
  ])
  assert.deepEqual(reachable(connectionStates, 'idle'), Object.keys(connectionStates).sort())
})

test("a link's states and events, whole", () => {
  assert.deepEqual(rowsOf(linkStates, nextLinkState), [
    'connected false: silence suspect, lose reconnecting, give-up given-up, close closed',
    'suspect false: lose reconnecting, give-up given-up, close closed, sound connected',
    'reconnecting true: give-up given-up, close closed, log-in restoring',
    'restoring true: lose reconnecting, give-up given-up, close closed, restore replaying',
    'replaying true: lose reconnecting, give-up given-up, close closed, replay connected',
    'given-up false: close closed',
    'closed false: close closed',
  ])
  assert.deepEqual(reachable(linkStates, 'connected'), Object.keys(linkStates).sort())
})

test("an open's states and events, whole", () => {
  assert.deepEqual(rowsOf(openStates, nextOpenState), [
    'open true: interrupt interrupted, lose lost, close closed',
    'interrupted true: interrupt interrupted, lose lost, close closed, reclaim reclaiming',
    'reclaiming true: interrupt interrupted, lose lost, close closed, reclaimed open',
    'lost false: interrupt lost, lose lost, close closed',
    'closed true: interrupt closed, lose closed, close closed',
  ])
  assert.deepEqual(reachable(openStates, 'open'), Object.keys(openStates).sort())
})
