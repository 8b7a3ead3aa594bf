/**
 * Fuzzes both ends of the hand-off protocol over loopback: a director and a server agent that have the key and say what they like, and strangers without, while
 * a well-behaved pair hands connections over.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import {
  AgentLinks,
  bodies,
  createMac,
  decodeMessage,
  DirectorLink,
  encodeMessage,
  Header,
  headerBytes,
  localOf,
  MessageType,
  parseEndpoint,
  problemOf,
} from '@holdfast/handoff/protocol'
import type { AgentHandler, DirectorHandler, Endpoint, Message } from '@holdfast/handoff/protocol'
import { AF_INET, bind, close, Endpoint as SocketAddress, openSocket, receiveFrom, sendTo, SOCK_DGRAM } from '@holdfast/posix/network'
import { Loop } from '../packages/handoff/src/loop/index.ts'
import { vectors } from '../packages/handoff/src/protocol/protocol.vectors.ts'
import { mutate } from './mutate.ts'
import type { Random } from './random.ts'
import type { ServerFuzzOptions } from './server.ts'

const mebibyte = 1 << 20
const mac = createMac(Buffer.alloc(32, 0x42))
const datagramsPerTurn = 20
const turnsPerCheck = 100
const keptDatagrams = 400
const silentMs = 10_000

/** What a run found. */
export interface HandoffFuzzResult {
  readonly datagrams: number
  /** How many were taken for messages by either end: a run in which none is tests nothing. */
  readonly taken: number
  /** Connections that the well-behaved pair handed over. */
  readonly checks: number
  readonly residentBytesBefore: number
  readonly residentBytesAfter: number
  readonly findings: readonly string[]
}

/** A socket that says anything, and the session it has got by saying HELLO, or by answering one. */
class Rogue {
  readonly local: Endpoint
  readonly #fd = openSocket(AF_INET, SOCK_DGRAM)
  readonly #from: 'director' | 'agent'
  readonly #random: Random
  readonly #onSend: (bytes: Buffer) => void
  readonly #buffer = Buffer.alloc(65_536)
  readonly #to = new SocketAddress()
  #session = 0
  #sequence = 0

