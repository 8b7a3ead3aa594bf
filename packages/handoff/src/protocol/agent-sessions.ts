/**
 * The server agent's side of sessions, without any I/O. A HELLO is answered with an offer; an offer becomes the director's session with its first message, and only then
 * ends the one before: a HELLO that comes again ends nothing, and is offered the same session again.
 *
 *     HELLO → offered ─first message→ live ─the first message of the director's next one, or no room→ over
 */
import { Endpoint as SocketAddress } from '@holdfast/posix/network'
import { endpointOf } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'
import type { NameLists } from './name-lists.ts'
import { ReplayWindow } from './window.ts'

/**
 * How a message stands to its session. `unknown`: there is no such session. `foreign`: there is, but the message comes from elsewhere. `seen`: its sequence number has come
 * before, or is too old.
 */
export type Relation = 'unknown' | 'foreign' | 'seen' | 'offered' | 'live'
/** `begin`: the session counts from now on, then as `deliver`. `stranger`: STRANGER. */
export type SessionAction = 'nothing' | 'begin' | 'deliver' | 'stranger'

/** What is done with a message whose MAC is right. A HELLO is always answered with an offer. */
export const sessionTable: Readonly<Record<Relation, SessionAction>> = {
  unknown: 'stranger',
  foreign: 'nothing',
  seen: 'nothing',
  offered: 'begin',
  live: 'deliver',
}

/** A director, as the agent knows it. The object stays the same for as long as it is known, whatever sessions it has. */
export interface DirectorPeer {
  /** The director's random number: connections are its own (`director`, `connection`). */
  readonly director: number
  /** Where its messages come from, and answers go to; the source of what its program encapsulates as well. */
  readonly endpoint: Endpoint
  /** When it was heard of last, in the loop's time. */
  readonly heardMs: number
  /** For whoever has the links: what belongs to this director. */
  tag: number
}

class Peer implements DirectorPeer {
  readonly director: number
  readonly endpoint: Endpoint
  heardMs = 0
  tag = 0
  /** Undefined before the first is live, and when the peer is forgotten. */
  session: AgentSession | undefined

  constructor(director: number, endpoint: Endpoint) {
    this.director = director
    this.endpoint = endpoint
  }
}

/** A session that a director has, or has been offered. */
export class AgentSession {
  readonly number: number
  readonly director: number
  /** Its messages come from here and from nowhere else. */
  readonly source: Endpoint
  readonly window = new ReplayWindow()
  /** The source, as the kernel has it. */
  readonly to: SocketAddress
  /** The peer whose session this is, once it is live. */
  peer: DirectorPeer | undefined
  /** What its director is told in lists, once there is something. */
  lists: NameLists | undefined
  #sequence = 0

  constructor(number: number, director: number, source: Endpoint) {
    this.number = number
    this.director = director
    this.source = source
    this.to = SocketAddress.ofMapped(source.address, source.port)
  }

  get isLive(): boolean {
    return this.peer !== undefined
  }

  /** The number of the agent's next message. */
  nextSequence(): number {
    return ++this.#sequence
  }

  /** Whether a message comes from where the HELLO did. */
  isFrom(address: Buffer, port: number): boolean {
    if (this.source.port !== port) return false
    const own = this.source.address
    for (let i = 0; i < own.length; i++) if (own[i] !== address[i]) return false
    return true
  }
}

/** What the sessions tell. */
export interface SessionsOptions {
  /** How many directors may be known. */
  readonly directorsMax: number
  /** A director's first session is live; it has been forgotten. */
  readonly onKnown: (peer: DirectorPeer) => void
  readonly onForgotten: (peer: DirectorPeer) => void
  readonly random: () => number
}

/** A director that is heard of is not pushed out by others: it sends a sign of life four times a second. */
export const pushOutMs = 10_000

/** All sessions of a server agent. */
export class AgentSessions {
  readonly #options: SessionsOptions
  /** Offered and live ones by number; in the order in which they were offered. */
  readonly #byNumber = new Map<number, AgentSession>()
  readonly #peers = new Map<number, Peer>()
  #offers = 0
  #last: AgentSession | undefined

