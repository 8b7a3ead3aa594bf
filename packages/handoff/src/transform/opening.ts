/** What the director's program does with the packets of a connection that it opens itself, without a kernel: the program is held against this. */

import type { OpeningEntry } from '../bpf/entries.ts'
import { HandoffOptions } from '../protocol/messages.ts'
import { sumOf, updated } from './checksum.ts'
import type { Family } from './families.ts'
import { OptionBytes, OptionKind, mssDefault, windowScaleMax } from './options.ts'
import { TcpAt, TcpFlag, newTcpPacket, readTcpPacket, tcpHeaderBytesMin } from './packet.ts'
import type { TcpPacket } from './packet.ts'
import { plus } from './sequence.ts'

/** What the director adds of its own. */
export interface Ours {
  readonly serverSequence: number
  readonly mss: number
  readonly nowNs: number
}

/** A SYN that has been answered: what is agreed, and the SYN-ACK. */
export interface Answered {
  readonly opening: OpeningEntry
  readonly synAck: Buffer
}

/** The scale of our windows. */
const directorScale = 7
const hopLimit = 64
const ipv4ChecksumAt = 10
const deciding = TcpFlag.syn | TcpFlag.ack | TcpFlag.rst | TcpFlag.fin
const headers = newTcpPacket()

/** Answers a SYN without payload whose options make sense; undefined for all else. */
export function answer(packet: Buffer, ours: Ours): Answered | undefined {
  if (!readTcpPacket(packet, 0, packet.length, headers)) return undefined
  if ((headers.flags & deciding) !== TcpFlag.syn || headers.payloadAt !== headers.end) return undefined
  const places = placesOf(packet, headers)
  if (places === undefined) return undefined
  const opening = agree(packet, headers, places, ours)
  return { opening, synAck: synAckOf(packet, headers, places, { ...ours, opening }) }
}

type Spoken = 'mss' | 'windowScale' | 'sackPermitted' | 'timestamps'
const spoken: readonly Spoken[] = ['mss', 'windowScale', 'sackPermitted', 'timestamps']
/** Where an option begins. */
type Places = ReadonlyMap<Spoken, number>

/** Of options that come twice, the last. Undefined: a length makes no sense. */
function placesOf(bytes: Buffer, { optionsAt, payloadAt }: TcpPacket): Places | undefined {
  const places = new Map<Spoken, number>()
  for (let at = optionsAt; at + 1 < payloadAt && bytes[at] !== OptionKind.end;) {
    if (bytes[at] === OptionKind.noOperation) {
      at++
      continue
    }
    const length = bytes[at + 1]
    if (length < 2 || at + length > payloadAt) return undefined
    const option = spoken.find(name => OptionKind[name] === bytes[at] && OptionBytes[name] === length)
    if (option !== undefined) places.set(option, at)
    at += length
  }
  return places
}

function agree(bytes: Buffer, { family, sequence }: TcpPacket, places: Places, { serverSequence, nowNs }: Ours): OpeningEntry {
  const number = (option: Spoken, read: (at: number) => number): number => {
    const at = places.get(option)
    return at === undefined ? 0 : read(at + 2)
  }
  return {
    clientSequence: sequence,
    serverSequence,
    tsVal: number('timestamps', at => bytes.readUInt32BE(at)),
    tsDirector: number('timestamps', () => Math.floor(nowNs / 1e6) >>> 0),
    mss: number('mss', at => bytes.readUInt16BE(at)) || mssDefault(family),
    options:
      (places.has('timestamps') ? HandoffOptions.timestamps : 0) |
      (places.has('sackPermitted') ? HandoffOptions.sack : 0) |
      (places.has('windowScale') ? HandoffOptions.windowScale : 0),
    clientScale: number('windowScale', at => Math.min(windowScaleMax, bytes[at])),
    directorScale: number('windowScale', () => directorScale),
    receiveWindow: 0xffff,
    lastNs: nowNs,
  }
}

