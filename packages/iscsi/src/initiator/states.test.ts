import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connectionStates, nextConnectionState, nextSessionState, nextTaskState, sessionStates, taskStates } from './states.ts'

type Table = Readonly<Record<string, { readonly on: Readonly<Record<string, string>> }>>

/** Each state with its facts and what leads on from it; what is not in the table must throw. */
function rowsOf(table: Table, step: (state: never, event: never) => unknown): string[] {
  const events = [...new Set(Object.values(table).flatMap(({ on }) => Object.keys(on)))]
  return Object.entries(table).map(([state, { on, ...facts }]) => {
    const steps = events.flatMap(event => {
      if (on[event] !== undefined) return [`${event} ${String(step(state as never, event as never))}`]
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

test("a connection's states and events, whole (RFC 7143 8.1.3)", () => {
  assert.deepEqual(rowsOf(connectionStates, nextConnectionState), [
    'free false: connect xpt-wait',
    'xpt-wait false: connected in-login, fail free',
    'in-login false: fail free, logged-in logged-in',
    'logged-in true: fail cleanup-wait, be-asked-to-leave logout-requested, log-out in-logout',
    'logout-requested false: fail cleanup-wait, log-out in-logout',
    'in-logout false: fail cleanup-wait, logged-out free',
    'cleanup-wait false: clean free',
  ])
  assert.deepEqual(reachable(connectionStates, 'free'), Object.keys(connectionStates).sort())
})

test("a session's states and events, whole (RFC 7143 8.3.2)", () => {
  assert.deepEqual(rowsOf(sessionStates, nextSessionState), [
    'free false: login logged-in, close closed',
    'logged-in true: close closed, lose-connection reassigning, fail failed',
    'reassigning true: close closed, fail failed, reassigned logged-in',
    'failed false: login logged-in, close closed, give-up given-up',
    'given-up false: close closed',
    'closed false: close closed',
  ])
  assert.deepEqual(reachable(sessionStates, 'free'), Object.keys(sessionStates).sort())
})

test("a task's states and events, whole", () => {
  assert.deepEqual(rowsOf(taskStates, nextTaskState), [
    'queued false: send sent, drop done',
    'sent true: drop done, answer done, abort aborting, lose-connection waiting, lose-session queued',
    'waiting true: drop done, abort aborting, lose-session queued, resend sent, reassign sent',
    'aborting true: drop done, answer done',
    'done false: ',
  ])
  assert.deepEqual(reachable(taskStates, 'queued'), Object.keys(taskStates).sort())
})
