/** A machine for tests: a flow map, a clock, and a server whose stack does what it is told. */

import { AgentEntry, AgentState, Answers, Asked, Captured } from '../../bpf/entries.ts'
import { UpdateMode } from '../../bpf/flow-map.ts'
import { offsetsOf } from '../../bpf/offsets.ts'
import { lingerMs, PairThere } from '../../bpf/programs/pair.ts'
import { followAnswers } from '../../transform/answers.ts'
import { newTcpOptions, readOptions } from '../../transform/options.ts'
import type { TcpOptions } from '../../transform/options.ts'
import { newTcpPacket, readTcpPacket, TcpFlag, writeFlowKey } from '../../transform/packet.ts'
import type { TcpPacket } from '../../transform/packet.ts'
import { completeChecksum, newSegment, setEnds, writeSegment } from '../../transform/segment.ts'
import { plus } from '../../transform/sequence.ts'
import type { Machine } from '../machine.ts'

const at = offsetsOf(AgentEntry)
const [EEXIST, ENOENT, E2BIG] = [17, 2, 7]

/** What the server's stack does with a SYN. `late`: the SYN-ACK comes when the agent has looked already. */
export type SynBehaviour = 'synAck' | 'reset' | 'challenge' | 'silence' | 'late'

/** A packet that the agent has sent, without what is never looked at. */
export interface SentPacket extends Readonly<
  Pick<TcpPacket, 'sourcePort' | 'destinationPort' | 'sequence' | 'acknowledgement' | 'flags' | 'window'>
> {
  readonly source: Buffer
  readonly payload: Buffer
  readonly options: TcpOptions
}

/** A map of the kernel's, in memory. */
export class MemoryFlows {
  readonly nowMs: () => number
  readonly entries = new Map<string, Buffer>()
  maxEntries = 1000

  constructor(nowMs: () => number) {
    this.nowMs = nowMs
  }

  lookup(key: Buffer, value: Buffer): boolean {
    const entry = this.entries.get(key.toString('hex'))
    entry?.copy(value)
    return entry !== undefined
  }

  update(key: Buffer, value: Buffer, mode: UpdateMode = UpdateMode.any): number {
    const name = key.toString('hex')
    const exists = this.entries.has(name)
    if (exists && mode === UpdateMode.new) return -EEXIST
    if (!exists && mode === UpdateMode.existing) return -ENOENT
    if (!exists && this.entries.size >= this.maxEntries) return -E2BIG
    this.entries.set(name, Buffer.from(value))
    return 0
  }

  remove(key: Buffer): boolean {
    return this.entries.delete(key.toString('hex'))
  }

  /** As `FlowPairs`. */
  readonly pairs: Machine['pairs'] = {
    write: (outKey, out, inKey, incoming) => {
      const result = this.update(outKey, out, UpdateMode.new)
      if (result < 0) return result
      const inResult = this.update(inKey, incoming)
      if (inResult < 0) this.remove(outKey)
      return inResult
    },
    read: (outKey, out, inKey, incoming) => {
      if (!this.lookup(inKey, incoming)) incoming.fill(0)
      return this.lookup(outKey, out)
    },
    settle: (outKey, out, inKey, incoming, injectedFlags) => {
      if (!this.pairs.read(outKey, out, inKey, incoming)) return 0
      const flags = [out.readUInt32LE(at.flagsSeen), incoming.readUInt32LE(at.flagsSeen) | injectedFlags] as const
      const isOver = ((flags[0] | flags[1]) & TcpFlag.rst) !== 0 || (flags[0] & flags[1] & TcpFlag.fin) !== 0
      const lastMs = Math.max(...[out, incoming].map(entry => Number(entry.readBigUInt64LE(at.lastNs)) / 1e6))
      if (!isOver || out[at.state] !== AgentState.established || this.nowMs() - lastMs < lingerMs) return PairThere.out
      this.pairs.remove(outKey, inKey)
      return PairThere.out | PairThere.settled
    },
    remove: (outKey, inKey) => {
      this.remove(inKey)
      this.remove(outKey)
    },
  }

