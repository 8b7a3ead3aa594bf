/**
 * Wrapping a packet in a UDP datagram, and taking it out: how it gets over routers, and up to the director's own agent. The same as `wrap` and `unwrap`.
 *
 * The UDP checksum is 0. The kernel sees to packets that are many in one: wrapped, each of them has its own outer header when they part.
 */

import { r0, r1 } from '../assembler/index.ts'
import type { Place } from '../assembler/index.ts'
import type { Family } from '../../transform/families.ts'
import { Protocol } from '../../transform/families.ts'
import { udpHeaderBytes } from '../../transform/encapsulation.ts'
import { checksumOf } from './checksums.ts'
import { Exit, copyWords, packetBytes, skb, swap16 } from './context.ts'
import type { Context } from './context.ts'

/** bpf_skb_adjust_room (linux/bpf.h): behind the link header. */
const BPF_ADJ_ROOM_MAC = 1
const encapFlags = { 4: 1 << 1, 6: 1 << 2, udp: 1 << 4 }
/** Of the packet that is left. */
const decapFlags = { 4: 1 << 7, 6: 1 << 8 }
/** bpf_skb_store_bytes: what the device has summed (CHECKSUM_COMPLETE) counts the outer header too. */
const BPF_F_RECOMPUTE_CSUM = 1

const lengthMax = 0xffff
const hopLimit = 64

/** Where the ends of a datagram are: addresses as its headers have them. */
export interface OuterPlaces {
  readonly source: Place
  readonly destination: Place
  readonly sourcePort: Place
  /** A number, or where it is. */
  readonly destinationPort: Place | number
}

/** Bytes of both outer headers. */
export const outerBytes = (outer: Family): number => outer.headerBytes + udpHeaderBytes

/** Leaves a packet alone, to `otherwise`, that is too long for a datagram. */
export const requireWrappable = ({ a }: Context, outer: Family, otherwise: string): void =>
  void a.jgt(packetBytes, lengthMax - outerBytes(outer), otherwise)

/** Wraps the packet. The length of it is in r9; the entry in r7 stays. */
export function wrap(context: Context, outer: Family, ends: OuterPlaces): void {
  const { a, stack, linkBytes } = context
  a.call('skb_adjust_room', skb, outerBytes(outer), BPF_ADJ_ROOM_MAC, encapFlags[outer.version] | encapFlags.udp)
  a.jne(r0, 0, Exit.drop)
  writeUdp(context, stack.outer.plus(outer.headerBytes), ends)
  writeIp(context, outer, ends)
  a.call('skb_store_bytes', skb, linkBytes, stack.outer.address, outerBytes(outer), BPF_F_RECOMPUTE_CSUM)
  a.jne(r0, 0, Exit.drop)
}

function writeUdp({ a }: Context, udp: Place, { sourcePort, destinationPort }: OuterPlaces): void {
  a.ldxh(r1, sourcePort)
  a.sth(udp, r1)
  if (typeof destinationPort === 'number') a.sth(udp.plus(2), swap16(destinationPort))
  else {
    a.ldxh(r1, destinationPort)
    a.sth(udp.plus(2), r1)
  }
  writeLength(a, udp.plus(4), udpHeaderBytes)
  a.sth(udp.plus(6), 0)
}

/** The length of the packet and so many bytes, in 16 bits: where the packet is many in one, the kernel sets it for each. */
function writeLength(a: Context['a'], place: Place, more: number): void {
  a.mov(r1, packetBytes)
  a.add(r1, more)
  a.be16(r1)
  a.sth(place, r1)
}

function writeIp(context: Context, outer: Family, { source, destination }: OuterPlaces): void {
  const { a, stack } = context
  const ip = stack.outer
  const addresses = ip.plus(outer.addressesAt)
  copyWords(a, addresses, source, outer.addressBytes)
  copyWords(a, addresses.plus(outer.addressBytes), destination, outer.addressBytes)
  if (outer.version === 4) {
    const dontFragment = 0x4000
    a.sth(ip, 0x45)
    writeLength(a, ip.plus(2), outerBytes(outer))
    a.sth(ip.plus(4), 0)
    a.sth(ip.plus(6), swap16(dontFragment))
    a.stb(ip.plus(outer.hopLimitAt), hopLimit)
    a.stb(ip.plus(outer.protocolAt), Protocol.udp)
    a.sth(ip.plus(10), 0)
    checksumOf(context, ip, outer.headerBytes)
    a.sth(ip.plus(10), r1)
  } else {
    a.stw(ip, 0x60)
    writeLength(a, ip.plus(4), udpHeaderBytes)
    a.stb(ip.plus(outer.protocolAt), Protocol.udp)
    a.stb(ip.plus(outer.hopLimitAt), hopLimit)
  }
}

/** Takes the outer headers away. The entry in r7 stays, and what has been read. */
export function unwrap({ a }: Context, outer: Family, inner: Family): void {
  a.call('skb_adjust_room', skb, -outerBytes(outer), BPF_ADJ_ROOM_MAC, inner === outer ? 0 : decapFlags[inner.version])
  a.jne(r0, 0, Exit.drop)
}
