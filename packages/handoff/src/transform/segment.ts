/** Makes whole TCP packets for raw sockets, checksums included, in a Buffer of the caller and without an allocation. */

import { checksumOf, pseudoHeaderSum, sumOf } from './checksum.ts'
import { Protocol, familyOf, ipv4 } from './families.ts'
import type { Family } from './families.ts'
import { OptionBytes, OptionKind, newTcpOptions } from './options.ts'
import type { TcpOptions } from './options.ts'
import { TcpAt, TcpFlag, readTcpPacket, newTcpPacket, tcpHeaderBytesMin } from './packet.ts'

/** What a packet is made of; to be filled again and again. Addresses have 16 bytes. */
export interface Segment {
  source: Uint8Array
  destination: Uint8Array
  sourcePort: number
  destinationPort: number
  sequence: number
  acknowledgement: number
  /** `TcpFlag`. */
  flags: number
  /** As in the header: scaled already. */
  window: number
  /** MSS, window scale and SACK-permitted go into a SYN only. */
  readonly options: TcpOptions
  /** Bytes from `payloadFrom` to `payloadEnd` of it. */
  payload: Uint8Array
  payloadFrom: number
  payloadEnd: number
}

const nowhere = Buffer.alloc(16)
const nothing = Buffer.alloc(0)
const hopLimit = 64

/** An empty one. */
export const newSegment = (): Segment => ({
  source: nowhere,
  destination: nowhere,
  sourcePort: 0,
  destinationPort: 0,
  sequence: 0,
  acknowledgement: 0,
  flags: 0,
  window: 0,
  options: newTcpOptions(),
  payload: nothing,
  payloadFrom: 0,
  payloadEnd: 0,
})

/** Sets a segment's addresses and ports. */
export function setEnds(segment: Segment, source: Uint8Array, sourcePort: number, destination: Uint8Array, destinationPort: number): void {
  segment.source = source
  segment.sourcePort = sourcePort
  segment.destination = destination
  segment.destinationPort = destinationPort
}

/** Takes options and payload away: what a RST has, say. */
export function setBare(segment: Segment): void {
  segment.options.mss = 0
  segment.options.windowScale = -1
  segment.options.sackPermitted = segment.options.timestamps = false
  segment.payload = nothing
  segment.payloadFrom = segment.payloadEnd = 0
}

/** The longest header: IPv6, and TCP with all options. `target` of `writeSegment` has room for this and the payload. */
export const segmentHeaderBytesMax = 40 + 60

/** Writes an IP header; `lengthBytes` of what follows it. */
export function writeIpHeader(
  target: Buffer,
  at: number,
  header: { readonly source: Uint8Array; readonly destination: Uint8Array },
  protocol: number,
  lengthBytes: number,
): Family {
  const family = familyOf(header.destination)
  target.fill(0, at, at + family.headerBytes)
  if (family === ipv4) {
    target[at] = 0x45
    target.writeUInt16BE(family.headerBytes + lengthBytes, at + 2)
    target[at + 6] = 0x40 // Don't fragment.
  } else {
    target[at] = 0x60
    target.writeUInt16BE(lengthBytes, at + 4)
  }
  target[at + family.protocolAt] = protocol
  target[at + family.hopLimitAt] = hopLimit
  const addressesAt = at + family.addressesAt
  for (let i = 0, from = family.inMapped; i < family.addressBytes; i++, from++) {
    target[addressesAt + i] = header.source[from]
    target[addressesAt + family.addressBytes + i] = header.destination[from]
  }
  if (family === ipv4) target.writeUInt16BE(checksumOf(sumOf(target, at, at + family.headerBytes)), at + 10)
  return family
}