function synAckOf(syn: Buffer, packet: TcpPacket, places: Places, { mss, opening }: Ours & { readonly opening: OpeningEntry }): Buffer {
  const { family, at, tcpAt, optionsAt, payloadAt } = packet
  const bytes = Buffer.from(syn)
  bytes.writeUInt16BE(packet.destinationPort, tcpAt + TcpAt.sourcePort)
  bytes.writeUInt16BE(packet.sourcePort, tcpAt + TcpAt.destinationPort)
  bytes.writeUInt32BE(opening.serverSequence, tcpAt + TcpAt.sequence)
  bytes.writeUInt32BE(plus(opening.clientSequence, 1), tcpAt + TcpAt.acknowledgement)
  bytes[tcpAt + TcpAt.dataOffset] = ((payloadAt - tcpAt) / 4) << 4
  bytes[tcpAt + TcpAt.flags] = TcpFlag.syn | TcpFlag.ack
  bytes.writeUInt16BE(opening.receiveWindow, tcpAt + TcpAt.window)
  bytes.writeUInt16BE(0, tcpAt + TcpAt.urgent)
  bytes.fill(OptionKind.noOperation, optionsAt, payloadAt)
  const values: Readonly<Record<Spoken, Buffer>> = {
    mss: Buffer.of(mss >>> 8, mss & 0xff),
    windowScale: Buffer.of(directorScale),
    sackPermitted: Buffer.alloc(0),
    timestamps: Buffer.alloc(8),
  }
  values.timestamps.writeUInt32BE(opening.tsDirector, 0)
  values.timestamps.writeUInt32BE(opening.tsVal, 4)
  for (const [option, place] of places) Buffer.of(OptionKind[option], OptionBytes[option], ...values[option]).copy(bytes, place)
  turn(bytes, at, family)
  update(syn, bytes, tcpAt + TcpAt.checksum, tcpAt, tcpAt + tcpHeaderBytesMin + payloadAt - optionsAt)
  if (family.version === 4) update(syn, bytes, at + ipv4ChecksumAt, at, tcpAt)
  return bytes
}

/** The IP header of what goes back: of no traffic class, and not yet routed. */
function turn(bytes: Buffer, at: number, { version, addressesAt, addressBytes, hopLimitAt }: Family): void {
  const [source, destination] = [at + addressesAt, at + addressesAt + addressBytes]
  const sender = Buffer.from(bytes.subarray(source, destination))
  bytes.copyWithin(source, destination, destination + addressBytes)
  sender.copy(bytes, destination)
  bytes[at + hopLimitAt] = hopLimit
  if (version === 4) bytes[at + 1] = 0
  else bytes.writeUInt32BE(0x6000_0000, at)
}

/** A checksum that was right stays so, one that was wrong stays wrong. */
function update(before: Buffer, bytes: Buffer, checksumAt: number, from: number, end: number): void {
  const checksum = before.readUInt16BE(checksumAt)
  bytes.writeUInt16BE(updated(checksum, sumOf(before, from, end), sumOf(bytes, from, end)), checksumAt)
}

/** What becomes of a packet of a connection that has an opening: `others` is for whoever else has it. */
export type Followed = 'raised' | 'swallowed' | 'ended' | 'others'

/** Of a packet that is no SYN. */
export function follow(packet: Buffer, { clientSequence, serverSequence }: OpeningEntry): Followed {
  if (!readTcpPacket(packet, 0, packet.length, headers)) return 'others'
  const { flags, sequence, acknowledgement, payloadAt, end } = headers
  if ((flags & TcpFlag.rst) !== 0) return sequence === plus(clientSequence, 1) ? 'ended' : 'raised'
  if ((flags & (TcpFlag.syn | TcpFlag.ack)) !== TcpFlag.ack || acknowledgement !== plus(serverSequence, 1)) return 'others'
  return end > payloadAt || (flags & TcpFlag.fin) !== 0 ? 'raised' : 'swallowed'
}
