/**
 * What the server agent's programs do with a packet that has an entry, without a kernel: the programs are held against this, byte by byte.
 * It is written to be read, not to be fast.
 */

import { AgentState, Answers, Asked, Captured, tcpHeaderBytesMax } from '../bpf/entries.ts'
import type { AgentEntry } from '../bpf/entries.ts'
import { followAnswers, noteAsked } from './answers.ts'
import { sumOf, updated } from './checksum.ts'
import { ipv4 } from './families.ts'
import type { Family } from './families.ts'
import { notedFlags } from './notes.ts'
import { OptionBytes, OptionKind, eachOption } from './options.ts'
import { TcpAt, TcpFlag, newTcpPacket, readTcpPacket, sequenceEndOf } from './packet.ts'
import type { TcpPacket } from './packet.ts'
import { ahead, furthest, plus } from './sequence.ts'

/** `pass`: as it came; `changed`: goes on, changed; `captured` and `dropped`: goes no further. */
export type Verdict = 'pass' | 'changed' | 'captured' | 'dropped'

/** What comes of a packet and of its entry. */
export interface Transformed {
  readonly verdict: Verdict
  readonly packet: Buffer
  readonly entry: AgentEntry
}

const synAck = TcpFlag.syn | TcpFlag.ack
const over = TcpFlag.fin | TcpFlag.rst

/** Transforms an IP packet (behind which there may be padding) as its entry says. Neither is changed; the results are copies where they differ. */
export function transform(packet: Buffer, entry: AgentEntry, nowNs = 0): Transformed {
  const headers = newTcpPacket()
  if (!readTcpPacket(packet, 0, packet.length, headers) || entry.state === AgentState.dead) return { verdict: 'pass', packet, entry }
  if (entry.state === AgentState.established && entry.direction === 0 && (headers.flags & synAck) === synAck) {
    // The server answers a connection of its own, with addresses and ports that lie here still; or one that was answered long since.
    const isOver = (entry.flagsSeen & over) !== 0
    return { verdict: isOver ? 'pass' : 'dropped', packet, entry: isOver ? { ...entry, state: AgentState.dead } : entry }
  }
  const counted: AgentEntry = {
    ...entry,
    packets: entry.packets + 1,
    bytes: entry.bytes + headers.end - headers.at,
    lastNs: nowNs,
    flagsSeen: entry.flagsSeen | flagsOf(headers, entry),
  }
  if (entry.state === AgentState.handshake) return capture(packet, headers, counted)
  const changed = Buffer.from(packet)
  changeTcp(changed, headers, entry)
  changeAddresses(changed, headers, entry)
  return { verdict: 'changed', packet: changed, entry: { ...counted, ...furthestOf(headers, entry), synAck: follow(changed, headers, entry) } }
}

/** What is known of requests and responses, where the SYN-ACK was. */
function follow(changed: Buffer, headers: TcpPacket, { direction, synAck: before }: AgentEntry): Buffer {
  const sequence = changed.readUInt32BE(headers.tcpAt + TcpAt.sequence)
  const payload = changed.subarray(headers.payloadAt, headers.end)
  const after = Buffer.from(before)
  if (direction === 0) Answers.encode(followAnswers(Answers.decode(before), sequence, payload), after, 0)
  else Asked.encode(noteAsked(Asked.decode(before), sequence, payload), after, 0)
  return after
}

/** Of the server's answer to a SYN, all count: where it has got to is not known yet. */
const flagsOf = ({ flags, sequence }: TcpPacket, { state, addSequence, sequenceEndMax }: AgentEntry): number =>
  state === AgentState.established ? notedFlags(flags, ahead(plus(sequence, addSequence), sequenceEndMax)) : flags

function capture(packet: Buffer, headers: TcpPacket, entry: AgentEntry): Transformed {
  const isSynAck = (headers.flags & synAck) === synAck
  // What is other than a SYN-ACK does not take the place of one.
  if (!isSynAck) {
    const captured = entry.captured === Captured.nothing ? Captured.other : entry.captured
    return { verdict: 'captured', packet, entry: { ...entry, captured } }
  }
  const header = Buffer.alloc(tcpHeaderBytesMax)
  packet.copy(header, 0, headers.tcpAt, headers.payloadAt)
  return { verdict: 'captured', packet, entry: { ...entry, captured: Captured.synAck, synAck: header } }
}

