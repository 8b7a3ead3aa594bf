/** The director's side: a connected UDP socket to one server agent, with its session and its health. */
import {
  AF_INET,
  AF_INET6,
  close,
  connect,
  DatagramBatch,
  Endpoint as SocketAddress,
  EPOLLERR,
  getOption,
  IP_MTU,
  IP_MTU_DISCOVER,
  IP_PMTUDISC_DONT,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPPROTO_UDP,
  IPV6_MTU,
  IPV6_MTU_DISCOVER,
  isIpv4Mapped,
  localEndpoint,
  openSocket,
  setOption,
  SO_ERROR,
  SO_NO_CHECK,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SOCK_DGRAM,
  SOL_SOCKET,
  UDP_NO_CHECK6_TX,
} from '@holdfast/posix/network'
import { errno, orThrow } from '@holdfast/posix'
import { MalformedError } from '@holdfast/wire'
import type { Input } from '@holdfast/wire'
import type { Loop, Timer } from '../loop/index.ts'
import { headerBytes, messageBytesMax, problemOf, readNumber, sequenceAt, sessionAt, typeAt } from './codec.ts'
import { DirectorSession } from './director-session.ts'
import { EchoProbe } from './echo.ts'
import { endpointOf } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'
import { HealthMonitor } from './health.ts'
import type { Health, HealthEvent } from './health.ts'
import type { Mac } from './mac.ts'
import { ConnectionName, Continue, FlowName, Handoff, Heartbeat, Hello, MessageType, Owner, Refuse, Release, Welcome } from './messages.ts'
import type { RefuseReason } from './messages.ts'
import { noSession, Outbox } from './outbox.ts'
import { randomNumber } from './random.ts'
import { reused } from './reused.ts'

/**
 * What a director does with what its agents say. Values and bytes are good until the function returns: they are used again for the next message.
 * Everything has been checked: MAC, session, and that it does not come a second time.
 */
export interface DirectorHandler {
  accepted(link: DirectorLink, connection: number, generation: number): void
  refused(link: DirectorLink, connection: number, generation: number, reason: RefuseReason): void
  released(link: DirectorLink, connection: number, generation: number): void
  busy(link: DirectorLink, connection: number, generation: number): void
  closed(link: DirectorLink, connection: number, generation: number): void
  owner(link: DirectorLink, owner: Owner): void
  /** `event` is what it has been seen by. */
  health(link: DirectorLink, health: Health, before: Health, event: HealthEvent): void
}

/** What a link needs. */
export interface DirectorLinkOptions {
  readonly loop: Loop
  readonly mac: Mac
  readonly agent: Endpoint
  readonly handler: DirectorHandler
  /** Random number of this director process, the same for all links: `randomNumber()`. */
  readonly director: number
}

/** HELLO and HEARTBEAT are sent so often. */
export const heartbeatMs = 250
/** And echo requests, while the agent is silent. */
const echoMs = 100
/** The loop wants few different delays: they are multiples of this. */
const stepMs = 50

const receiveBufferBytes = 1 << 20
/** IP and UDP headers around a message. */
const overheadBytes = { v4: 28, v6: 48 }
/** What any IPv6 path takes (RFC 8200 5), for as long as the kernel has not said. */
const mtuMin = 1280

/** Datagrams are looked at one after the other, whichever link they come by. Lists are cut so that they fit into one frame. */
const incoming = new DatagramBatch({ slots: 64, slotBytes: 2048 })
/** So many in a turn: who sends on and on does not have us for itself. */
export const batchesMax = 64
const named = reused(ConnectionName)
const refusal = reused(Refuse)
const owned = reused(Owner)
const alive = reused(Heartbeat)
const welcome = reused(Welcome)

/** A link to a server agent. It greets, asks for signs of life and begins a new session when the agent has been started anew, all by itself. */
export class DirectorLink {
  readonly agent: Endpoint
  /** Where its socket is bound: what the agent sees as the source. */
  readonly local: Endpoint
  /** For whoever has the links: what belongs to this one. */
  tag = 0

  readonly #loop: Loop
  readonly #fd: number
  readonly #mac: Mac
  readonly #handler: DirectorHandler
  readonly #director: number
  readonly #isV4: boolean
  readonly #session = new DirectorSession(randomNumber)
  readonly #monitor: HealthMonitor
  readonly #outbox: Outbox
  readonly #onTick = (): void => this.#tick()
  #timer: Timer
  #beatMs: number
  #echo: EchoProbe | undefined
  #mtu = mtuMin
  #server: Endpoint | undefined
  #capacity = 0
  #connections = 0
  #rejected = 0
  #isClosed = false

