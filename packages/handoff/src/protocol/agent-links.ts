/** The server agent's side: one UDP socket for all directors. */
import {
  AF_INET,
  AF_INET6,
  bind,
  close,
  DatagramBatch,
  Endpoint as SocketAddress,
  IPPROTO_UDP,
  isIpv4Mapped,
  openSocket,
  setOption,
  SO_TIMESTAMPNS,
  SOCK_DGRAM,
  SOL_SOCKET,
  UDP_NO_CHECK6_RX,
} from '@holdfast/posix/network'
import { orThrow } from '@holdfast/posix'
import { MalformedError } from '@holdfast/wire'
import type { Input } from '@holdfast/wire'
import type { Loop } from '../loop/index.ts'
import { AgentSessions, sessionTable } from './agent-sessions.ts'
import type { DirectorPeer } from './agent-sessions.ts'
import { bodies, hasMagic, headerBytes, problemOf, readNumber, sequenceAt, sessionAt, typeAt } from './codec.ts'
import { batchesMax, localOf, receiveBuffer } from './director-link.ts'
import type { Endpoint } from './endpoint.ts'
import type { Mac } from './mac.ts'
import { ConnectionName, Continue, FlowName, Handoff, Heartbeat, Hello, MessageType, Owner, Refuse, Release, Welcome } from './messages.ts'
import type { RefuseReason } from './messages.ts'
import { NameLists } from './name-lists.ts'
import type { ListType } from './name-lists.ts'
import { Outbox } from './outbox.ts'
import { randomNumber } from './random.ts'
import { reused } from './reused.ts'

/** What a server agent does with what directors say. Values and bytes are good until the function returns. */
export interface AgentHandler {
  /** The request is `bytes[from, to)`. It came `waitedMs` ago, which is long when this process has stood still. */
  handoff(peer: DirectorPeer, value: Handoff, bytes: Buffer, from: number, to: number, waitedMs: number): void
  /** The payload is `bytes[from, to)`. */
  continue(peer: DirectorPeer, value: Continue, bytes: Buffer, from: number, to: number): void
  release(peer: DirectorPeer, value: Release): void
  whoHas(peer: DirectorPeer, value: FlowName): void
  /** A packet `bytes[from, to)` in a UDP datagram that the program has passed up: no entry. The source is an address of 16 bytes and a port; anybody may have sent it. */
  wrapped(bytes: Buffer, from: number, to: number, source: Buffer, sourcePort: number): void
  /** A director has a session now (for the first time), or has been forgotten. */
  known(peer: DirectorPeer): void
  forgotten(peer: DirectorPeer): void
  /** How many connections there are, for ALIVE. */
  connections(): number
}

/** What the links of a server agent need. */
export interface AgentLinksOptions {
  readonly loop: Loop
  readonly mac: Mac
  /** `--listen`. */
  readonly listen: Endpoint
  /** `--local`: the server, which WELCOME tells. */
  readonly server: Endpoint
  readonly capacity: number
  readonly handler: AgentHandler
  /** How many directors may have a session at a time. Default 64. */
  readonly directorsMax?: number
}

const directorsMaxDefault = 64
const receiveBufferBytes = 8 << 20
/** A datagram may have 64 KiB; memory that is not touched costs nothing. */
const incoming = { slots: 64, slotBytes: 1 << 16 }

const handedOff = reused(Handoff)
const continued = reused(Continue)
const release = reused(Release)
const flow = reused(FlowName)
const hello = reused(Hello)

/**
 * The links of a server agent. What is said in one turn of the loop goes out at its end; ACCEPT, CLOSED and RELEASED of a turn share a datagram for each director.
 */
export class AgentLinks {
  /** Where the socket is bound. */
  readonly local: Endpoint

  readonly #loop: Loop
  readonly #mac: Mac
  readonly #handler: AgentHandler
  readonly #fd: number
  readonly #batch = new DatagramBatch(incoming)
  readonly #sessions: AgentSessions
  readonly #outbox: Outbox
  readonly #welcome: Input<typeof Welcome> & { nonce: number }
  readonly #refusal = { connection: 0, generation: 0, reason: 0 }
  readonly #name = { connection: 0, generation: 0 }
  readonly #alive = { connections: 0 }
  /** Whose lists are to be sent at the end of the turn. */
  readonly #listed: NameLists[] = []
  readonly #source = Buffer.alloc(16)
  readonly #stranger = { number: 0, nextSequence: () => 0 }
  /** How long ago the datagram came that is being taken. */
  #waitedMs = 0
  #rejected = 0
  #isClosed = false

