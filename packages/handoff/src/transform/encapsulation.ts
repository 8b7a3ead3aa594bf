/** A packet in a UDP datagram: how it gets to a server agent over routers, and to the director's own agent. */

import { writeIpHeader } from './segment.ts'
import { Protocol, familyOf } from './families.ts'
import { plainFamily } from './packet.ts'

/** Ends of the datagram. */
export interface Outer {
  /** 16 bytes. */
  readonly source: Uint8Array
  readonly destination: Uint8Array
  readonly sourcePort: number
  readonly destinationPort: number
}

/** Length of a UDP header. */
export const udpHeaderBytes = 8

/** True when a datagram's payload is a packet: IP's version is in its first four bits, and no message of the protocol begins so. */
export const isWrapped = (payload: Uint8Array, at = 0): boolean => payload[at] >>> 4 === 4 || payload[at] >>> 4 === 6

/** The packet in a datagram. The UDP checksum is 0, there is none: the packet has its own (RFC 6936 says why that will do for IPv6). */
export function wrap(packet: Buffer, outer: Outer): Buffer {
  const target = Buffer.alloc(40 + udpHeaderBytes + packet.length)
  const { headerBytes } = writeIpHeader(target, 0, outer, Protocol.udp, udpHeaderBytes + packet.length)
  target.writeUInt16BE(outer.sourcePort, headerBytes)
  target.writeUInt16BE(outer.destinationPort, headerBytes + 2)
  target.writeUInt16BE(udpHeaderBytes + packet.length, headerBytes + 4)
  packet.copy(target, headerBytes + udpHeaderBytes)
  return target.subarray(0, headerBytes + udpHeaderBytes + packet.length)
}

/** What a datagram to `destination` (16 bytes) and its port carries: undefined when it is no datagram to it, or no packet is in it. */
export function unwrap(datagram: Buffer, destination: Uint8Array, destinationPort: number): Buffer | undefined {
  const family = plainFamily(datagram, 0, datagram.length)
  if (family === undefined || datagram[family.protocolAt] !== Protocol.udp) return undefined
  const packetAt = family.headerBytes + udpHeaderBytes
  const to = family.addressesAt + family.addressBytes
  if (datagram.length <= packetAt || !isWrapped(datagram, packetAt)) return undefined
  const isHere = familyOf(destination) === family && datagram.compare(destination, family.inMapped, 16, to, to + family.addressBytes) === 0
  return isHere && datagram.readUInt16BE(family.headerBytes + 2) === destinationPort ? datagram.subarray(packetAt) : undefined
}