  constructor(from: 'director' | 'agent', random: Random, onSend: (bytes: Buffer) => void, to?: Endpoint) {
    this.#from = from
    this.#random = random
    this.#onSend = onSend
    bind(this.#fd, SocketAddress.of('127.0.0.1', 0))
    this.local = localOf(this.#fd)
    if (to !== undefined) this.#to.setMapped(to.address, to.port)
  }

  /** Hears what it needs for its session, and says something. */
  act(): void {
    this.#hear()
    if (this.#to.port === 0) return
    if (this.#from === 'director' && (this.#session === 0 || this.#random.chance(0.01))) this.#say(this.#greeting())
    else this.#say(this.#anything())
  }

  close(): void {
    close(this.#fd)
  }

  #hear(): void {
    const source = this.#from === 'agent' ? this.#to : new SocketAddress()
    for (;;) {
      const length = receiveFrom(this.#fd, this.#buffer, 0, this.#buffer.length, source)
      if (length < 0) return
      if (problemOf(this.#buffer, 0, length) !== undefined) continue
      const { type, session, values } = decodeMessage(this.#buffer, 0, length)
      if (type === MessageType.welcome) this.#begin(session)
      else if (type === MessageType.stranger) this.#begin(0)
      else if (type === MessageType.hello) {
        this.#begin(1 + this.#random.below(1_000_000))
        const { message } = vectors.find(each => each.message.type === MessageType.welcome)!
        this.#say(this.#sealed({ ...message, values: [{ ...message.values[0], ...values[0] }] }))
      }
    }
  }

  #begin(session: number): void {
    this.#session = session
    this.#sequence = 0
  }

  #greeting(): Buffer {
    const { message } = vectors.find(each => each.message.type === MessageType.hello)!
    return this.#sealed({ ...message, session: 0, values: [{ director: 1 + this.#random.below(100), nonce: this.#random.bits() }] })
  }

  /** A message that is right, one that is changed under a right MAC, or bytes. */
  #anything(): Buffer {
    const random = this.#random
    if (random.chance(0.05)) return random.bytes(random.below(3000))
    const own = vectors.filter(({ message }) => random.chance(0.02) || bodies[message.type].from === this.#from)
    const { message } = random.pick(own.length > 0 ? own : vectors)
    const right = this.#sealed(message)
    if (random.chance(0.2)) return right
    const changed = mutate(right, random, { structured: false, most: 4 })
    if (random.chance(0.3) || changed.length < headerBytes) return changed
    // Under the magic, the length and the numbers that let it through, with a MAC that is right.
    const lengthBytes = (changed.length - headerBytes) & 0xffff
    Header.encode({ type: changed[4] ?? 0, lengthBytes, session: this.#session, sequence: ++this.#sequence, mac: Buffer.alloc(16) }, changed, 0)
    mac.seal(changed, 0, changed.length)
    return changed
  }

  #sealed(message: Omit<Message, 'mac'>): Buffer {
    const sequence = this.#random.chance(0.1) ? this.#random.below(2000) : ++this.#sequence
    const bytes = Buffer.alloc(2000)
    const end = encodeMessage({ ...message, session: this.#session, sequence, mac: Buffer.alloc(16) }, bytes)
    mac.seal(bytes, 0, end)
    return bytes.subarray(0, end)
  }

  #say(bytes: Buffer): void {
    this.#onSend(bytes)
    if (bytes.length > 0) sendTo(this.#fd, bytes, 0, bytes.length, this.#to)
  }
}

/** Counts what comes through, and looks at what it is given. */
class Listener implements AgentHandler, DirectorHandler {
  taken = 0
  readonly connectionsAccepted: number[] = []
  links: AgentLinks | undefined

  handoff: AgentHandler['handoff'] = (peer, value, bytes, from, to) => {
    this.#count(value.requestBytes === to - from && to <= bytes.length && value.client.length === 16)
    this.links?.accept(peer, value.connection, value.generation)
    if (value.connection % 3 === 0) this.links?.owner(peer, { ...value, connection: value.connection })
    if (value.connection % 5 === 0) this.links?.closed(peer, value.connection, value.generation)
  }
  continue: AgentHandler['continue'] = (_, __, bytes, from, to) => this.#count(from <= to && to <= bytes.length)
  release: AgentHandler['release'] = (peer, { connection, generation }) => {
    this.#count(Number.isSafeInteger(connection))
    this.links?.released(peer, connection, generation)
  }
  whoHas: AgentHandler['whoHas'] = (_, { client, vip }) => this.#count(client.length === 16 && vip.length === 16)
  wrapped: AgentHandler['wrapped'] = (bytes, from, to, source) => this.#count(from <= to && to <= bytes.length && source.length === 16)
  known = (): void => this.#count(true)
  forgotten = (): void => this.#count(true)
  connections = (): number => this.taken
  accepted: DirectorHandler['accepted'] = (_, connection) => {
    this.#count(Number.isSafeInteger(connection))
    this.connectionsAccepted.push(connection)
  }
  refused = (): void => this.#count(true)
  released = (): void => this.#count(true)
  busy = (): void => this.#count(true)
  closed = (): void => this.#count(true)
  owner: DirectorHandler['owner'] = (_, { client }) => this.#count(client.length === 16)
  health = (): void => this.#count(true)

  #count(isRight: boolean): void {
    if (!isRight) throw new Error('a handler was given what cannot be')
    this.taken++
  }
}

/** Runs until the time is over or something is found. */
export function fuzzHandoff(options: Pick<ServerFuzzOptions, 'seconds' | 'random' | 'findings' | 'log' | 'growthLimitBytes'>): HandoffFuzzResult {
  const { random, log, growthLimitBytes = 256 * mebibyte } = options
  using loop = new Loop()
  const recent: Buffer[] = []
  const counts = { datagrams: 0, checks: 0 }
  const onSend = (bytes: Buffer): void => {
    counts.datagrams++
    recent.push(Buffer.from(bytes))
    if (recent.length > keptDatagrams) recent.shift()
  }
  const [atAgent, atDirector, atVictim] = [new Listener(), new Listener(), new Listener()]
  const listen = parseEndpoint(`127.0.0.1:${freePort()}`)
  const agent = new AgentLinks({ loop, mac, listen, server: parseEndpoint('127.0.0.1:80'), capacity: 1000, handler: atAgent })
  atAgent.links = agent
  const director = new DirectorLink({ loop, mac, agent: agent.local, handler: atDirector, director: 4711 })
  const rogues = [new Rogue('director', random.fork(), onSend, agent.local), new Rogue('agent', random.fork(), onSend)]
  const victim = new DirectorLink({ loop, mac, agent: rogues[1].local, handler: atVictim, director: 4712 })

  /** The well-behaved pair hands a connection over. */
  const check = (): void => {
    const connection = 1_000_000_000 + counts.checks
    const value = { ...(vectors[0].message.values[0] as Parameters<DirectorLink['sendHandoff']>[0]), connection }
    const end = performance.now() + silentMs
    for (let turn = 0; !atDirector.connectionsAccepted.includes(connection); turn++) {
      if (performance.now() > end) throw new Error('a well-behaved director was not served')
      if (turn % 20 === 0) director.sendHandoff(value, Buffer.from('GET / HTTP/1.1\r\n\r\n'), 0, 18)
      loop.turn()
    }
    atDirector.connectionsAccepted.length = 0
    atVictim.connectionsAccepted.length = 0
    counts.checks++
  }

  const findings: string[] = []
  const begin = performance.now()
  let [before, logged] = [process.memoryUsage.rss(), begin]
  try {
    while (performance.now() < begin + options.seconds * 1000) {
      for (let turn = 0; turn < turnsPerCheck; turn++) {
        for (let count = 0; count < datagramsPerTurn; count++) random.pick(rogues).act()
        loop.turn()
      }
      check()
      const resident = process.memoryUsage.rss()
      if (performance.now() < begin + 10_000) before = resident
      else if (resident > before + growthLimitBytes) throw new Error(`memory grew from ${before} to ${resident} bytes`)
      if (performance.now() < logged + 20_000) continue
      logged = performance.now()
      log(
        `  ${Math.round((logged - begin) / 1000)} s: ${counts.datagrams} datagrams, ${counts.checks} checks, ${Math.round(resident / mebibyte)} MiB resident`,
      )
    }
  } catch (error) {
    findings.push(inspect(error))
    mkdirSync(options.findings, { recursive: true })
    writeFileSync(join(options.findings, 'last-datagrams.hex'), recent.map(bytes => bytes.toString('hex')).join('\n'))
  }
  for (const thing of [director, victim, agent, ...rogues]) thing.close()
  const taken = atAgent.taken + atVictim.taken
  return { ...counts, taken, residentBytesBefore: before, residentBytesAfter: process.memoryUsage.rss(), findings }
}

/** A UDP port of loopback that nobody has. */
function freePort(): number {
  const fd = openSocket(AF_INET, SOCK_DGRAM)
  bind(fd, SocketAddress.of('127.0.0.1', 0))
  const { port } = localOf(fd)
  close(fd)
  return port
}
