/** A TCP packet where it lies: IPv4 without options and not fragmented, or IPv6 without extension headers. Nothing else is changed on its way. */

import { Protocol, ipv4, ipv6 } from './families.ts'
import type { Family } from './families.ts'

/** TCP flags (RFC 9293 3.1). */
export const TcpFlag = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16, urg: 32 } as const

/** Bytes of a TCP header without options, and at most. */
export const tcpHeaderBytesMin = 20

/** Fields of a TCP header, from its first byte on. */
export const TcpAt = {
  sourcePort: 0,
  destinationPort: 2,
  sequence: 4,
  acknowledgement: 8,
  dataOffset: 12,
  flags: 13,
  window: 14,
  checksum: 16,
  urgent: 18,
} as const

/** Where things are in a packet, and what its TCP header says; to be filled again and again. All positions count from the beginning of the Buffer. */
export interface TcpPacket {
  family: Family
  /** Of the IP header. */
  at: number
  tcpAt: number
  optionsAt: number
  payloadAt: number
  end: number
  sourcePort: number
  destinationPort: number
  sequence: number
  acknowledgement: number
  flags: number
  /** As it is in the header: not scaled. */
  window: number
}

/** An empty one. */
export const newTcpPacket = (): TcpPacket => ({
  family: ipv4,
  at: 0,
  tcpAt: 0,
  optionsAt: 0,
  payloadAt: 0,
  end: 0,
  sourcePort: 0,
  destinationPort: 0,
  sequence: 0,
  acknowledgement: 0,
  flags: 0,
  window: 0,
})

/** The family of a packet whose IP header may be changed: IPv4 without options and not fragmented, or IPv6. Undefined for all else. */
export function plainFamily(bytes: Buffer, at: number, end: number): Family | undefined {
  const family = bytes[at] === 0x45 ? ipv4 : bytes[at] >>> 4 === 6 ? ipv6 : undefined
  if (family === undefined || end - at < family.headerBytes) return undefined
  // More fragments, or a fragment's offset (RFC 791 3.1).
  return family === ipv4 && (bytes.readUInt16BE(at + 6) & 0x3fff) !== 0 ? undefined : family
}

/** Where an IP packet ends by its header. What is longer than the header can say has 0 there (Linux, BIG TCP): all there is. */
export function endByHeader(bytes: Buffer, at: number, end: number, family: Family): number {
  const said = family === ipv4 ? bytes.readUInt16BE(at + 2) : bytes.readUInt16BE(at + 4)
  if (said === 0) return end
  return at + said + (family === ipv4 ? 0 : family.headerBytes)
}

/** Reads the headers of the IP packet from `at` to `end` (behind which the link may have put padding). False when it is none that may be changed. */
export function readTcpPacket(bytes: Buffer, at: number, end: number, into: TcpPacket): boolean {
  const family = plainFamily(bytes, at, end)
  if (family === undefined || bytes[at + family.protocolAt] !== Protocol.tcp) return false
  const tcpAt = at + family.headerBytes
  if (end - tcpAt < tcpHeaderBytesMin) return false
  const packetEnd = endByHeader(bytes, at, end, family)
  const headerBytes = (bytes[tcpAt + TcpAt.dataOffset] >> 4) * 4
  if (packetEnd > end || headerBytes < tcpHeaderBytesMin || tcpAt + headerBytes > packetEnd) return false
  into.family = family
  into.at = at
  into.tcpAt = tcpAt
  into.optionsAt = tcpAt + tcpHeaderBytesMin
  into.payloadAt = tcpAt + headerBytes
  into.end = packetEnd
  into.sourcePort = bytes.readUInt16BE(tcpAt + TcpAt.sourcePort)
  into.destinationPort = bytes.readUInt16BE(tcpAt + TcpAt.destinationPort)
  into.sequence = bytes.readUInt32BE(tcpAt + TcpAt.sequence)
  into.acknowledgement = bytes.readUInt32BE(tcpAt + TcpAt.acknowledgement)
  into.flags = bytes[tcpAt + TcpAt.flags]
  into.window = bytes.readUInt16BE(tcpAt + TcpAt.window)
  return true
}

/** The sequence number after a packet: SYN and FIN count as one each (RFC 9293 3.4). */
export const sequenceEndOf = (packet: TcpPacket): number =>
  (packet.sequence + packet.end - packet.payloadAt + (packet.flags & TcpFlag.fin) + ((packet.flags & TcpFlag.syn) >> 1)) >>> 0

const mappedPrefix = Buffer.from('00000000000000000000ffff', 'hex')

/** Writes a packet's `FlowKey` (36 bytes): its addresses and ports as it has them. */
export function writeKeyOf(bytes: Buffer, packet: TcpPacket, key: Buffer): void {
  const { family, at, tcpAt } = packet
  const addressesAt = at + family.addressesAt
  if (family === ipv4) {
    mappedPrefix.copy(key, 0)
    mappedPrefix.copy(key, 16)
  }
  bytes.copy(key, family.inMapped, addressesAt, addressesAt + family.addressBytes)
  bytes.copy(key, 16 + family.inMapped, addressesAt + family.addressBytes, addressesAt + 2 * family.addressBytes)
  bytes.copy(key, 32, tcpAt, tcpAt + 4)
}

/** Copies an address of 16 bytes: for so few, a loop beats the call into the runtime. */
export function copyAddress(target: Uint8Array, at: number, address: Uint8Array): void {
  for (let i = 0; i < 16; i++) target[at + i] = address[i]
}

/** Writes a `FlowKey` of addresses and ports. */
export function writeFlowKey(key: Buffer, source: Uint8Array, destination: Uint8Array, sourcePort: number, destinationPort: number): void {
  copyAddress(key, 0, source)
  copyAddress(key, 16, destination)
  key.writeUInt16BE(sourcePort, 32)
  key.writeUInt16BE(destinationPort, 34)
}