  /** Opens the socket, and greets in the loop's next turn. Throws PosixError. */
  constructor({ loop, mac, agent, handler, director }: DirectorLinkOptions) {
    this.agent = agent
    this.#loop = loop
    this.#mac = mac
    this.#handler = handler
    this.#director = director
    this.#isV4 = isIpv4Mapped(agent.address)
    this.#fd = openConnected(agent, this.#isV4)
    this.local = localOf(this.#fd)
    this.#outbox = new Outbox(loop, this.#fd, mac)
    this.#monitor = new HealthMonitor(loop.now(), (health, before, event) => this.#onHealth(health, before, event))
    this.#beatMs = loop.now()
    loop.watch(this.#fd, events => this.#onEvents(events))
    this.#timer = loop.after(0, this.#onTick)
  }

  get health(): Health {
    return this.#monitor.health
  }

  /** Whether there is a session: whether anything can be sent. */
  get isReady(): boolean {
    return this.#session.state === 'established'
  }

  /** The server beside the agent, which a request can be proxied to; undefined until the first WELCOME. */
  get server(): Endpoint | undefined {
    return this.#server
  }

  /** Connections that the agent has room for, as it said last. */
  get capacity(): number {
    return this.#capacity
  }

  /** Connections that it has, of all directors. */
  get connections(): number {
    return this.#connections
  }

  /** Datagrams that came and were none of this session's. */
  get rejected(): number {
    return this.#rejected
  }

  /** The longest packet that `sendPacket` takes. */
  get packetBytesMax(): number {
    return Math.min(this.#mtu - (this.#isV4 ? overheadBytes.v4 : overheadBytes.v6), messageBytesMax)
  }

  /**
   * HANDOFF with the request `bytes[from, to)`, at the end of the loop's turn. False when nothing is sent: there is no session, or the request is too long for a
   * datagram. `requestBytes` is filled in.
   */
  sendHandoff(value: Omit<Input<typeof Handoff>, 'requestBytes'>, bytes: Buffer, from: number, to: number): boolean {
    if (!this.isReady || to - from > 0xffff) return false
    const complete = value as { -readonly [K in keyof Handoff]: Handoff[K] }
    complete.requestBytes = to - from
    return this.#outbox.sendWith(MessageType.handoff, this.#session, Handoff, complete, bytes, from, to)
  }

  /** CONTINUE with the payload `bytes[from, to)`. */
  sendContinue(value: Input<typeof Continue>, bytes: Buffer, from: number, to: number): boolean {
    return this.isReady && this.#outbox.sendWith(MessageType.continue, this.#session, Continue, value, bytes, from, to)
  }

  /** RELEASE. */
  sendRelease(value: Input<typeof Release>): boolean {
    if (this.isReady) this.#outbox.send(MessageType.release, this.#session, Release, value)
    return this.isReady
  }

  /** WHO_HAS. */
  sendWhoHas(value: Input<typeof FlowName>): boolean {
    if (this.isReady) this.#outbox.send(MessageType.whoHas, this.#session, FlowName, value)
    return this.isReady
  }

  /**
   * An IP packet `bytes[from, to)` of a client, as it is: the agent's program unwraps it. At the end of the turn, in order with the messages. False when it is longer
   * than one datagram takes unfragmented (`packetBytesMax`).
   */
  sendPacket(bytes: Buffer, from: number, to: number): boolean {
    if (to - from > this.packetBytesMax) return false
    this.#outbox.sendRaw(bytes, from, to)
    return true
  }

  /** Sends what waits, and closes the socket. The agent is not told: it keeps what it has. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#session.apply('close')
    this.#outbox.flush()
    this.#timer.cancel()
    this.#echo?.close()
    this.#loop.unwatch(this.#fd)
    close(this.#fd)
  }

  #tick(): void {
    const now = this.#loop.now()
    this.#monitor.tick(now)
    if (now >= this.#beatMs) {
      this.#beatMs = now + heartbeatMs
      this.#mtu = this.#pathMtu()
      this.#act(this.#session.apply('tick'))
    }
    const { asksMachine } = this.#monitor
    if (asksMachine) this.#echo?.ask()
    if (this.#isClosed) return
    const next = Math.min(this.#beatMs, this.#monitor.deadline(), asksMachine ? now + echoMs : Infinity)
    this.#timer = this.#loop.after(Math.max(1, Math.ceil((next - now) / stepMs)) * stepMs, this.#onTick)
  }

  #act(action: ReturnType<DirectorSession['apply']>): void {
    // The session is live at the agent when something has come in it.
    if (action === 'beat' || action === 'begin') this.#outbox.send(MessageType.heartbeat, this.#session, Heartbeat, { connections: 0 })
    else if (action === 'greet' || action === 'forget')
      this.#outbox.send(MessageType.hello, noSession, Hello, { director: this.#director, nonce: this.#session.nonce })
  }

  #onHealth(health: Health, before: Health, event: HealthEvent): void {
    if (this.#monitor.asksMachine) this.#echo ??= new EchoProbe(this.#loop, this.agent, () => this.#monitor.sign('echo', this.#loop.now()))
    else {
      this.#echo?.close()
      this.#echo = undefined
    }
    if (health === 'silent') this.#act(this.#session.apply('silence'))
    this.#handler.health(this, health, before, event)
  }

  #onEvents(events: number): void {
    if ((events & EPOLLERR) !== 0 && getOption(this.#fd, SOL_SOCKET, SO_ERROR) === errno.ECONNREFUSED) this.#monitor.sign('refused', this.#loop.now())
    if (this.#isClosed) return
    // All of it: what an agent has said in time shall be heard before deadlines are looked at.
    for (let batch = 0; batch < batchesMax && this.#receive() === incoming.slots; batch++);
  }

  #receive(): number {
    if (this.#isClosed) return 0
    const count = incoming.receive(this.#fd)
    if (count === -errno.ECONNREFUSED) this.#monitor.sign('refused', this.#loop.now())
    for (let slot = 0; slot < count && !this.#isClosed; slot++) this.#take(incoming.bytes(slot), incoming.length(slot))
    return count
  }

  /** A datagram. What is none of this session changes nothing. */
  #take(bytes: Buffer, length: number): void {
    const event = problemOf(bytes, 0, length) === undefined ? this.#session.eventOf(bytes, 0) : undefined
    if (event === undefined || !this.#mac.verify(bytes, 0, length)) {
      this.#rejected++
      return
    }
    try {
      const type = bytes[typeAt] as MessageType
      if (type === MessageType.welcome) this.#readWelcome(bytes)
      else if (type === MessageType.alive) this.#connections = alive.read(bytes, headerBytes).connections
      const action = this.#session.apply(event, readNumber(bytes, sessionAt), readNumber(bytes, sequenceAt))
      this.#act(action)
      if (action === 'forget') return
      this.#monitor.sign('answer', this.#loop.now())
      if (action === 'deliver') receivers[type]?.(this, this.#handler, bytes, length)
    } catch (error) {
      // A number that is none, from an agent that has the key: nobody else pays for it.
      if (!(error instanceof MalformedError)) throw error
      this.#rejected++
    }
  }

  #readWelcome(bytes: Buffer): void {
    const { server, serverPort, capacity } = welcome.read(bytes, headerBytes)
    if (this.#server === undefined || this.#server.port !== serverPort || !this.#server.address.equals(server))
      this.#server = endpointOf(server, serverPort)
    this.#capacity = capacity
  }

  #pathMtu(): number {
    const mtu = this.#isV4 ? getOption(this.#fd, IPPROTO_IP, IP_MTU) : getOption(this.#fd, IPPROTO_IPV6, IPV6_MTU)
    return mtu > 0 ? mtu : mtuMin
  }
}

type Receiver = (link: DirectorLink, handler: DirectorHandler, bytes: Buffer, length: number) => void

/** Calls a handler for each connection of a list. */
const each =
  (tell: (handler: DirectorHandler, link: DirectorLink, connection: number, generation: number) => void): Receiver =>
  (link, handler, bytes, length) => {
    for (let at = headerBytes; at < length; at += ConnectionName.fixedSize) {
      const { connection, generation } = named.read(bytes, at)
      tell(handler, link, connection, generation)
    }
  }

/** What is done with a message of a type. */
const receivers: Readonly<Partial<Record<MessageType, Receiver>>> = {
  [MessageType.accept]: each((handler, link, connection, generation) => handler.accepted(link, connection, generation)),
  [MessageType.closed]: each((handler, link, connection, generation) => handler.closed(link, connection, generation)),
  [MessageType.released]: each((handler, link, connection, generation) => handler.released(link, connection, generation)),
  [MessageType.busy]: each((handler, link, connection, generation) => handler.busy(link, connection, generation)),
  [MessageType.refuse](link, handler, bytes) {
    const { connection, generation, reason } = refusal.read(bytes, headerBytes)
    handler.refused(link, connection, generation, reason as RefuseReason)
  },
  [MessageType.owner]: (link, handler, bytes) => handler.owner(link, owned.read(bytes, headerBytes)),
}

function openConnected(agent: Endpoint, isV4: boolean): number {
  const fd = orThrow(openSocket(isV4 ? AF_INET : AF_INET6, SOCK_DGRAM), 'socket')
  try {
    receiveBuffer(fd, receiveBufferBytes)
    // Messages have a MAC, and packets checksums of their own. One of the datagram that is left to the device would be where an unwrapped packet has none.
    if (isV4) setOption(fd, SOL_SOCKET, SO_NO_CHECK, 1)
    else setOption(fd, IPPROTO_UDP, UDP_NO_CHECK6_TX, 1)
    // A request may be longer than a frame: it goes in fragments, whatever the path takes.
    if (isV4) setOption(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT)
    else setOption(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IP_PMTUDISC_DONT)
    orThrow(connect(fd, SocketAddress.ofMapped(agent.address, agent.port)), `connect to ${agent.text}`)
    return fd
  } catch (error) {
    close(fd)
    throw error
  }
}

/** Asks for a receive buffer; beyond the system's limit only where the process may. */
export function receiveBuffer(fd: number, bytes: number): void {
  if (setOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, bytes) < 0) setOption(fd, SOL_SOCKET, SO_RCVBUF, bytes)
}

/** Where a socket is bound. */
export function localOf(fd: number): Endpoint {
  const local = new SocketAddress()
  orThrow(localEndpoint(fd, local), 'getsockname')
  const address = Buffer.alloc(16)
  local.writeMapped(address)
  return endpointOf(address, local.port)
}
