/** The life of a session (MS-SMB2 3.3.1.8 Session.State) as a table: state x event -> next state. */

export const sessionStates = ['in-progress', 'valid', 'reauthenticating', 'expired', 'closed'] as const
export type SessionState = (typeof sessionStates)[number]

export const sessionEvents = ['begin-authentication', 'authenticated', 'authentication-failed', 'ticket-expired', 'close'] as const
export type SessionEvent = (typeof sessionEvents)[number]

/**
 * What is not in the table can't happen. A failed re-authentication ends the session (3.3.5.5.3); a failed binding is no event of the
 * session, only of its channel.
 */
export const sessionTransitions: Readonly<Record<SessionState, Partial<Record<SessionEvent, SessionState>>>> = Object.freeze({
  'in-progress': { 'begin-authentication': 'in-progress', authenticated: 'valid', 'authentication-failed': 'closed', close: 'closed' },
  // Several channels may re-authenticate at the same time: the first that is done makes it valid, the others find it so.
  valid: {
    'begin-authentication': 'reauthenticating',
    authenticated: 'valid',
    'authentication-failed': 'closed',
    'ticket-expired': 'expired',
    close: 'closed',
  },
  reauthenticating: {
    'begin-authentication': 'reauthenticating',
    authenticated: 'valid',
    'authentication-failed': 'closed',
    'ticket-expired': 'expired',
    close: 'closed',
  },
  expired: {
    'begin-authentication': 'reauthenticating',
    authenticated: 'valid',
    'authentication-failed': 'closed',
    'ticket-expired': 'expired',
    close: 'closed',
  },
  closed: {
    'begin-authentication': 'closed',
    authenticated: 'closed',
    'authentication-failed': 'closed',
    'ticket-expired': 'closed',
    close: 'closed',
  },
})

/** The state after an event. */
export function nextSessionState(state: SessionState, event: SessionEvent): SessionState {
  const next = sessionTransitions[state][event]
  if (next === undefined) throw new Error(`session: ${event} in state ${state}`)
  return next
}
