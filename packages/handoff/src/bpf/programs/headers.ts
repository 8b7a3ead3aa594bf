/**
 * Reading a packet: IPv4 without options and not fragmented, or IPv6, and TCP in it. What is not, or is shorter than it says, is left alone.
 * The same as `readTcpPacket`.
 */

import { r0, r1, r2, r3 } from '../assembler/index.ts'
import type { Family } from '../../transform/families.ts'
import { TcpAt, tcpHeaderBytesMin } from '../../transform/packet.ts'
import { Exit, copyMapped, copyWords, maps, packetBytes, skb, skbField, swap16, tcpHeaderBytes, entry } from './context.ts'
import type { Context } from './context.ts'

const versionAndLength = 0x45
const fragmentBits = 0x3fff

/** Reads the IP header that begins at byte `base` to the stack. */
export function loadIp({ a, stack }: Context, family: Family, base: number): void {
  a.call('skb_load_bytes', skb, base, stack.ip.address, family.headerBytes)
  a.jne(r0, 0, Exit.pass)
}

/** Leaves a packet alone whose IP header is one of those that are; of others, reads the length to r9. */
export function checkIp(context: Context, family: Family, base: number): void {
  const { a, stack } = context
  a.ldxb(r1, stack.ip)
  if (family.version === 4) {
    a.jne(r1, versionAndLength, Exit.pass)
    a.ldxh(r1, stack.ip.plus(6))
    a.jset(r1, swap16(fragmentBits), Exit.pass)
  } else {
    a.rsh(r1, 4)
    a.jne(r1, family.version, Exit.pass)
  }
  readLength(context, family, base)
}

/** Length by the header, at most what is there. A packet longer than the header can say has 0 (BIG TCP): all that is there. */
function readLength({ a, stack }: Context, family: Family, base: number): void {
  a.ldxw(r2, skbField('len'))
  a.sub(r2, base)
  a.ldxh(packetBytes, stack.ip.plus(family.version === 4 ? 2 : 4))
  a.be16(packetBytes)
  a.block(done => {
    a.scope(done, () => {
      a.jne(packetBytes, 0, 'said')
      a.mov(packetBytes, r2)
      a.ja(done)
      a.label('said')
    })
    if (family.version === 6) a.add(packetBytes, family.headerBytes)
    a.jgt(packetBytes, r2, Exit.pass)
  })
}

/** Jumps to `target` when the IP header says this protocol. */
export function jumpIfProtocol({ a, stack }: Context, family: Family, protocol: number, target: string): void {
  a.ldxb(r1, stack.ip.plus(family.protocolAt))
  a.jeq(r1, protocol, target)
}

/** Reads a TCP header without its options, and its length to r8. */
export function readTcp({ a, stack }: Context, family: Family, base: number): void {
  a.call('skb_load_bytes', skb, base + family.headerBytes, stack.tcp.address, tcpHeaderBytesMin)
  a.jne(r0, 0, Exit.pass)
  a.ldxb(tcpHeaderBytes, stack.tcp.plus(TcpAt.dataOffset))
  a.rsh(tcpHeaderBytes, 4)
  a.lsh(tcpHeaderBytes, 2)
  a.jlt(tcpHeaderBytes, tcpHeaderBytesMin, Exit.pass)
  a.mov(r1, tcpHeaderBytes)
  a.add(r1, family.headerBytes)
  a.jgt(r1, packetBytes, Exit.pass)
}

/** Makes the `FlowKey` of what has been read. */
export function makeKey({ a, stack }: Context, family: Family): void {
  const source = stack.ip.plus(family.addressesAt)
  copyMapped(a, stack.key, source, family)
  copyMapped(a, stack.key.plus(16), source.plus(family.addressBytes), family)
  copyWords(a, stack.key.plus(32), stack.tcp, 4)
}

/** Looks the key up: the entry in r7, or on to `otherwise`. */
export function lookup({ a, stack }: Context, otherwise: string): void {
  a.call('map_lookup_elem', maps.flows, stack.key.address)
  a.jeq(r0, 0, otherwise)
  a.mov(entry, r0)
}

/** Of a TCP packet that has been read: bytes of payload to r1. */
export function payloadBytes({ a }: Context, family: Family): void {
  a.mov(r1, packetBytes)
  a.sub(r1, family.headerBytes)
  a.sub(r1, tcpHeaderBytes)
}

/** Adds SYN and FIN, which count as one each, to r1 (RFC 9293 3.4). By r2 and r3. */
export function addFlagBytes({ a, stack }: Context): void {
  a.ldxb(r2, stack.tcp.plus(TcpAt.flags))
  a.mov(r3, r2)
  a.and(r3, 1)
  a.add(r1, r3)
  a.rsh(r2, 1)
  a.and(r2, 1)
  a.add(r1, r2)
}
