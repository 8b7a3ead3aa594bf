/**
 * The life of a second connection, as a table: in each state, what is done when something happens, and what the state is then.
 *
 *     gone → HANDSHAKE → ESTABLISHED → (FINISHING →) CLOSING → gone
 */

/**
 * `gone`: nothing is known of it. `handshake`: the SYN has been sent, and its SYN-ACK was not there at once. `established`: packets are transformed.
 * `finishing`: the server has the client's FIN by a RELEASE, and ends the connection after what it still has to say. `closing`: RST, or both FINs, have passed;
 * what is repeated is transformed for a moment longer.
 */
export type LifeCycleState = 'gone' | 'handshake' | 'established' | 'finishing' | 'closing'

/** What happens to a connection. */
export type LifeCycleEvent =
  /** HANDOFF of this connection and generation. */
  | 'handOff'
  /** HANDOFF of a newer generation, or of another connection with the same addresses and ports of the client: this one gives way. */
  | 'newer'
  /** The server's SYN-ACK was there and had what the client was promised; entries and request are where they belong. */
  | 'answered'
  /** The server does not answer, or with a RST, or without what was promised; or there is no room. */
  | 'failed'
  /** A packet of the client: CONTINUE, or wrapped. */
  | 'packet'
  /** RELEASE: the client has acknowledged all that the server has sent. */
  | 'release'
  /** RELEASE: it has not. */
  | 'releaseEarly'
  /** RELEASE: the client has all that the server has sent, and nothing has come for a while, but whether that is all can't be told. */
  | 'releaseUnclear'
  /** RELEASE with `finish`. */
  | 'releaseFinish'
  /** RELEASE with `reset`. */
  | 'releaseReset'
  /** The entries have seen RST, or FIN of both sides. */
  | 'ended'
  /** They have, and nothing has come for a second since. */
  | 'quiet'
  /** Nothing has come for the idle time. */
  | 'idle'
  /** The server has begun a connection of its own with the second connection's addresses and ports: the program has found out. */
  | 'taken'

/** What is done. */
export type LifeCycleAction =
  | 'nothing'
  /** Entry of the server's packets, SYN. */
  | 'begin'
  /** ACCEPT. */
  | 'accept'
  /** REFUSE. */
  | 'refuse'
  /** The packet goes to the server. */
  | 'inject'
  /** It is kept for a moment. */
  | 'keep'
  /** BUSY. */
  | 'busy'
  /** FIN to the server; RELEASED. */
  | 'finish'
  /** FIN to the server; BUSY: it ends the connection, and the client repeats what was not answered (RFC 9112 9.3.2). */
  | 'finishBusy'
  /** RELEASED. */
  | 'released'
  /** RST to the server, entries away. */
  | 'reset'
  /** RST to the server, entries away; RELEASED. */
  | 'resetAndRelease'
  /** Entries away; RELEASED. */
  | 'forgetAndRelease'
  /** Entries away; CLOSED. */
  | 'forgetAndClose'
  /** The server's TIME-WAIT and the entries away; CLOSED. */
  | 'endAndClose'
  /** RST to the server, entries away; CLOSED. */
  | 'resetAndClose'

/** Action, and the state after it. */
export type LifeCycleStep = readonly [LifeCycleAction, LifeCycleState]

/** The whole table. */
export const lifeCycle: Readonly<Record<LifeCycleState, Readonly<Record<LifeCycleEvent, LifeCycleStep>>>> = {
  gone: {
    handOff: ['begin', 'handshake'],
    newer: ['nothing', 'gone'],
    answered: ['nothing', 'gone'],
    failed: ['nothing', 'gone'],
    packet: ['keep', 'gone'],
    release: ['released', 'gone'],
    releaseEarly: ['released', 'gone'],
    releaseUnclear: ['released', 'gone'],
    releaseFinish: ['released', 'gone'],
    releaseReset: ['released', 'gone'],
    ended: ['nothing', 'gone'],
    quiet: ['nothing', 'gone'],
    idle: ['nothing', 'gone'],
    taken: ['nothing', 'gone'],
  },
  handshake: {
    // The director asks again after 10 ms: it is answered when the server has answered.
    handOff: ['nothing', 'handshake'],
    newer: ['reset', 'gone'],
    answered: ['accept', 'established'],
    failed: ['refuse', 'gone'],
    packet: ['keep', 'handshake'],
    release: ['resetAndRelease', 'gone'],
    releaseEarly: ['resetAndRelease', 'gone'],
    releaseUnclear: ['resetAndRelease', 'gone'],
    releaseFinish: ['resetAndRelease', 'gone'],
    releaseReset: ['resetAndRelease', 'gone'],
    ended: ['nothing', 'handshake'],
    quiet: ['nothing', 'handshake'],
    idle: ['resetAndClose', 'gone'],
    taken: ['nothing', 'handshake'],
  },
  established: {
    handOff: ['accept', 'established'],
    newer: ['reset', 'gone'],
    answered: ['nothing', 'established'],
    failed: ['nothing', 'established'],
    packet: ['inject', 'established'],
    release: ['resetAndRelease', 'gone'],
    releaseEarly: ['busy', 'established'],
    releaseUnclear: ['finishBusy', 'finishing'],
    releaseFinish: ['finish', 'finishing'],
    releaseReset: ['resetAndRelease', 'gone'],
    ended: ['nothing', 'closing'],
    quiet: ['endAndClose', 'gone'],
    idle: ['resetAndClose', 'gone'],
    taken: ['forgetAndClose', 'gone'],
  },
  finishing: {
    handOff: ['accept', 'finishing'],
    newer: ['reset', 'gone'],
    answered: ['nothing', 'finishing'],
    failed: ['nothing', 'finishing'],
    packet: ['inject', 'finishing'],
    // The client has all of it now: there is no need to wait for the server's FIN.
    release: ['resetAndRelease', 'gone'],
    releaseEarly: ['busy', 'finishing'],
    releaseUnclear: ['busy', 'finishing'],
    releaseFinish: ['released', 'finishing'],
    releaseReset: ['resetAndRelease', 'gone'],
    ended: ['nothing', 'closing'],
    quiet: ['endAndClose', 'gone'],
    idle: ['resetAndClose', 'gone'],
    taken: ['forgetAndClose', 'gone'],
  },
  closing: {
    handOff: ['accept', 'closing'],
    newer: ['reset', 'gone'],
    answered: ['nothing', 'closing'],
    failed: ['nothing', 'closing'],
    packet: ['inject', 'closing'],
    // The server has ended it already, the rest of what it said is on its way to the client.
    release: ['forgetAndRelease', 'gone'],
    releaseEarly: ['busy', 'closing'],
    releaseUnclear: ['busy', 'closing'],
    releaseFinish: ['released', 'closing'],
    releaseReset: ['resetAndRelease', 'gone'],
    ended: ['nothing', 'closing'],
    quiet: ['endAndClose', 'gone'],
    idle: ['forgetAndClose', 'gone'],
    taken: ['forgetAndClose', 'gone'],
  },
}

/** States, as the table has them. */
export const lifeCycleStates = Object.keys(lifeCycle) as LifeCycleState[]
