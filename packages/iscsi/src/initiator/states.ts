/**
 * The states of connections, sessions and tasks, as tables: state x event -> next state. What is not in a table does not happen.
 *
 * The names are those of RFC 7143 8.1.1 (S1 to S8, what an initiator has of them) and 8.3.1 (Q1 to Q4).
 */

interface StateRow {
  readonly on: Readonly<Record<string, string>>
}
type StateTable = Readonly<Record<string, StateRow>>

/** All events of a table. */
type EventOf<Table extends StateTable> = { [State in keyof Table]: keyof Table[State]['on'] }[keyof Table]

/** The next state by a table. An event that the table does not have is our own mistake: throws Error. */
function next<Table extends StateTable>(table: Table, state: keyof Table, event: EventOf<Table>): keyof Table {
  const to = table[state].on[event as string]
  if (to === undefined) throw new Error(`what is ${String(state)} cannot ${String(event)}`)
  return to
}

/**
 * A connection. `carries`: commands may be sent on it. In `cleanup-wait` it has failed, and what was under way on it waits to be reassigned or
 * retried; `free` is the end as well as the beginning.
 */
export const connectionStates = Object.freeze({
  free: { carries: false, on: { connect: 'xpt-wait' } },
  'xpt-wait': { carries: false, on: { connected: 'in-login', fail: 'free' } },
  'in-login': { carries: false, on: { 'logged-in': 'logged-in', fail: 'free' } },
  'logged-in': { carries: true, on: { 'be-asked-to-leave': 'logout-requested', 'log-out': 'in-logout', fail: 'cleanup-wait' } },
  'logout-requested': { carries: false, on: { 'log-out': 'in-logout', fail: 'cleanup-wait' } },
  'in-logout': { carries: false, on: { 'logged-out': 'free', fail: 'cleanup-wait' } },
  'cleanup-wait': { carries: false, on: { clean: 'free' } },
} as const)
/** What a connection can be. */
export type ConnectionState = keyof typeof connectionStates
/** What may happen to a connection. */
export type ConnectionEvent = EventOf<typeof connectionStates>
/** The next state of a connection. */
export const nextConnectionState = (state: ConnectionState, event: ConnectionEvent): ConnectionState => next(connectionStates, state, event)

/**
 * A session. `sends`: commands go out; else they wait. `reassigning`: one of its connections is being made anew, and with it the tasks on it
 * (error recovery level 2). `failed`: all of it is being made anew.
 */
export const sessionStates = Object.freeze({
  free: { sends: false, on: { login: 'logged-in', close: 'closed' } },
  'logged-in': { sends: true, on: { 'lose-connection': 'reassigning', fail: 'failed', close: 'closed' } },
  reassigning: { sends: true, on: { reassigned: 'logged-in', fail: 'failed', close: 'closed' } },
  failed: { sends: false, on: { login: 'logged-in', 'give-up': 'given-up', close: 'closed' } },
  'given-up': { sends: false, on: { close: 'closed' } },
  closed: { sends: false, on: { close: 'closed' } },
} as const)
/** What a session can be. */
export type SessionState = keyof typeof sessionStates
/** What may happen to a session. */
export type SessionEvent = EventOf<typeof sessionStates>
/** The next state of a session. */
export const nextSessionState = (state: SessionState, event: SessionEvent): SessionState => next(sessionStates, state, event)

/**
 * A task. `atTarget`: the target may know of it. A task that is given up by its caller is `aborting` until the target says that it has let go of
 * the buffers.
 */
export const taskStates = Object.freeze({
  queued: { atTarget: false, on: { send: 'sent', drop: 'done' } },
  sent: { atTarget: true, on: { answer: 'done', abort: 'aborting', 'lose-connection': 'waiting', 'lose-session': 'queued', drop: 'done' } },
  waiting: { atTarget: true, on: { resend: 'sent', reassign: 'sent', abort: 'aborting', 'lose-session': 'queued', drop: 'done' } },
  aborting: { atTarget: true, on: { answer: 'done', drop: 'done' } },
  done: { atTarget: false, on: {} },
} as const)
/** What a task can be. */
export type TaskState = keyof typeof taskStates
/** What may happen to a task. */
export type TaskEvent = EventOf<typeof taskStates>
/** The next state of a task. */
export const nextTaskState = (state: TaskState, event: TaskEvent): TaskState => next(taskStates, state, event)
