/**
 * Errors that routers report about packets of a connection (RFC 792, RFC 4443): "too big" above all, without which the server never learns how long its packets may be. A router on the way to
 * the client saw a packet of the VIP, so its error goes to the director; there it follows the connection, and at the server it is about the packet that the server has sent.
 */

import type { AgentEntry } from '../bpf/entries.ts'
import { sumOf, updated } from './checksum.ts'
import { Protocol, ipv4 } from './families.ts'
import type { Family } from './families.ts'
import { plainFamily } from './packet.ts'
import { plus } from './sequence.ts'
import { writeAddresses } from './transform.ts'

/** Types of errors: destination unreachable (with "fragmentation needed"), time exceeded, parameter problem (RFC 792). */
export const icmpErrors: readonly number[] = [3, 11, 12]
/** Types of errors: destination unreachable, packet too big, time exceeded, parameter problem (RFC 4443). */
export const icmp6Errors: readonly number[] = [1, 2, 3, 4]

/** The errors of a family. */
export const errorsOf = (family: Family): readonly number[] => (family === ipv4 ? icmpErrors : icmp6Errors)

/** Bytes in front of the packet that an error is about. */
export const icmpHeaderBytes = 8
/** Of that packet's TCP header no more is sure to be there: ports and sequence number (RFC 792). */
export const embeddedTcpBytes = 8

/** Where things are in an error. */
export interface IcmpError {
  readonly family: Family
  readonly icmpAt: number
  /** The header of the packet it is about. */
  readonly embeddedAt: number
  readonly embeddedTcpAt: number
}

/** Finds what an IP packet reports; undefined when it is no error about a TCP packet of the one it goes to. */
export function readIcmpError(packet: Buffer): IcmpError | undefined {
  const family = plainFamily(packet, 0, packet.length)
  if (family === undefined || packet[family.protocolAt] !== family.icmp) return undefined
  const icmpAt = family.headerBytes
  const embeddedAt = icmpAt + icmpHeaderBytes
  const embeddedTcpAt = embeddedAt + family.headerBytes
  if (embeddedTcpAt + embeddedTcpBytes > packet.length || !errorsOf(family).includes(packet[icmpAt])) return undefined
  if (!isFirstOfTcp(packet, embeddedAt, family)) return undefined
  const from = embeddedAt + family.addressesAt
  const to = family.addressesAt + family.addressBytes
  const isOwn = packet.compare(packet, to, to + family.addressBytes, from, from + family.addressBytes) === 0
  return isOwn ? { family, icmpAt, embeddedAt, embeddedTcpAt } : undefined
}

/** A TCP packet, or the first fragment of one. */
function isFirstOfTcp(packet: Buffer, at: number, family: Family): boolean {
  if (packet[at + family.protocolAt] !== Protocol.tcp) return false
  return family === ipv4 ? packet[at] === 0x45 && (packet.readUInt16BE(at + 6) & 0x1fff) === 0 : packet[at] >>> 4 === 6
}

/** The `FlowKey` of the packets that go the other way: client → VIP, of an error about VIP → client. */
export function icmpKey(packet: Buffer, { family, embeddedAt, embeddedTcpAt }: IcmpError): Buffer {
  const key = Buffer.alloc(36)
  const addressesAt = embeddedAt + family.addressesAt
  if (family === ipv4) key.fill(0xff, 10, 12).fill(0xff, 26, 28)
  packet.copy(key, family.inMapped, addressesAt + family.addressBytes, addressesAt + 2 * family.addressBytes)
  packet.copy(key, 16 + family.inMapped, addressesAt, addressesAt + family.addressBytes)
  packet.copy(key, 32, embeddedTcpAt + 2, embeddedTcpAt + 4)
  packet.copy(key, 34, embeddedTcpAt, embeddedTcpAt + 2)
  return key
}

/** The error as the server has to see it, by the entry `in`: about its own packet, in its own numbers. What is embedded beyond ports and sequence number stays as it was. */
export function transformIcmp(original: Buffer, error: IcmpError, entry: AgentEntry): Buffer {
  const { family, icmpAt, embeddedAt, embeddedTcpAt } = error
  const packet = Buffer.from(original)
  const end = embeddedTcpAt + embeddedTcpBytes
  const before = sumOf(packet, embeddedAt, end)
  const embeddedAddresses = embeddedAt + family.addressesAt
  const addressesBefore = sumOf(packet, embeddedAddresses, embeddedAddresses + 2 * family.addressBytes)
  writeAddresses(packet, embeddedAddresses, family, entry.newDestination, entry.newSource)
  if (family === ipv4) {
    const after = sumOf(packet, embeddedAddresses, embeddedAddresses + 2 * family.addressBytes)
    packet.writeUInt16BE(updated(packet.readUInt16BE(embeddedAt + 10), addressesBefore, after), embeddedAt + 10)
  }
  packet.writeUInt16BE(entry.newDestinationPort, embeddedTcpAt)
  packet.writeUInt16BE(entry.newSourcePort, embeddedTcpAt + 2)
  packet.writeUInt32BE(plus(packet.readUInt32BE(embeddedTcpAt + 4), entry.addAcknowledgement), embeddedTcpAt + 4)
  packet.writeUInt16BE(updated(packet.readUInt16BE(icmpAt + 2), before, sumOf(packet, embeddedAt, end)), icmpAt + 2)
  redirect(packet, error, entry.newDestination)
  return packet
}

/** Sets the destination of the error itself, which the pseudo header of ICMPv6 counts (RFC 4443 2.3). */
function redirect(packet: Buffer, { family, icmpAt }: IcmpError, destination: Buffer): void {
  const at = family.addressesAt + family.addressBytes
  const before = sumOf(packet, at, at + family.addressBytes)
  destination.copy(packet, at, family.inMapped, 16)
  const after = sumOf(packet, at, at + family.addressBytes)
  const checksumAt = family === ipv4 ? 10 : icmpAt + 2
  packet.writeUInt16BE(updated(packet.readUInt16BE(checksumAt), before, after), checksumAt)
}
