/** What the director's program does with a client's packet that has an entry, without a kernel: the program is held against this. */

import { DirectorAction, replacedFlag, resetFlag } from '../bpf/entries.ts'
import type { DirectorEntry } from '../bpf/entries.ts'
import { notedFlags } from './notes.ts'
import { TcpFlag, newTcpPacket, readTcpPacket, sequenceEndOf } from './packet.ts'
import type { TcpPacket } from './packet.ts'
import { ahead, plus } from './sequence.ts'

/** `pass`: to the director's own stack; `forward`: to the owner; `raise`: up to the agent. */
export interface Direction {
  readonly where: 'pass' | 'forward' | 'raise'
  readonly entry: DirectorEntry
}

const over = TcpFlag.fin | TcpFlag.rst

/** What is known of requests: who, of the owner's address and port, has a target, and whether bytes are a header section that has been seen. */
export interface Known {
  isOwner(entry: DirectorEntry, target: string): boolean
  isHeader(bytes: Buffer): boolean
}

const nothing: Known = { isOwner: () => false, isHeader: () => false }

/** Decides about an IP packet. The entry is not changed; the result has a copy that is. */
export function direct(packet: Buffer, entry: DirectorEntry, nowNs = 0, known = nothing): Direction {
  const headers = newTcpPacket()
  if (!readTcpPacket(packet, 0, packet.length, headers)) return { where: 'pass', entry }
  const isSyn = (headers.flags & (TcpFlag.syn | TcpFlag.ack)) === TcpFlag.syn
  const counted: DirectorEntry = { ...entry, packets: entry.packets + 1, bytes: entry.bytes + headers.end - headers.at, lastNs: nowNs }
  if ((entry.flagsSeen & replacedFlag) !== 0) return { where: 'pass', entry: counted }
  // The client uses its port again: the entry is of a connection that is over (RFC 9293 3.6.1).
  if (isSyn && (entry.flagsSeen & over) !== 0) return { where: 'pass', entry: { ...counted, flagsSeen: entry.flagsSeen | replacedFlag } }
  if (isSyn) return { where: whereTo(headers, entry), entry: counted }
  const flagsSeen = entry.flagsSeen | notedFlags(headers.flags, ahead(headers.sequence, entry.lastSequenceEnd))
  if ((headers.flags & TcpFlag.rst) !== 0) {
    const isExpected = headers.sequence === entry.lastSequenceEnd
    return { where: whereTo(headers, entry), entry: { ...counted, flagsSeen: isExpected ? flagsSeen | resetFlag : flagsSeen } }
  }
  const noted: DirectorEntry = {
    ...counted,
    flagsSeen,
    lastAck: (headers.flags & TcpFlag.ack) === 0 ? entry.lastAck : headers.acknowledgement,
    lastSequenceEnd: sequenceEndOf(headers),
  }
  if (isKnown(packet, headers, entry, known)) {
    const requestAt = leads + plus(headers.sequence, headers.end - headers.payloadAt)
    return { where: 'forward', entry: { ...noted, requestAt, requestAck: headers.acknowledgement } }
  }
  return { where: whereTo(headers, entry), entry: noted }
}

/** In `requestAt`: the program decides about requests. */
const leads = 0x1_0000_0000
const usualFlags = TcpFlag.ack | TcpFlag.psh

/** Whether the packet is the client's next request, and known to be the owner's. */
function isKnown(packet: Buffer, headers: TcpPacket, entry: DirectorEntry, known: Known): boolean {
  if (entry.action !== DirectorAction.split || entry.requestAt !== leads + headers.sequence) return false
  if ((headers.flags | TcpFlag.psh) !== usualFlags) return false
  const request = readKnownRequest(packet.subarray(headers.payloadAt, headers.end))
  return request !== undefined && known.isOwner(entry, request.target) && known.isHeader(request.header)
}

/** Longest `GET` with target, and longest header section, that are looked at. */
const [lineBytesMax, headerBytesMax] = [255, 512]

/** The parts of a request without content, as the program tells them apart: the target is in origin form (RFC 9112 3.2.1), and the header section is all that is left, whatever it says. */
export function readKnownRequest(payload: Buffer): { readonly target: string; readonly header: Buffer } | undefined {
  const line = /^GET (\/[!"$-~]*) HTTP\/1\.1\r\n/.exec(payload.toString('latin1'))
  const target = line?.[1]
  if (line === null || target === undefined || 'GET '.length + target.length > lineBytesMax) return undefined
  const header = payload.subarray(line[0].length)
  return header.length === 0 || header.length > headerBytesMax ? undefined : { target, header }
}

function whereTo(headers: TcpPacket, entry: DirectorEntry): Direction['where'] {
  const payloadBytes = headers.end - headers.payloadAt
  if (entry.action === DirectorAction.forward) return 'forward'
  if (entry.action === DirectorAction.hold) return 'raise'
  if (entry.action !== DirectorAction.split) return 'pass'
  const until = entry.requestAt === 0 ? entry.forwardUntil : entry.requestAt - leads
  return payloadBytes === 0 || ahead(until, plus(headers.sequence, payloadBytes)) >= 0 ? 'forward' : 'raise'
}