/** Writes the packet at `at`, from the IP header on. Returns its length. */
export function writeSegment(segment: Segment, target: Buffer, at = 0): number {
  const family = familyOf(segment.destination)
  const tcpAt = at + family.headerBytes
  const optionsEnd = writeOptions(segment, target, tcpAt + tcpHeaderBytesMin)
  const payloadBytes = segment.payloadEnd - segment.payloadFrom
  const end = optionsEnd + payloadBytes
  writeIpHeader(target, at, segment, Protocol.tcp, end - tcpAt)
  target.writeUInt16BE(segment.sourcePort, tcpAt + TcpAt.sourcePort)
  target.writeUInt16BE(segment.destinationPort, tcpAt + TcpAt.destinationPort)
  target.writeUInt32BE(segment.sequence, tcpAt + TcpAt.sequence)
  target.writeUInt32BE(segment.acknowledgement, tcpAt + TcpAt.acknowledgement)
  target[tcpAt + TcpAt.dataOffset] = ((optionsEnd - tcpAt) >> 2) << 4
  target[tcpAt + TcpAt.flags] = segment.flags
  target.writeUInt16BE(segment.window, tcpAt + TcpAt.window)
  target.writeUInt32BE(0, tcpAt + TcpAt.checksum)
  if (payloadBytes > 0) target.set(segment.payload.subarray(segment.payloadFrom, segment.payloadEnd), optionsEnd)
  target.writeUInt16BE(tcpChecksum(target, at, family, tcpAt, end), tcpAt + TcpAt.checksum)
  return end - at
}

/** The checksum of what is from `tcpAt` on, its own field included: 0 for one that is right. */
function tcpChecksum(bytes: Buffer, at: number, family: Family, tcpAt: number, end: number): number {
  return checksumOf(sumOf(bytes, tcpAt, end, pseudoSum(bytes, at, family, tcpAt, end)))
}

const pseudoSum = (bytes: Buffer, at: number, family: Family, tcpAt: number, end: number): number =>
  sumOf(bytes, at + family.addressesAt, at + family.addressesAt + 2 * family.addressBytes, pseudoHeaderSum(Protocol.tcp, end - tcpAt))

/** As Linux orders them: 4-byte groups, so that no padding is needed at the end. */
function writeOptions(segment: Segment, target: Buffer, at: number): number {
  const { options } = segment
  const isSyn = (segment.flags & TcpFlag.syn) !== 0
  let end = at
  if (isSyn && options.mss > 0) {
    target[end] = OptionKind.mss
    target[end + 1] = OptionBytes.mss
    target.writeUInt16BE(options.mss, end + 2)
    end += 4
  }
  if (isSyn && options.sackPermitted) end = writePair(target, end, OptionKind.sackPermitted, OptionBytes.sackPermitted, options.timestamps)
  else if (options.timestamps) end = writePair(target, end, OptionKind.noOperation, OptionKind.noOperation, true)
  if (options.timestamps) {
    target[end] = OptionKind.timestamps
    target[end + 1] = OptionBytes.timestamps
    target.writeUInt32BE(options.tsVal, end + 2)
    target.writeUInt32BE(options.tsEcr, end + 6)
    end += 10
  }
  if (isSyn && options.windowScale >= 0) {
    target[end] = OptionKind.noOperation
    target[end + 1] = OptionKind.windowScale
    target[end + 2] = OptionBytes.windowScale
    target[end + 3] = options.windowScale
    end += 4
  }
  return end
}

/** Two bytes; in front of timestamps they make a group, alone they get NOPs. */
function writePair(target: Buffer, at: number, first: number, second: number, isGroup: boolean): number {
  target[at] = first
  target[at + 1] = second
  if (isGroup) return at + 2
  target[at + 2] = target[at + 3] = OptionKind.noOperation
  return at + 4
}

const sealed = newTcpPacket()

/** What a packet's TCP checksum was. */
export type ChecksumState = 'right' | 'completed' | 'wrong' | 'none'

/**
 * Looks at the TCP checksum of a packet that came up from a program. A sender on the same machine leaves it to its device (CHECKSUM_PARTIAL): there is the sum of the pseudo header
 * in its place, and it is written now (`completed`). One that is neither belongs to a damaged packet (`wrong`); `none` is what is no TCP packet.
 */
export function completeChecksum(bytes: Buffer, at: number, end: number): ChecksumState {
  if (!readTcpPacket(bytes, at, end, sealed)) return 'none'
  const { family, tcpAt } = sealed
  const checksum = tcpChecksum(bytes, at, family, tcpAt, sealed.end)
  if (checksum === 0) return 'right'
  const field = tcpAt + TcpAt.checksum
  if (bytes.readUInt16BE(field) !== pseudoSum(bytes, at, family, tcpAt, sealed.end)) return 'wrong'
  bytes.writeUInt16BE(0, field)
  bytes.writeUInt16BE(tcpChecksum(bytes, at, family, tcpAt, sealed.end), field)
  return 'completed'
}