  constructor(options: SessionsOptions) {
    this.#options = options
  }

  /** Directors that are known. */
  get peers(): Iterable<DirectorPeer> {
    return this.#peers.values()
  }

  /** The session of a number, offered or live. */
  find(number: number): AgentSession | undefined {
    if (this.#last?.number === number) return this.#last
    const found = this.#byNumber.get(number)
    if (found !== undefined) this.#last = found
    return found
  }

  /** How a message (not a HELLO) stands to its session. */
  relationOf(session: AgentSession | undefined, address: Buffer, port: number, sequence: number): Relation {
    if (session === undefined) return 'unknown'
    if (!session.isFrom(address, port)) return 'foreign'
    if (!session.window.mayCome(sequence)) return 'seen'
    return session.isLive ? 'live' : 'offered'
  }

  /** The live session of a peer; undefined when it has been forgotten. */
  sessionOf(peer: DirectorPeer): AgentSession | undefined {
    return (peer as Peer).session
  }

  /** The session that a director has been offered, and that it has not taken yet. */
  offerOf(director: number, address: Buffer, port: number): AgentSession | undefined {
    for (const session of this.#byNumber.values())
      if (!session.isLive && session.director === director && session.isFrom(address, port)) return session
    return undefined
  }

  /** The session to be offered in answer to a HELLO: the same until it is taken. */
  offer(director: number, address: Buffer, port: number): AgentSession {
    const offered = this.offerOf(director, address, port)
    if (offered !== undefined) return offered
    if (this.#offers >= this.#options.directorsMax) this.#withdrawOldest()
    const session = new AgentSession(this.#options.random(), director, endpointOf(address, port))
    this.#byNumber.set(session.number, session)
    this.#offers++
    return session
  }

  /**
   * A message of this session that is right and new: an offered one is live from now on. False when there is no room for another director: all of them have been
   * heard of lately.
   */
  received(session: AgentSession, sequence: number, nowMs: number): boolean {
    if (session.peer === undefined && !this.#begin(session, nowMs)) return false
    session.window.note(sequence)
    ;(session.peer as Peer).heardMs = nowMs
    return true
  }

  #begin(session: AgentSession, nowMs: number): boolean {
    const known = this.#peers.get(session.director)
    if (known !== undefined && known.endpoint.text === session.source.text) {
      this.#start(known, session)
      return true
    }
    // What was known under this number or at this address is not this director any more.
    for (const other of this.#peers.values()) if (other === known || other.endpoint.text === session.source.text) this.#forget(other)
    if (!this.#makeRoom(nowMs)) return false
    const peer = new Peer(session.director, session.source)
    this.#peers.set(peer.director, peer)
    this.#start(peer, session)
    this.#options.onKnown(peer)
    return true
  }

  #start(peer: Peer, session: AgentSession): void {
    if (peer.session !== undefined) this.#drop(peer.session)
    peer.session = session
    session.peer = peer
    this.#offers--
  }

  /** Room for one more director, if need be that of one that has not been heard of for long. */
  #makeRoom(nowMs: number): boolean {
    if (this.#peers.size < this.#options.directorsMax) return true
    const [quietest] = [...this.#peers.values()].sort((a, b) => a.heardMs - b.heardMs)
    if (quietest === undefined || nowMs - quietest.heardMs < pushOutMs) return false
    this.#forget(quietest)
    return true
  }

  #withdrawOldest(): void {
    for (const session of this.#byNumber.values()) {
      if (session.isLive) continue
      this.#offers--
      this.#drop(session)
      return
    }
  }

  #forget(peer: Peer): void {
    if (peer.session !== undefined) this.#drop(peer.session)
    peer.session = undefined
    this.#peers.delete(peer.director)
    this.#options.onForgotten(peer)
  }

  #drop(session: AgentSession): void {
    this.#byNumber.delete(session.number)
    if (this.#last === session) this.#last = undefined
  }
}
