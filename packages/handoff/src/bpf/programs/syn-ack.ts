/** Makes a SYN-ACK of a client's SYN, where it lies, and sends it back by the way it came. What the client's device has left to do of the checksum is left to ours. */

import { r0, r1 } from '../assembler/index.ts'
import type { Place } from '../assembler/index.ts'
import { tcpHeaderBytesMax, Total } from '../entries.ts'
import type { Family } from '../../transform/families.ts'
import { TcpAt, TcpFlag, tcpHeaderBytesMin } from '../../transform/packet.ts'
import { applyDifference, applyHeaderDifference, differenceFrom, differenceTo } from './checksums.ts'
import { Exit, count, skb, skbField, tcpHeaderBytes } from './context.ts'
import type { Context } from './context.ts'
import { newOpening } from './openings.ts'
import { writeSynAckOptions } from './syn-options.ts'

const hopLimit = 64
const linkAddressBytes = 6
/** Not scaled in a SYN-ACK (RFC 7323 2.2). */
export const synAckWindow = 0xffff
/** bpf_skb_store_bytes: what the device has summed (CHECKSUM_COMPLETE) is summed anew. IPv6 has no header checksum that makes up for a change. */
const BPF_F_RECOMPUTE_CSUM = 1

/** Answers with what is in the new opening. The IP header and the beginning of TCP's are on the stack. To the end of the program. */
export function sendSynAck(context: Context, family: Family, mss: number): void {
  const { a, linkBytes } = context
  changeTcp(context, linkBytes + family.headerBytes, mss)
  changeIp(context, family)
  if (linkBytes > 0) swapLinkAddresses(context)
  count(context, Total.answeredSyns, 1)
  a.ldxw(r1, skbField('ifindex'))
  a.call('redirect', r1, 0)
  a.exit()
}

function changeTcp(context: Context, tcpAt: number, mss: number): void {
  const { a, stack } = context
  for (let offset = 0; offset < tcpHeaderBytesMax; offset += 4) a.stw(stack.tcp.plus(offset), 0)
  load(context, tcpAt, stack.tcp)
  differenceFrom(context, stack.tcp, tcpHeaderBytes)
  writeHeader(context)
  a.call('skb_store_bytes', skb, tcpAt, stack.tcp.address, tcpHeaderBytesMin, 0)
  a.jne(r0, 0, Exit.drop)
  writeSynAckOptions(context, tcpAt, mss)
  load(context, tcpAt, stack.tcp)
  differenceTo(context, stack.tcp, tcpHeaderBytes)
  applyDifference(context, tcpAt + TcpAt.checksum)
}

/** The whole TCP header. */
function load({ a }: Context, tcpAt: number, to: Place): void {
  a.call('skb_load_bytes', skb, tcpAt, to.address, tcpHeaderBytes)
  a.jne(r0, 0, Exit.drop)
}

/** All but options and checksum: the sum over addresses and length is the same in both directions. */
function writeHeader(context: Context): void {
  const { a, stack } = context
  const { tcp } = stack
  swapHalves(context, tcp, 2)
  copyNumber(context, TcpAt.sequence, 'serverSequence', 0)
  copyNumber(context, TcpAt.acknowledgement, 'clientSequence', 1)
  // What is reserved is 0 (RFC 9293 3.1).
  a.mov(r1, tcpHeaderBytes)
  a.lsh(r1, 2)
  a.stb(tcp.plus(TcpAt.dataOffset), r1)
  // Without ECE: the servers are not asked whether they speak ECN (RFC 3168 6.1.1).
  a.stb(tcp.plus(TcpAt.flags), TcpFlag.syn | TcpFlag.ack)
  a.sth(tcp.plus(TcpAt.window), synAckWindow)
  a.sth(tcp.plus(TcpAt.urgent), 0)
}

function copyNumber(context: Context, at: number, name: 'serverSequence' | 'clientSequence', more: number): void {
  const { a, stack } = context
  a.ldxw(r1, newOpening(context, name))
  a.add32(r1, more)
  a.be32(r1)
  a.stw(stack.tcp.plus(at), r1)
}

/** What is left of the difference in r9 is gone then: the header's own has its place. */
function changeIp(context: Context, family: Family): void {
  const { a, stack, linkBytes } = context
  const { ip } = stack
  if (family.version === 4) differenceFrom(context, ip, family.headerBytes)
  swapHalves(context, ip.plus(family.addressesAt), family.addressBytes)
  a.stb(ip.plus(family.hopLimitAt), hopLimit)
  // A SYN-ACK is of no traffic class, and says nothing of congestion (RFC 3168 6.1.1).
  if (family.version === 4) a.stb(ip.plus(1), 0)
  else a.stw(ip, 0x60)
  if (family.version === 4) differenceTo(context, ip, family.headerBytes)
  a.call('skb_store_bytes', skb, linkBytes, ip.address, family.headerBytes, family.version === 4 ? 0 : BPF_F_RECOMPUTE_CSUM)
  a.jne(r0, 0, Exit.drop)
  if (family.version === 4) applyHeaderDifference(context, linkBytes + 10)
}

function swapLinkAddresses(context: Context): void {
  const { a, stack } = context
  a.call('skb_load_bytes', skb, 0, stack.outer.address, 2 * linkAddressBytes)
  a.jne(r0, 0, Exit.drop)
  swapHalves(context, stack.outer, linkAddressBytes)
  a.call('skb_store_bytes', skb, 0, stack.outer.address, 2 * linkAddressBytes, 0)
  a.jne(r0, 0, Exit.drop)
}

/** Swaps what stands side by side, so many bytes each: in words where it is words. By r0 and r1. */
function swapHalves({ a }: Context, place: Place, bytes: number): void {
  const unit = bytes % 4 === 0 ? 4 : 2
  for (let offset = 0; offset < bytes; offset += unit) {
    const [one, other] = [place.plus(offset), place.plus(bytes + offset)]
    if (unit === 4) a.ldxw(r0, one).ldxw(r1, other).stw(one, r1).stw(other, r0)
    else a.ldxh(r0, one).ldxh(r1, other).sth(one, r1).sth(other, r0)
  }
}