  forEach(visit: (key: Buffer, value: Buffer) => void): void {
    for (const [key, value] of this.entries) visit(Buffer.from(key, 'hex'), value)
  }
}

/** Key of what the server answers a packet with. */
function returnKeyOf(bytes: Buffer, { family, sourcePort, destinationPort }: TcpPacket): Buffer {
  const address = (offset: number): Buffer => {
    const mapped = Buffer.from('00000000000000000000ffff00000000', 'hex')
    bytes.copy(mapped, family.inMapped, offset, offset + family.addressBytes)
    return mapped
  }
  const key = Buffer.alloc(36)
  writeFlowKey(key, address(family.addressesAt + family.addressBytes), address(family.addressesAt), destinationPort, sourcePort)
  return key
}

/** See `Machine`. */
export class FakeMachine implements Machine {
  readonly flows = new MemoryFlows(() => this.timeMs)
  readonly pairs: Machine['pairs'] = this.flows.pairs
  readonly sent: SentPacket[] = []
  readonly trusted: string[] = []
  /** What the stack does with the next SYNs; the last one stays. */
  behaviours: SynBehaviour[] = ['synAck']
  /** Of the server's SYN-ACK. */
  sequence = 0x7000_0000
  window = 65_160
  options: Partial<TcpOptions> = { mss: 1460, windowScale: 7, sackPermitted: true, timestamps: true, tsVal: 5_000_000 }
  timeMs = 1_000_000
  #timers: { readonly dueMs: number; readonly action: () => void }[] = []

  /** Set by `canOpen`. */
  open: Machine['open'] = undefined
  /** What has been sent to open connections. */
  readonly opening: SentPacket[] = []

  send(packet: Buffer, lengthBytes: number): number {
    const bytes = Buffer.from(packet.subarray(0, lengthBytes))
    const read = newTcpPacket()
    if (completeChecksum(bytes, 0, lengthBytes) !== 'right' || !readTcpPacket(bytes, 0, lengthBytes, read))
      throw new Error('a packet that no stack takes')
    const { sourcePort, destinationPort, sequence, acknowledgement, flags, window, family } = read
    const source = Buffer.from(bytes.subarray(family.addressesAt, family.addressesAt + family.addressBytes))
    const options = readOptions(bytes, read.optionsAt, read.payloadAt, newTcpOptions())
    const payload = bytes.subarray(read.payloadAt, read.end)
    this.sent.push({ source, sourcePort, destinationPort, sequence, acknowledgement, flags, window, options, payload })
    if (flags === TcpFlag.syn) this.#answer(bytes, read, options)
    return lengthBytes
  }

  /** From now on the kernel opens connections without handshakes, or does what else is said with what is to open one. */
  canOpen(outcome: 'opened' | 'inTheWay' | 'late' = 'opened'): void {
    this.open = (packet, lengthBytes) => {
      this.send(packet, lengthBytes)
      const sent = this.sent.pop()
      if (sent === undefined) throw new Error('nothing was sent')
      this.opening.push(sent)
      const read = newTcpPacket()
      readTcpPacket(packet, 0, lengthBytes, read)
      const entry = this.flows.entries.get(returnKeyOf(packet, read).toString('hex'))
      if (entry === undefined) throw new Error('there is no entry')
      const establish = (): void => void (entry[at.state] = AgentState.established)
      if (outcome === 'opened') establish()
      else if (outcome === 'late') this.after(0.5, establish)
      else entry[at.captured] = Captured.other
      return outcome === 'opened' ? 1 : 0
    }
  }

  nowMs(): number {
    return this.timeMs
  }

  after(delayMs: number, action: () => void): void {
    this.#timers.push({ dueMs: this.timeMs + delayMs, action })
  }

  trust(address: Buffer): void {
    this.trusted.push(address.toString('hex'))
  }

  distrust(address: Buffer): void {
    this.trusted.splice(this.trusted.indexOf(address.toString('hex')), 1)
  }

  /** The process that waited for them is no more. */
  forgetTimers(): void {
    this.#timers = []
  }

