/**
 * The director's side of a session, without any I/O:
 *
 *     greeting ─WELCOME with the greeting's nonce→ established ─STRANGER of this session, or silence→ greeting …
 *
 * What does not belong to the session is no event at all: a nonce or a session number of before, a sequence number that has come, a type that agents don't say.
 */
import { bodies, headerBytes, readNumber, sequenceAt, sessionAt, typeAt } from './codec.ts'
import { MessageType } from './messages.ts'
import { ReplayWindow } from './window.ts'

/** `greeting`: HELLO is sent until WELCOME comes. `established`: messages go both ways. */
export type LinkState = 'greeting' | 'established' | 'closed'
/** `tick`: time for a sign of life. The others are messages that belong here, with a right MAC. */
export type LinkEvent =
  | 'tick'
  | 'welcome'
  | 'stranger'
  | 'message'
  /** The agent does not answer any more. It may have a session for us at another address (of a NAT, say), and then never will. */
  | 'silence'
  | 'close'
/** `greet`: HELLO. `beat`: HEARTBEAT. `begin`: the session is the WELCOME's. `forget`: there is none; a new nonce, HELLO. `deliver`: to whom it concerns. */
export type LinkAction = 'nothing' | 'greet' | 'beat' | 'begin' | 'forget' | 'deliver'

/** In each state: what is done when something happens, and the state then. */
export const linkTable: Readonly<Record<LinkState, Readonly<Record<LinkEvent, readonly [LinkAction, LinkState]>>>> = {
  greeting: {
    tick: ['greet', 'greeting'],
    welcome: ['begin', 'established'],
    stranger: ['nothing', 'greeting'],
    message: ['nothing', 'greeting'],
    silence: ['nothing', 'greeting'],
    close: ['nothing', 'closed'],
  },
  established: {
    tick: ['beat', 'established'],
    // The agent has answered a HELLO that was sent twice: it is the same session.
    welcome: ['nothing', 'established'],
    stranger: ['forget', 'greeting'],
    message: ['deliver', 'established'],
    silence: ['forget', 'greeting'],
    close: ['nothing', 'closed'],
  },
  closed: {
    tick: ['nothing', 'closed'],
    welcome: ['nothing', 'closed'],
    stranger: ['nothing', 'closed'],
    message: ['nothing', 'closed'],
    silence: ['nothing', 'closed'],
    close: ['nothing', 'closed'],
  },
}

/** The nonce is what WELCOME begins with. */
const nonceAt = headerBytes

/** The session with one agent. */
export class DirectorSession {
  readonly #random: () => number
  #state: LinkState = 'greeting'
  #nonce: number
  #session = 0
  #sequence = 0
  #window = new ReplayWindow()

  /** `random` gives numbers that nobody can guess (`randomNumber`). */
  constructor(random: () => number) {
    this.#random = random
    this.#nonce = random()
  }

  get state(): LinkState {
    return this.#state
  }
  /** Of the HELLO. */
  get nonce(): number {
    return this.#nonce
  }
  /** Of the session; 0 while there is none. */
  get number(): number {
    return this.#session
  }

  /** The number of the next message. */
  nextSequence(): number {
    return ++this.#sequence
  }

  /** Which event a datagram without a problem would be, if its MAC is right; undefined: none. Changes nothing. */
  eventOf(b: Buffer, from: number): LinkEvent | undefined {
    const type = b[from + typeAt] as MessageType
    if (bodies[type].from !== 'agent') return undefined
    if (type === MessageType.welcome) return this.#state === 'greeting' && readNumber(b, from + nonceAt) === this.#nonce ? 'welcome' : undefined
    if (this.#state !== 'established' || readNumber(b, from + sessionAt) !== this.#session) return undefined
    if (type === MessageType.stranger) return 'stranger'
    return this.#window.mayCome(readNumber(b, from + sequenceAt)) ? 'message' : undefined
  }

  /** Goes on by the table; returns what is to be done. `session` is that of a WELCOME's header, `sequence` that of a message. */
  apply(event: LinkEvent, session = 0, sequence = 0): LinkAction {
    const [action, state] = linkTable[this.#state][event]
    this.#state = state
    if (action === 'deliver') this.#window.note(sequence)
    else if (action === 'begin') this.#begin(session)
    else if (action === 'forget') {
      this.#begin(0)
      this.#nonce = this.#random()
    }
    return action
  }

  #begin(session: number): void {
    this.#session = session
    this.#sequence = 0
    this.#window = new ReplayWindow()
  }
}
