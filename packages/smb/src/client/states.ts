/** The states of a connection, as a table: state x event -> next state. What is not in it does not happen. */

/** What may happen to a connection. */
export type ConnectionEvent = 'connect' | 'connected' | 'negotiated' | 'fail' | 'close'

/** What a connection can be. */
export type ConnectionState = keyof typeof connectionStates

interface StateRow {
  /** What may be sent. */
  readonly sends: 'nothing' | 'negotiate' | 'everything'
  readonly on: Readonly<Partial<Record<ConnectionEvent, string>>>
}

/**
 * `lost`: the other side or the network ended it, `closed`: we did. Requests that are under way at either are rejected with
 * CONNECTION_LOST or CLOSED.
 */
export const connectionStates = Object.freeze({
  idle: { sends: 'nothing', on: { connect: 'connecting', close: 'closed' } },
  connecting: { sends: 'nothing', on: { connected: 'negotiating', fail: 'lost', close: 'closed' } },
  negotiating: { sends: 'negotiate', on: { negotiated: 'ready', fail: 'lost', close: 'closed' } },
  ready: { sends: 'everything', on: { fail: 'lost', close: 'closed' } },
  lost: { sends: 'nothing', on: { fail: 'lost', close: 'closed' } },
  closed: { sends: 'nothing', on: { fail: 'closed', close: 'closed' } },
} as const satisfies Record<string, StateRow>)

/** The next state. An event that the table does not have is our own mistake: throws Error. */
export function nextState(state: ConnectionState, event: ConnectionEvent): ConnectionState {
  const on: Readonly<Partial<Record<ConnectionEvent, ConnectionState>>> = connectionStates[state].on
  const next = on[event]
  if (next === undefined) throw new Error(`a connection that is ${state} cannot ${event}`)
  return next
}
