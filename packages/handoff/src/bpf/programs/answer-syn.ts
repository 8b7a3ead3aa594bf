/**
 * SYNs of new connections, answered here: no socket is made for a client before its request has come. What is agreed is kept as an opening; the agent takes it from there with the first packet that has something in it.
 * Whatever is out of the ordinary passes to the stack's listener, as does all where nobody listens or the agent does not want it.
 */

import { at, r0, r1, r2, r7 } from '../assembler/index.ts'
import type { HelperName } from '../assembler/index.ts'
import { OpeningEntry } from '../entries.ts'
import type { Family } from '../../transform/families.ts'
import { TcpAt, TcpFlag, tcpHeaderBytesMin } from '../../transform/packet.ts'
import { Exit, maps, skbField } from './context.ts'
import type { Context } from './context.ts'
import { payloadBytes } from './headers.ts'
import { lookUpOpening, newOpening, openingField, removeOpening } from './openings.ts'
import { TCP_LISTEN, findSocket, stateOf } from './sockets.ts'
import { sendSynAck, synAckWindow } from './syn-ack.ts'
import { findSynOptions, noteSynOptions } from './syn-options.ts'

/** skb->pkt_type: for us, by the link's address. A switch may show us what is for another director. */
const PACKET_HOST = 0
const decidingFlags = TcpFlag.syn | TcpFlag.ack | TcpFlag.rst | TcpFlag.fin
/** BPF_MAP_UPDATE_ELEM: make or change. */
const BPF_ANY = 0

/** By the version of IP. */
const cookieHelpers: Readonly<Record<4 | 6, HelperName>> = { 4: 'tcp_raw_gen_syncookie_ipv4', 6: 'tcp_raw_gen_syncookie_ipv6' }
/** Half a circle away from the cookie, and so never one that the listener takes: see `generateSequence`. */
const notACookie = 0x8000_0000 | 0

/** A SYN is answered, or passes. Goes on with all else. The header is read, its length in r8, the length of the packet in r9; the key is made. */
export function answerSyn(context: Context, family: Family, mss: number): void {
  const { a, stack, linkBytes } = context
  const tcpAt = linkBytes + family.headerBytes
  a.scope('syn', () => {
    a.ldxb(r1, stack.tcp.plus(TcpAt.flags))
    a.and(r1, decidingFlags)
    a.jne(r1, TcpFlag.syn, 'end')
    a.ldxw(r1, skbField('packetType'))
    a.jne(r1, PACKET_HOST, Exit.pass)
    beginOpening(context)
    findRepeated(context, 'new', 'agree')
    a.label('new')
    requireWanted(context, family, 'stack')
    generateSequence(context, family, 'stack')
    a.label('agree')
    payloadBytes(context, family)
    // With TCP Fast Open (RFC 7413), say.
    a.jne(r1, 0, 'stack')
    findSynOptions(context, tcpAt)
    noteSynOptions(context, family, tcpAt)
    a.call('map_update_elem', maps.openings, stack.key.address, stack.icmp.address, BPF_ANY)
    a.jne(r0, 0, Exit.pass)
    sendSynAck(context, family, mss)
    // The stack makes the connection, so there is no other by the same name.
    a.label('stack')
    removeOpening(context)
    a.ja(Exit.pass)
    a.label('end')
  })
}

/** What is known by now. */
function beginOpening(context: Context): void {
  const { a, stack } = context
  for (let offset = 0; offset < OpeningEntry.fixedSize; offset += 8) a.stdw(stack.icmp.plus(offset), 0)
  a.ldxw(r1, stack.tcp.plus(TcpAt.sequence))
  a.be32(r1)
  a.stw(newOpening(context, 'clientSequence'), r1)
  a.stw(newOpening(context, 'receiveWindow'), synAckWindow)
  a.call('ktime_get_ns')
  a.stdw(newOpening(context, 'lastNs'), r0)
}

/**
 * A SYN that has come before gets the sequence number it got then, whether new ones are answered or not. What it says counts anew: the first one may have been damaged, which nobody has looked at.
 */
function findRepeated(context: Context, otherwise: string, repeated: string): void {
  const { a } = context
  lookUpOpening(context, otherwise)
  a.ldxw(r1, openingField(r7, 'clientSequence'))
  a.ldxw(r2, newOpening(context, 'clientSequence'))
  a.jne(r1, r2, otherwise)
  a.ldxw(r1, openingField(r7, 'serverSequence'))
  a.stw(newOpening(context, 'serverSequence'), r1)
  a.ja(repeated)
}

/** Goes on when the agent wants SYNs to be answered, somebody listens, and the stack has no connection of this name (that waits for late packets, say). */
function requireWanted(context: Context, family: Family, otherwise: string): void {
  const { a, stack } = context
  a.stw(stack.zero, 0)
  a.call('map_lookup_elem', maps.settings, stack.zero.address)
  a.jeq(r0, 0, otherwise)
  a.ldxw(r1, at(r0))
  a.jeq(r1, 0, otherwise)
  findSocket(context, family, r7, otherwise)
  a.ldxw(r1, stateOf(r7))
  a.stw(stack.outer, r1)
  a.call('sk_release', r7)
  a.ldxw(r1, stack.outer)
  a.jne(r1, TCP_LISTEN, otherwise)
}

/**
 * Our initial sequence number (RFC 6528): a keyed hash of the addresses and ports and of the client's number, by a secret of the kernel. It is the kernel's SYN cookie, moved, so that a listener that looks at SYN
 * cookies does not take the ACK of an opening that was pushed out: it would read the client's options out of a TSval that does not have them.
 */
function generateSequence(context: Context, family: Family, otherwise: string): void {
  const { a, stack } = context
  // The helper wants as many bytes as the header says; options are not for it.
  a.stb(stack.tcp.plus(TcpAt.dataOffset), (tcpHeaderBytesMin / 4) << 4)
  a.call(cookieHelpers[family.version], stack.ip.address, stack.tcp.address, tcpHeaderBytesMin)
  a.mov(r1, r0)
  a.rsh(r1, 63)
  a.jne(r1, 0, otherwise)
  a.add32(r0, notACookie)
  a.stw(newOpening(context, 'serverSequence'), r0)
}
