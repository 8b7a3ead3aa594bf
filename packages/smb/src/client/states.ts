/**
 * The states of what can be interrupted, as tables: state x event -> next state. What is not in a table does not happen.
 *
 * A connection is one TCP connection. A link is what a client has with its server, over many connections. An open is a file that is open.
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
 * `lost`: the other side or the network ended it, `closed`: we did. `suspect`: the server owes an answer and is silent; an ECHO asks it.
 * What is under way at either end is handed to the link, or rejected with CONNECTION_LOST or CLOSED.
 */
export const connectionStates = Object.freeze({
  idle: { sends: 'nothing', on: { connect: 'connecting', close: 'closed' } },
  connecting: { sends: 'nothing', on: { connected: 'negotiating', fail: 'lost', close: 'closed' } },
  negotiating: { sends: 'negotiate', on: { negotiated: 'ready', fail: 'lost', close: 'closed' } },
  ready: { sends: 'everything', on: { silence: 'suspect', fail: 'lost', close: 'closed' } },
  suspect: { sends: 'everything', on: { sound: 'ready', fail: 'lost', close: 'closed' } },
  lost: { sends: 'nothing', on: { fail: 'lost', close: 'closed' } },
  closed: { sends: 'nothing', on: { fail: 'closed', close: 'closed' } },
} as const)
/** What a connection can be. */
export type ConnectionState = keyof typeof connectionStates
/** What may happen to a connection. */
export type ConnectionEvent = EventOf<typeof connectionStates>
/** The next state of a connection. */
export const nextState = (state: ConnectionState, event: ConnectionEvent): ConnectionState => next(connectionStates, state, event)

/**
 * `holds`: calls wait until it is over. A loss at any point of the way back begins it anew; what must not be tried again (a wrong password,
 * somebody in the middle), and the end of patience, is `given-up`.
 */
export const linkStates = Object.freeze({
  connected: { holds: false, on: { silence: 'suspect', lose: 'reconnecting', 'give-up': 'given-up', close: 'closed' } },
  suspect: { holds: false, on: { sound: 'connected', lose: 'reconnecting', 'give-up': 'given-up', close: 'closed' } },
  reconnecting: { holds: true, on: { 'log-in': 'restoring', 'give-up': 'given-up', close: 'closed' } },
  restoring: { holds: true, on: { restore: 'replaying', lose: 'reconnecting', 'give-up': 'given-up', close: 'closed' } },
  replaying: { holds: true, on: { replay: 'connected', lose: 'reconnecting', 'give-up': 'given-up', close: 'closed' } },
  'given-up': { holds: false, on: { close: 'closed' } },
  closed: { holds: false, on: { close: 'closed' } },
} as const)
/** What a client's link to its server can be. */
export type LinkState = keyof typeof linkStates
/** What may happen to a link. */
export type LinkEvent = EventOf<typeof linkStates>
/** The next state of a link. */
export const nextLinkState = (state: LinkState, event: LinkEvent): LinkState => next(linkStates, state, event)

/** `usable`: requests about it may be sent, or wait to be sent. `lost`: the server does not have it any more. */
export const openStates = Object.freeze({
  open: { usable: true, on: { interrupt: 'interrupted', lose: 'lost', close: 'closed' } },
  interrupted: { usable: true, on: { interrupt: 'interrupted', reclaim: 'reclaiming', lose: 'lost', close: 'closed' } },
  reclaiming: { usable: true, on: { interrupt: 'interrupted', reclaimed: 'open', lose: 'lost', close: 'closed' } },
  lost: { usable: false, on: { interrupt: 'lost', lose: 'lost', close: 'closed' } },
  closed: { usable: true, on: { interrupt: 'closed', lose: 'closed', close: 'closed' } },
} as const)
/** What an open can be. */
export type OpenState = keyof typeof openStates
/** What may happen to an open. */
export type OpenEvent = EventOf<typeof openStates>
/** The next state of an open. */
export const nextOpenState = (state: OpenState, event: OpenEvent): OpenState => next(openStates, state, event)
