/** A director that a test drives, in a namespace: it hands connections over that clients never had. And the wire in front of those clients. */
import {
  AF_PACKET,
  close,
  Endpoint as SocketAddress,
  formatAddress,
  inNetworkNamespace,
  openSocket,
  receive,
  SOCK_DGRAM,
  AF_INET,
  AF_INET6,
  IPPROTO_RAW,
  SOCK_RAW,
  parseAddress,
  sendTo,
} from '@holdfast/posix/network'
import { orThrow } from '@holdfast/posix'
import { createMac, DirectorLink, HandoffOptions, parseEndpoint, randomNumber } from '@holdfast/handoff/protocol'
import type { DirectorHandler, Handoff, Owner } from '@holdfast/handoff/protocol'
import { newSegment, newTcpOptions, newTcpPacket, readOptions, readTcpPacket, setEnds, writeSegment } from '@holdfast/handoff/transform'
import type { Segment, TcpOptions, TcpPacket } from '@holdfast/handoff/transform'
import { Loop } from '../../packages/handoff/src/loop/index.ts'
import type { Machine } from './machine.ts'

const within = <T>(machine: Machine, action: () => T): T => inNetworkNamespace(`/run/netns/${machine.namespace}`, action)

/** Client, VIP, and what was agreed; a test says what differs. */
export type FirstConnection = Omit<Handoff, 'requestBytes'>

/** The state of a connection of that client with that VIP, as Linux agrees on it. */
export function firstConnection(client: string, vip: string, different: Partial<FirstConnection> = {}): FirstConnection {
  return {
    connection: randomNumber(),
    generation: 1,
    client: parseAddress(client),
    vip: parseAddress(vip),
    clientPort: 20_000,
    vipPort: 80,
    clientSequenceNext: 1_000_000,
    serverSequenceNext: 4_294_967_000,
    tsDirector: 77_000,
    tsClient: 88_000,
    sendWindow: 64_240,
    receiveWindow: 65_160,
    mss: 1460,
    options: HandoffOptions.timestamps | HandoffOptions.sack | HandoffOptions.windowScale,
    clientScale: 7,
    directorScale: 9,
    flags: 0,
    ...different,
  }
}

/** What an agent says, in words: `accept 12.1`. */
class Said implements DirectorHandler {
  readonly words: string[] = []
  readonly owners: Owner[] = []
  count = 0
  refusals = 0

  #say(word: string): void {
    this.count++
    this.words.push(word)
  }
  accepted(_: DirectorLink, connection: number, generation: number): void {
    this.#say(`accept ${connection}.${generation}`)
  }
  refused(_: DirectorLink, connection: number, generation: number, reason: number): void {
    this.refusals++
    this.#say(`refuse ${connection}.${generation} ${reason}`)
  }
  released(_: DirectorLink, connection: number, generation: number): void {
    this.#say(`released ${connection}.${generation}`)
  }
  busy(_: DirectorLink, connection: number, generation: number): void {
    this.#say(`busy ${connection}.${generation}`)
  }
  closed(_: DirectorLink, connection: number, generation: number): void {
    this.#say(`closed ${connection}.${generation}`)
  }
  owner(_: DirectorLink, owner: Owner): void {
    this.owners.push({ ...owner, client: Buffer.from(owner.client), vip: Buffer.from(owner.vip) })
    this.#say(`owner ${owner.connection}.${owner.generation}`)
  }
  health(): void {}
}

/** See above. It does something only while `until` waits. */
export class FakeDirector implements Disposable {
  readonly link: DirectorLink
  readonly #loop: Loop
  readonly #said = new Said()
  /** Up to where it has been asked for, by connection. */
  readonly #taken = new Map<number, number>()

