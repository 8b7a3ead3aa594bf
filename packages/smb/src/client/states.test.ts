import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connectionStates, nextState } from './states.ts'
import type { ConnectionEvent, ConnectionState } from './states.ts'

const events: readonly ConnectionEvent[] = ['connect', 'connected', 'negotiated', 'fail', 'close']
const after = (state: ConnectionState, event: ConnectionEvent): string => {
  try {
    return nextState(state, event)
  } catch {
    return '-'
  }
}

test("a connection's states and events, whole", () => {
  const rows = (Object.keys(connectionStates) as ConnectionState[]).map(
    state => `${state}: sends ${connectionStates[state].sends}; ${events.map(event => `${event} ${after(state, event)}`).join(', ')}`,
  )
  assert.deepEqual(rows, [
    'idle: sends nothing; connect connecting, connected -, negotiated -, fail -, close closed',
    'connecting: sends nothing; connect -, connected negotiating, negotiated -, fail lost, close closed',
    'negotiating: sends negotiate; connect -, connected -, negotiated ready, fail lost, close closed',
    'ready: sends everything; connect -, connected -, negotiated -, fail lost, close closed',
    'lost: sends nothing; connect -, connected -, negotiated -, fail lost, close closed',
    'closed: sends nothing; connect -, connected -, negotiated -, fail closed, close closed',
  ])
})
