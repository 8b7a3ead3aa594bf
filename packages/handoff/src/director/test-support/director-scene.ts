/** A director's data path without sockets and without a kernel: what it would send is noted, packets of a client are made as a stack makes them. */
import { DirectorAction, DirectorEntry, FlowMap, offsetsOf, OpeningEntry, OpeningMap, replacedFlag } from '../../bpf/index.ts'
import type { Lead, RequestLead } from '../../bpf/index.ts'
import { directorChanged } from '../../bpf/loader/director.ts'
import type { Loop } from '../../loop/index.ts'
import type { DirectorLink } from '../../protocol/index.ts'
import { newSegment, setEnds, TcpFlag, writeSegment } from '../../transform/index.ts'
import type { Segment } from '../../transform/index.ts'
import { actions } from '../actions.ts'
import type { Agent } from '../agents.ts'
import { ClientPacket } from '../client-packet.ts'
import { Connections } from '../connection.ts'
import type { Connection } from '../connection.ts'
import type { Core, Vip } from '../core.ts'
import { newCounters } from '../counters.ts'
import type { KnownHeads } from '../known-heads.ts'
import { Entries } from '../entries.ts'
import { FlowKeys } from '../flow.ts'
import { takeOpening } from '../opened.ts'
import { Openings } from '../openings.ts'
import { takePacket } from '../raised.ts'

const mapped = (...last: number[]): Buffer => Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...last])

/** A map of the kernel. */
class MemoryMap {
  readonly valueBytes: number
  readonly maxEntries: number
  readonly entries = new Map<string, Buffer>()

  constructor(valueBytes: number, maxEntries: number) {
    this.valueBytes = valueBytes
    this.maxEntries = maxEntries
  }

  lookup(key: Buffer, value: Buffer): number {
    const found = this.entries.get(key.toString('hex'))
    found?.copy(value)
    return found === undefined ? -2 : 0
  }

  take(key: Buffer, value: Buffer): number {
    const result = this.lookup(key, value)
    this.entries.delete(key.toString('hex'))
    return result
  }

  update(key: Buffer, value: Buffer): number {
    if (this.entries.size >= this.maxEntries) return -7
    this.entries.set(key.toString('hex'), Buffer.from(value))
    return 0
  }

  /** As the kernel's program does it: what it counts stays, flags are added. */
  change(key: Buffer, value: Buffer): number {
    const entry = this.entries.get(key.toString('hex'))
    if (entry === undefined) return -2
    const { ranges, flagsAt } = directorChanged
    for (const [from, end] of ranges) value.copy(entry, from, from, end)
    if (flagsAt !== undefined) entry.writeUInt32LE((entry.readUInt32LE(flagsAt) | value.readUInt32LE(flagsAt)) >>> 0, flagsAt)
    return 0
  }

  remove(key: Buffer): number {
    return this.entries.delete(key.toString('hex')) ? 0 : -2
  }
}

const at = offsetsOf(DirectorEntry)

/** Where the program has the lead, and has got to. */
class MemoryLead {
  readonly #flows: MemoryMap

  constructor(flows: MemoryMap) {
    this.#flows = flows
  }

  give(key: Buffer, sequence: number, acknowledgement: number): boolean {
    const entry = this.#flows.entries.get(key.toString('hex'))
    if (entry?.readUInt32LE(at.action) !== DirectorAction.split) return false
    entry.writeUInt32LE(sequence, at.requestAt)
    entry.writeUInt32LE(1, at.requestAt + 4)
    entry.writeUInt32LE(acknowledgement, at.requestAck)
    return true
  }

  take(key: Buffer): Lead | undefined {
    const entry = this.#flows.entries.get(key.toString('hex'))
    if (entry?.readUInt32LE(at.requestAt + 4) !== 1) return undefined
    entry.writeUInt32LE(0, at.requestAt + 4)
    return { sequence: entry.readUInt32LE(at.requestAt), acknowledgement: entry.readUInt32LE(at.requestAck) }
  }
}

/** What was agreed with the client. */
export const opening = {
  clientSequence: 0xffff_ff00,
  serverSequence: 7000,
  tsVal: 90,
  tsDirector: 50,
  mss: 1460,
  options: 7,
  clientScale: 6,
  directorScale: 7,
  receiveWindow: 65_535,
  lastNs: 0,
} as const

/** What a test of the data path needs. */
export class DirectorScene {
  readonly client: Buffer = mapped(10, 0, 0, 2)
  readonly vip: Vip = { address: mapped(10, 0, 0, 100), host: '10.0.0.100', port: 80, isIpv4: true }
  /** What was sent, done or asked for, in words. */
  readonly said: string[] = []
  readonly agents: { readonly a: Agent; readonly b: Agent }
  readonly core: Core
  nowMs = 1000
  /** Whether agents are there. */
  isHealthy = true
  /** Whether the program knows the next request when it has seen one. */
  isKnown = false
  readonly #flows: MemoryMap
  readonly #openings = new MemoryMap(OpeningEntry.fixedSize, 64)
  readonly #keys = new FlowKeys(this.vip.address, this.vip.port)
  readonly #bytes = Buffer.alloc(70_000)