  /** Lets time pass, and timers go off. */
  advance(ms: number): void {
    const untilMs = this.timeMs + ms
    for (;;) {
      const next = this.#timers.filter(({ dueMs }) => dueMs <= untilMs).toSorted((a, b) => a.dueMs - b.dueMs)[0]
      if (next === undefined) break
      this.#timers.splice(this.#timers.indexOf(next), 1)
      this.timeMs = Math.max(this.timeMs, next.dueMs)
      next.action()
    }
    this.timeMs = untilMs
  }

  /** As the program does when the server sends something: follows its responses. */
  say(key: Buffer, payload: Buffer): void {
    const entry = this.flows.entries.get(key.toString('hex'))
    if (entry === undefined) throw new Error('there is no such entry')
    const sequence = entry.readUInt32LE(at.sequenceEndMax)
    Answers.encode(followAnswers(Answers.decode(entry.subarray(at.synAck)), sequence, payload), entry, at.synAck)
    this.pass(key, { flags: TcpFlag.ack, sequenceEnd: plus(sequence, payload.length), ack: entry.readUInt32LE(at.lastAck) })
  }

  /** The client's next request comes by the program. */
  ask(key: Buffer, asked: Asked): void {
    const entry = this.flows.entries.get(key.toString('hex'))
    if (entry === undefined) throw new Error('there is no such entry')
    Asked.encode(asked, entry, at.synAck)
    this.pass(key, { flags: TcpFlag.ack, sequenceEnd: asked.end })
  }

  /** As the program does when a packet of the connection comes: counts it in its entry. */
  pass(key: Buffer, { flags, sequenceEnd, ack }: { readonly flags: number; readonly sequenceEnd?: number; readonly ack?: number }): void {
    const entry = this.flows.entries.get(key.toString('hex'))
    if (entry === undefined) throw new Error('there is no such entry')
    entry.writeUInt32LE(entry.readUInt32LE(at.flagsSeen) | flags, at.flagsSeen)
    entry.writeUInt32LE(entry.readUInt32LE(at.packets) + 1, at.packets)
    entry.writeBigUInt64LE(BigInt(Math.round(this.timeMs * 1e6)), at.lastNs)
    if (sequenceEnd !== undefined) entry.writeUInt32LE(sequenceEnd, at.sequenceEndMax)
    if (ack !== undefined) entry.writeUInt32LE(ack, at.lastAck)
  }

  #answer(bytes: Buffer, syn: TcpPacket, asked: TcpOptions): void {
    const behaviour = this.behaviours.length > 1 ? this.behaviours.shift()! : this.behaviours[0]
    const key = returnKeyOf(bytes, syn)
    const capture = (): void => this.#capture(key, behaviour, syn, asked)
    if (behaviour === 'late') this.after(0.5, capture)
    else if (behaviour !== 'silence') capture()
  }

  /** What the program writes into the entry. */
  #capture(key: Buffer, behaviour: SynBehaviour, syn: TcpPacket, asked: TcpOptions): void {
    const entry = this.flows.entries.get(key.toString('hex'))
    if (entry === undefined) return
    const isSynAck = behaviour === 'synAck' || behaviour === 'late'
    const flags = isSynAck ? TcpFlag.syn | TcpFlag.ack : behaviour === 'reset' ? TcpFlag.rst | TcpFlag.ack : TcpFlag.ack
    entry[at.captured] = isSynAck ? Captured.synAck : Captured.other
    entry.writeUInt32LE(flags, at.flagsSeen)
    const segment = newSegment()
    setEnds(segment, Buffer.alloc(16), syn.destinationPort, Buffer.alloc(16), syn.sourcePort)
    segment.sequence = this.sequence
    segment.acknowledgement = plus(syn.sequence, 1)
    segment.flags = flags
    segment.window = this.window
    Object.assign(segment.options, this.options, { tsEcr: asked.tsVal })
    const packet = Buffer.alloc(120)
    writeSegment(segment, packet)
    packet.copy(entry, at.synAck, 40, 100)
  }
}