  /** Binds the socket. Throws PosixError. */
  constructor(options: AgentLinksOptions) {
    const { loop, mac, listen, server, capacity, handler, directorsMax = directorsMaxDefault } = options
    this.#loop = loop
    this.#mac = mac
    this.#handler = handler
    this.#fd = openBound(listen)
    this.local = localOf(this.#fd)
    this.#welcome = { nonce: 0, server: server.address, serverPort: server.port, capacity }
    this.#outbox = new Outbox(loop, this.#fd, mac, () => this.#sendLists())
    this.#sessions = new AgentSessions({
      directorsMax,
      random: randomNumber,
      onKnown: peer => handler.known(peer),
      onForgotten: peer => handler.forgotten(peer),
    })
    loop.watch(this.#fd, () => this.#receiveAll())
  }

  /** Directors that are known. */
  get peers(): Iterable<DirectorPeer> {
    return this.#sessions.peers
  }

  /** Datagrams that came and were none of a session's. */
  get rejected(): number {
    return this.#rejected
  }

  /** The director whose messages come from here, if there is one; for connections found in a map of an agent before this one. */
  peerAt(address: Buffer, port: number): DirectorPeer | undefined {
    for (const peer of this.#sessions.peers) if (peer.endpoint.port === port && peer.endpoint.address.equals(address)) return peer
    return undefined
  }

  /** ACCEPT. What is said to a director that has been forgotten is dropped, here and below. */
  accept(peer: DirectorPeer, connection: number, generation: number): void {
    this.#list(peer, MessageType.accept, connection, generation)
  }

  /** RELEASED. */
  released(peer: DirectorPeer, connection: number, generation: number): void {
    this.#list(peer, MessageType.released, connection, generation)
  }

  /** CLOSED. */
  closed(peer: DirectorPeer, connection: number, generation: number): void {
    this.#list(peer, MessageType.closed, connection, generation)
  }

  /** REFUSE. */
  refuse(peer: DirectorPeer, connection: number, generation: number, reason: RefuseReason): void {
    const refusal = this.#refusal
    refusal.connection = connection
    refusal.generation = generation
    refusal.reason = reason
    this.#send(peer, MessageType.refuse, Refuse, refusal)
  }

  /** BUSY. */
  busy(peer: DirectorPeer, connection: number, generation: number): void {
    this.#name.connection = connection
    this.#name.generation = generation
    this.#send(peer, MessageType.busy, ConnectionName, this.#name)
  }

  /** OWNER. */
  owner(peer: DirectorPeer, value: Input<typeof Owner>): void {
    this.#send(peer, MessageType.owner, Owner, value)
  }

  /** Sends what waits, and closes the socket. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#sendLists()
    this.#outbox.flush()
    this.#loop.unwatch(this.#fd)
    close(this.#fd)
  }

  #send<In>(peer: DirectorPeer, type: MessageType, layout: Parameters<typeof Outbox.prototype.send<In>>[2], value: In): void {
    const session = this.#sessions.sessionOf(peer)
    if (session !== undefined && !this.#isClosed) this.#outbox.send(type, session, layout, value, session.to)
  }

  #list(peer: DirectorPeer, type: ListType, connection: number, generation: number): void {
    const session = this.#sessions.sessionOf(peer)
    if (session === undefined || this.#isClosed) return
    const lists = (session.lists ??= new NameLists(session))
    if (lists.isEmpty) {
      this.#listed.push(lists)
      this.#outbox.arm()
    }
    if (lists.isFull(type)) {
      this.#sendLists()
      return this.#list(peer, type, connection, generation)
    }
    lists.add(type, connection, generation)
  }

  #sendLists(): void {
    const listed = this.#listed
    if (listed.length === 0) return
    for (const lists of listed) lists.send(this.#outbox)
    this.#outbox.flush()
    for (const lists of listed) lists.clear()
    listed.length = 0
  }

  /** All of it: a director that takes a hand-off back shall be heard before deadlines are looked at. */
  #receiveAll(): void {
    for (let batch = 0; batch < batchesMax && !this.#isClosed && this.#receive() === incoming.slots; batch++);
  }

  #receive(): number {
    const batch = this.#batch
    const count = batch.receive(this.#fd)
    const now = Date.now()
    for (let slot = 0; slot < count && !this.#isClosed; slot++) {
      if (batch.truncated(slot)) continue
      this.#waitedMs = now - (batch.arrivedMs(slot) ?? now)
      const source = batch.source(slot)
      source.writeMapped(this.#source)
      this.#take(batch.bytes(slot), batch.length(slot), source.port)
    }
    return count
  }

  /** A datagram from `#source`. */
  #take(bytes: Buffer, length: number, port: number): void {
    if (!hasMagic(bytes, 0, length)) return this.#handler.wrapped(bytes, 0, length, this.#source, port)
    try {
      if (problemOf(bytes, 0, length) !== undefined || !this.#obey(bytes, length, port)) this.#rejected++
    } catch (error) {
      // A number that is none, from a director that has the key: nobody else pays for it.
      if (!(error instanceof MalformedError)) throw error
      this.#rejected++
    }
  }

  /** A datagram without a problem. False, and nothing has changed, when it is nobody's. */
  #obey(bytes: Buffer, length: number, port: number): boolean {
    const type = bytes[typeAt] as MessageType
    if (bodies[type].from !== 'director') return false
    if (type === MessageType.hello) return this.#greet(bytes, length, port)
    const number = readNumber(bytes, sessionAt)
    const sequence = readNumber(bytes, sequenceAt)
    const session = this.#sessions.find(number)
    const action = sessionTable[this.#sessions.relationOf(session, this.#source, port, sequence)]
    if (action === 'nothing' || !this.#mac.verify(bytes, 0, length)) return false
    if (session === undefined || action === 'stranger') {
      this.#stranger.number = number
      this.#outbox.send(MessageType.stranger, this.#stranger, undefined, undefined, SocketAddress.ofMapped(this.#source, port))
      return false
    }
    if (!this.#sessions.received(session, sequence, this.#loop.now())) return false
    this.#deliver(type, session.peer!, bytes, length)
    return true
  }

  #greet(bytes: Buffer, length: number, port: number): boolean {
    if (!this.#mac.verify(bytes, 0, length)) return false
    const { director, nonce } = hello.read(bytes, headerBytes)
    const session = this.#sessions.offer(director, this.#source, port)
    this.#welcome.nonce = nonce
    this.#outbox.send(MessageType.welcome, session, Welcome, this.#welcome, session.to)
    return true
  }

  #deliver(type: MessageType, peer: DirectorPeer, bytes: Buffer, length: number): void {
    const handler = this.#handler
    if (type === MessageType.handoff)
      handler.handoff(peer, handedOff.read(bytes, headerBytes), bytes, headerBytes + Handoff.fixedSize, length, this.#waitedMs)
    else if (type === MessageType.continue)
      handler.continue(peer, continued.read(bytes, headerBytes), bytes, headerBytes + Continue.fixedSize, length)
    else if (type === MessageType.release) handler.release(peer, release.read(bytes, headerBytes))
    else if (type === MessageType.whoHas) handler.whoHas(peer, flow.read(bytes, headerBytes))
    else {
      this.#alive.connections = handler.connections()
      this.#send(peer, MessageType.alive, Heartbeat, this.#alive)
    }
  }
}

function openBound(listen: Endpoint): number {
  const isV4 = isIpv4Mapped(listen.address)
  const fd = orThrow(openSocket(isV4 ? AF_INET : AF_INET6, SOCK_DGRAM), 'socket')
  try {
    receiveBuffer(fd, receiveBufferBytes)
    orThrow(setOption(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1), 'setsockopt SO_TIMESTAMPNS')
    // Directors' programs wrap packets without a checksum (RFC 6935).
    if (!isV4) setOption(fd, IPPROTO_UDP, UDP_NO_CHECK6_RX, 1)
    orThrow(bind(fd, SocketAddress.ofMapped(listen.address, listen.port)), `bind to ${listen.text}`)
    return fd
  } catch (error) {
    close(fd)
    throw error
  }
}