  constructor(maxEntries = 64) {
    this.#flows = new MemoryMap(DirectorEntry.fixedSize, maxEntries)
    this.agents = { a: this.#agent('a'), b: this.#agent('b') }
    this.core = this.#build()
  }

  /** The only connection there is. */
  get connection(): Connection | undefined {
    return this.core.connections.byFlow.values()[0]
  }

  /** What has been said since the last time. */
  heard(): string[] {
    return this.said.splice(0)
  }

  /** The program has answered the client's SYN. */
  open(more: Partial<OpeningEntry> = {}): void {
    this.#openings.update(this.#keys.of(this.#flow()), OpeningEntry.toBytes({ ...opening, ...more }))
  }

  /** The client has begun another connection from its port, and the program has seen that the one before was over. */
  replace(): void {
    this.see(replacedFlag)
  }

  /** The program has seen flags in a packet of the client. */
  see(flags: number): void {
    for (const entry of this.#flows.entries.values()) entry.writeUInt32LE(entry.readUInt32LE(at.flagsSeen) | flags, at.flagsSeen)
  }

  /** What the program knows of the connection. */
  get entry(): DirectorEntry | undefined {
    const entry = this.#flows.entries.get(this.#key)
    return entry === undefined ? undefined : DirectorEntry.decode(entry)
  }

  /** A packet of the client comes up: `at` bytes behind its SYN. */
  send(text: string, { at = 0, flags = TcpFlag.ack | TcpFlag.psh, acknowledgement = opening.serverSequence + 1 } = {}): void {
    const segment: Segment = newSegment()
    setEnds(segment, this.client, 4000, this.vip.address, this.vip.port)
    const payload = Buffer.from(text, 'latin1')
    const sequence = (opening.clientSequence + 1 + at) >>> 0
    Object.assign(segment, { sequence, acknowledgement, flags, window: 500, payload, payloadFrom: 0, payloadEnd: payload.length })
    Object.assign(segment.options, { timestamps: true, tsVal: 95, tsEcr: opening.tsDirector })
    takePacket(this.core, this.#bytes, 0, writeSegment(segment, this.#bytes))
  }

  /** Whether the program has the lead: then it sends on what it knows. */
  get programLeads(): boolean {
    return this.#flows.entries.get(this.#key)?.readUInt32LE(at.requestAt + 4) === 1
  }

  /** The program sends a request of the client on, `at` bytes behind its SYN; we see nothing of it. */
  sendKnown(text: string, { at: from, acknowledgement }: { readonly at: number; readonly acknowledgement: number }): void {
    const entry = this.#flows.entries.get(this.#key)
    const sequence = (opening.clientSequence + 1 + from) >>> 0
    if (entry?.readUInt32LE(at.requestAt) !== sequence || !this.programLeads) throw new Error('the program would not send it on')
    entry.writeUInt32LE((sequence + text.length) >>> 0, at.requestAt)
    entry.writeUInt32LE(acknowledgement, at.requestAck)
    entry.writeUInt32LE(acknowledgement, at.lastAck)
  }

  get #key(): string {
    return this.#keys.of(this.#flow()).toString('hex')
  }

  #flow(): number {
    return 0x0a00_0002 * 0x1_0000 + 4000
  }

  #agent(id: string): Agent {
    const say = (text: string): true => {
      this.said.push(`${id}: ${text}`)
      return true
    }
    const link = {
      health: 'healthy',
      sendHandoff: (value: { generation: number; flags: number }, bytes: Buffer, from: number, to: number) =>
        say(`HANDOFF ${value.generation} ${JSON.stringify(bytes.toString('latin1', from, to))}${value.flags === 0 ? '' : ' FIN'}`),
      sendContinue: (_value: unknown, bytes: Buffer, from: number, to: number) =>
        say(`CONTINUE ${JSON.stringify(bytes.toString('latin1', from, to))}`),
      sendRelease: ({ flags }: { flags: number }) => say(`RELEASE ${flags}`),
      sendWhoHas: () => say('WHO_HAS'),
      sendPacket: (_bytes: Buffer, from: number, to: number) => say(`packet of ${to - from} bytes`),
    } as unknown as DirectorLink
    return { id, link, entry: Buffer.alloc(DirectorEntry.fixedSize), forward: 'neighbour', connections: 0, answerMs: 0 }
  }

  #build(): Core {
    const say = (text: string): void => void this.said.push(text)
    const map = new FlowMap(this.#flows as never, (key, value) => this.#flows.change(key, value))
    const loop = { now: () => this.nowMs } as Loop
    const raw = {
      finish: (_connection: Connection, acknowledgement: number, sequence: number) => say(`FIN ${sequence} ${acknowledgement}`),
      acknowledge: (_connection: Connection, acknowledgement: number) => say(`ACK ${acknowledgement}`),
      reset: (_flow: unknown, sequence: number) => say(`RST ${sequence}`),
      inject: () => say('inject'),
    }
    const core: Core = {
      loop,
      vip: this.vip,
      mode: 'per-request',
      connections: new Connections(1),
      entries: new Entries(loop, map, this.#keys, new MemoryLead(this.#flows) as unknown as RequestLead),
      known: { learn: () => this.isKnown } as unknown as KnownHeads,
      openings: new Openings(new OpeningMap(this.#openings as never), this.#keys),
      answerSyns: () => {},
      agents: { isOwner: () => false, all: () => Object.values(this.agents) } as unknown as Core['agents'],
      raw: raw as unknown as Core['raw'],
      counters: newCounters(),
      actions: { ...actions, restore: (_core, connection) => say(`restore ${connection.gathered?.length ?? 0} bytes`) },
      idleMs: 600_000,
      headMs: 10_000,
      packet: new ClientPacket(),
      choose: (_host, target) => (this.isHealthy ? this.agents[target.startsWith('/b/') ? 'b' : 'a'] : undefined),
      proxy: () => say('proxy'),
      notice: say,
      checkLater: connection => void (connection.checkMs ||= 1),
      awaitAnswer: () => {},
      learn: () => {},
      introduce: () => {},
      unknown: packet => void (takeOpening(core, packet) || say('unknown')),
      raised: (bytes, from, end) => takePacket(core, bytes, from, end),
      inject: () => say('inject'),
    }
    return core
  }
}