function furthestOf(headers: TcpPacket, entry: AgentEntry): Pick<AgentEntry, 'sequenceEndMax' | 'lastAck'> {
  return {
    // What only acknowledges may stand behind bytes that another owner gets.
    sequenceEndMax:
      sequenceEndOf(headers) === headers.sequence
        ? entry.sequenceEndMax
        : furthest(plus(sequenceEndOf(headers), entry.addSequence), entry.sequenceEndMax),
    lastAck: (headers.flags & TcpFlag.ack) === 0 ? entry.lastAck : plus(headers.acknowledgement, entry.addAcknowledgement),
  }
}

const add = (bytes: Buffer, at: number, difference: number): void => void bytes.writeUInt32BE(plus(bytes.readUInt32BE(at), difference), at)

/** The TCP header, and its checksum by what changed in it. */
function changeTcp(bytes: Buffer, headers: TcpPacket, entry: AgentEntry): void {
  const { tcpAt, payloadAt } = headers
  const checksum = bytes.readUInt16BE(tcpAt + TcpAt.checksum)
  const before = sumOf(bytes, tcpAt, payloadAt)
  bytes.writeUInt16BE(entry.newSourcePort, tcpAt + TcpAt.sourcePort)
  bytes.writeUInt16BE(entry.newDestinationPort, tcpAt + TcpAt.destinationPort)
  add(bytes, tcpAt + TcpAt.sequence, entry.addSequence)
  add(bytes, tcpAt + TcpAt.acknowledgement, entry.addAcknowledgement)
  // A window in a SYN is not scaled (RFC 7323 2.2).
  if ((headers.flags & TcpFlag.syn) === 0) bytes.writeUInt16BE(rescaled(headers.window, entry), tcpAt + TcpAt.window)
  changeOptions(bytes, headers, entry)
  bytes.writeUInt16BE(updated(checksum, before, sumOf(bytes, tcpAt, payloadAt)), tcpAt + TcpAt.checksum)
}

/** A window from the one scale to the other; what is open stays so. */
export function rescaled(window: number, scales: Pick<AgentEntry, 'windowScaleFrom' | 'windowScaleTo'>): number {
  if (window === 0 || scales.windowScaleFrom === scales.windowScaleTo) return window
  const bytes = window * 2 ** scales.windowScaleFrom
  return Math.min(0xffff, Math.max(1, Math.floor(bytes / 2 ** scales.windowScaleTo)))
}

function changeOptions(bytes: Buffer, headers: TcpPacket, entry: AgentEntry): void {
  eachOption(bytes, headers.optionsAt, headers.payloadAt, (kind, at, lengthBytes) => {
    if (kind === OptionKind.timestamps && lengthBytes === OptionBytes.timestamps) {
      add(bytes, at + 2, entry.addTsVal)
      if (bytes.readUInt32BE(at + 6) !== 0) add(bytes, at + 6, entry.addTsEcr)
    }
    if (kind !== OptionKind.sack) return
    for (let block = at + 2; block + OptionBytes.sackBlock <= at + lengthBytes; block += OptionBytes.sackBlock) {
      add(bytes, block, entry.addAcknowledgement)
      add(bytes, block + 4, entry.addAcknowledgement)
    }
  })
}

/** The addresses; the checksums of both headers by what changed in them. */
function changeAddresses(bytes: Buffer, headers: TcpPacket, entry: AgentEntry): void {
  const { family, at, tcpAt } = headers
  const from = at + family.addressesAt
  const before = sumOf(bytes, from, from + 2 * family.addressBytes)
  writeAddresses(bytes, from, family, entry.newSource, entry.newDestination)
  const after = sumOf(bytes, from, from + 2 * family.addressBytes)
  bytes.writeUInt16BE(updated(bytes.readUInt16BE(tcpAt + TcpAt.checksum), before, after), tcpAt + TcpAt.checksum)
  if (family === ipv4) bytes.writeUInt16BE(updated(bytes.readUInt16BE(at + 10), before, after), at + 10)
}

/** Writes both addresses (of 16 bytes) of a header. */
export function writeAddresses(bytes: Buffer, at: number, family: Family, source: Buffer, destination: Buffer): void {
  source.copy(bytes, at, family.inMapped, 16)
  destination.copy(bytes, at + family.addressBytes, family.inMapped, 16)
}