  /** `agent` as in `10.0.0.11:7450`. */
  constructor(machine: Machine, agent: string, key: Uint8Array) {
    this.#loop = within(machine, () => new Loop())
    this.link = within(
      machine,
      () => new DirectorLink({ loop: this.#loop, mac: createMac(key), agent: parseEndpoint(agent), handler: this.#said, director: randomNumber() }),
    )
  }

  /** Runs the loop until it is so. */
  until(what: string, isSo: () => boolean, timeoutMs = 5000): void {
    const end = performance.now() + timeoutMs
    while (!isSo()) {
      if (performance.now() > end) throw new Error(`not so after ${timeoutMs} ms: ${what}; said: ${this.#said.words.join(', ')}`)
      this.#loop.turn()
    }
  }

  /** One turn of the loop. */
  turn(): void {
    this.#loop.turn()
  }

  /** Runs the loop for so long. */
  pass(ms: number): void {
    const end = performance.now() + ms
    this.#loop.after(ms, () => {})
    while (performance.now() < end) this.#loop.turn()
  }

  ready(): void {
    this.until('there is a session', () => this.link.isReady)
  }

  /** Hands a connection over, again when there is no answer (a session may be over as long as nobody waits here); returns what the agent said of it. */
  handOff(state: FirstConnection, request: string | Buffer): string {
    const bytes = Buffer.from(request)
    const again = this.#loop.every(300, () => void this.link.sendHandoff(state, bytes, 0, bytes.length))
    try {
      this.ready()
      this.link.sendHandoff(state, bytes, 0, bytes.length)
      return this.next(state)
    } finally {
      again.cancel()
    }
  }

  /** What the agent says of a connection next. */
  next({ connection }: FirstConnection, timeoutMs?: number): string {
    const name = ` ${connection}.`
    let word: string | undefined
    this.until(
      `the agent says something of ${connection}`,
      () => {
        const index = this.#said.words.findIndex((said, at) => at >= (this.#taken.get(connection) ?? 0) && said.includes(name))
        if (index < 0) return false
        word = this.#said.words[index]
        this.#taken.set(connection, index + 1)
        return true
      },
      timeoutMs,
    )
    return word ?? ''
  }

  /** Whether these words have been said, some time. */
  said(words: string): boolean {
    return this.#said.words.includes(words)
  }

  /** How many hand-offs have been refused. */
  get refused(): number {
    return this.#said.refusals
  }

  /** How many words have been said in all. */
  get count(): number {
    return this.#said.count
  }

  get owners(): readonly Owner[] {
    return this.#said.owners
  }

  [Symbol.dispose](): void {
    this.link.close()
    this.#loop[Symbol.dispose]()
  }
}

/** A TCP packet that was on the wire. */
export interface SeenPacket extends Readonly<Omit<TcpPacket, 'family'>> {
  readonly source: string
  readonly destination: string
  readonly options: Readonly<TcpOptions>
  readonly payload: string
}

const ETH_P_ALL = 0x0300

/** What comes to clients' machine, whoever it is for, and a way to send as any of them. */
export class ClientWire implements Disposable {
  readonly #capture: number
  readonly #raw: Readonly<Record<4 | 6, number>>
  readonly #bytes = Buffer.alloc(65_536)

  constructor(machine: Machine) {
    this.#capture = within(machine, () => orThrow(openSocket(AF_PACKET, SOCK_DGRAM, ETH_P_ALL), 'socket(AF_PACKET)'))
    const raw = (family: number): number => within(machine, () => orThrow(openSocket(family, SOCK_RAW, IPPROTO_RAW), 'socket(SOCK_RAW)'))
    this.#raw = { 4: raw(AF_INET), 6: raw(AF_INET6) }
  }

  /** The TCP packets with a port of `from` as their source that have come since the last time. */
  take(): SeenPacket[] {
    const seen: SeenPacket[] = []
    for (;;) {
      const length = receive(this.#capture, this.#bytes, 0, this.#bytes.length)
      if (length < 0) return seen
      const packet = newTcpPacket()
      if (readTcpPacket(this.#bytes, 0, length, packet)) seen.push(this.#read(packet))
    }
  }

  /** Sends a packet as a client would: to the VIP. */
  send(state: FirstConnection, different: Partial<Segment>, options: Partial<TcpOptions> = {}): void {
    const segment = newSegment()
    setEnds(segment, state.client, state.clientPort, state.vip, state.vipPort)
    Object.assign(segment, different)
    Object.assign(segment.options, options)
    const packet = Buffer.alloc(2000)
    const length = writeSegment(segment, packet)
    orThrow(sendTo(this.#raw[packet[0] === 0x45 ? 4 : 6], packet, 0, length, SocketAddress.ofMapped(state.vip, 0)), 'sendto')
  }

  [Symbol.dispose](): void {
    for (const fd of [this.#capture, this.#raw[4], this.#raw[6]]) close(fd)
  }

  #read(packet: TcpPacket): SeenPacket {
    const { family, ...rest } = packet
    const bytes = this.#bytes
    const address = (at: number): string => {
      const mapped = Buffer.from('00000000000000000000ffff00000000', 'hex')
      bytes.copy(mapped, family.inMapped, at, at + family.addressBytes)
      return formatAddress(mapped)
    }
    return {
      ...rest,
      source: address(family.addressesAt),
      destination: address(family.addressesAt + family.addressBytes),
      options: readOptions(bytes, packet.optionsAt, packet.payloadAt, newTcpOptions()),
      payload: bytes.toString('latin1', packet.payloadAt, packet.end),
    }
  }
}
