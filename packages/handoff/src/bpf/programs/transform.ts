/**
 * What the server agent's programs do with a packet that has an entry. The same as `transform`: the SYN-ACK of a second connection is kept, packets of an established one are changed. When this begins, the headers
 * are on the stack (but TCP's options), the entry is in r7, the length of the TCP header in r8, and that of the packet in r9.
 */

import { at, r0, r1, r2, r3, r4 } from '../assembler/index.ts'
import { AgentState, Captured, Total, tcpHeaderBytesMax } from '../entries.ts'
import type { Family } from '../../transform/families.ts'
import { TcpAt, TcpFlag, tcpHeaderBytesMin } from '../../transform/packet.ts'
import { goOnWithPayload } from './answers.ts'
import { applyDifference, applyHeaderDifference, applyPseudoDifference, difference, differenceFrom, differenceTo } from './checksums.ts'
import { Exit, agentField, copyWords, countPacket, entry, skb, tcpHeaderBytes } from './context.ts'
import type { Context } from './context.ts'
import { addFlagBytes, payloadBytes } from './headers.ts'
import { noteAcknowledgement, noteArrival, noteFlags } from './notes.ts'
import { addTo } from './numbers.ts'
import { changeOptions } from './tcp-options.ts'

const synAck = TcpFlag.syn | TcpFlag.ack
const over = TcpFlag.fin | TcpFlag.rst

/** The whole of it, to the end of the program or to `payload`. */
export function transformTcp(context: Context, family: Family): void {
  const { a } = context
  a.scope('transform', () => {
    checkState(context)
    a.label('count')
    note(context, family)
    readOptions(context, family)
    a.ldxb(r1, agentField('state'))
    a.jeq(r1, AgentState.handshake, 'capture')
    countDirection(context)
    changeHeader(context, family)
    changeAddresses(context, family)
    goOnWithPayload(context, family)
    a.label('capture')
    capture(context)
  })
}

/** A SYN-ACK where the connection is established long since: see `AgentState.dead`. */
function checkState(context: Context): void {
  const { a, stack } = context
  a.ldxb(r1, agentField('state'))
  a.jeq(r1, AgentState.dead, Exit.pass)
  a.jne(r1, AgentState.established, 'count')
  a.ldxb(r1, agentField('direction'))
  a.jne(r1, 0, 'count')
  a.ldxb(r1, stack.tcp.plus(TcpAt.flags))
  a.and(r1, synAck)
  a.jne(r1, synAck, 'count')
  a.ldxw(r1, agentField('flagsSeen'))
  a.and(r1, over)
  // No client is shown a second SYN-ACK.
  a.jeq(r1, 0, Exit.drop)
  a.stb(agentField('state'), AgentState.dead)
  a.ja(Exit.pass)
}

/** Counts the packet, and keeps how far it takes its sender (payload, SYN, FIN) in `stack.word`. */
function note(context: Context, family: Family): void {
  const { a, stack } = context
  noteArrival(context, agentField)
  noteFlags(context, agentField, unknown => {
    a.ldxb(r3, agentField('state'))
    a.jne(r3, AgentState.established, unknown)
    a.ldxw(r3, agentField('addSequence'))
    a.add32(r2, r3)
    a.ldxw(r3, agentField('sequenceEndMax'))
    a.sub32(r2, r3)
  })
  payloadBytes(context, family)
  addFlagBytes(context)
  a.stw(stack.word, r1)
}

/** Reads the options behind the rest of the header; what is not there is zero. */
function readOptions({ a, stack, linkBytes }: Context, family: Family): void {
  const options = stack.tcp.plus(tcpHeaderBytesMin)
  for (let offset = 0; offset < tcpHeaderBytesMax - tcpHeaderBytesMin; offset += 4) a.stw(options.plus(offset), 0)
  a.block(done => {
    a.mov(r1, tcpHeaderBytes)
    a.sub(r1, tcpHeaderBytesMin)
    a.jeq(r1, 0, done)
    a.mov(r4, r1)
    a.call('skb_load_bytes', skb, linkBytes + family.headerBytes + tcpHeaderBytesMin, options.address, r4)
    a.jne(r0, 0, Exit.drop)
  })
}

/** Keeps the SYN-ACK. What else the server says is noted only as long as there is none. */
function capture({ a, stack }: Context): void {
  a.ldxb(r1, stack.tcp.plus(TcpAt.flags))
  a.and(r1, synAck)
  a.jeq(r1, synAck, 'synAck')
  a.ldxb(r1, agentField('captured'))
  a.jne(r1, Captured.nothing, Exit.silent)
  a.stb(agentField('captured'), Captured.other)
  a.ja(Exit.silent)
  a.label('synAck')
  copyWords(a, agentField('synAck'), stack.tcp, tcpHeaderBytesMax)
  a.stb(agentField('captured'), Captured.synAck)
  a.ja(Exit.silent)
}

function countDirection(context: Context): void {
  const { a } = context
  a.block(done => {
    a.scope(done, () => {
      a.ldxb(r1, agentField('direction'))
      a.jne(r1, 0, 'in')
      countPacket(context, Total.outPackets)
      a.ja(done)
      a.label('in')
      countPacket(context, Total.inPackets)
    })
  })
}

/** The TCP header: on the stack, then in the packet, with its checksum. */
function changeHeader(context: Context, family: Family): void {
  const { a, stack, linkBytes } = context
  const tcpAt = linkBytes + family.headerBytes
  differenceFrom(context, stack.tcp, tcpHeaderBytes)
  addTo(context, stack.tcp.plus(TcpAt.sequence), 'addSequence')
  addTo(context, stack.tcp.plus(TcpAt.acknowledgement), 'addAcknowledgement')
  // Both ports stand side by side, here and there.
  a.ldxw(r1, agentField('newSourcePort'))
  a.stw(stack.tcp, r1)
  changeWindow(context)
  changeOptions(context, tcpAt)
  noteNumbers(context)
  differenceTo(context, stack.tcp, tcpHeaderBytes)
  a.call('skb_store_bytes', skb, tcpAt, stack.tcp.address, tcpHeaderBytes, 0)
  a.jne(r0, 0, Exit.drop)
  applyDifference(context, tcpAt + TcpAt.checksum)
}

/** From the one scale to the other; a window in a SYN has none (RFC 7323 2.2). */
function changeWindow({ a, stack }: Context): void {
  const window = stack.tcp.plus(TcpAt.window)
  const scaleMax = 15
  a.block(done => {
    a.ldxb(r2, agentField('windowScaleFrom'))
    a.ldxb(r3, agentField('windowScaleTo'))
    a.jeq(r2, r3, done)
    a.ldxb(r1, stack.tcp.plus(TcpAt.flags))
    a.jset(r1, TcpFlag.syn, done)
    a.ldxh(r1, window)
    a.be16(r1)
    a.jeq(r1, 0, done)
    a.and(r2, scaleMax)
    a.and(r3, scaleMax)
    a.lsh(r1, r2)
    a.rsh(r1, r3)
    a.block(isOpen => {
      a.jne(r1, 0, isOpen)
      a.mov(r1, 1)
    })
    a.block(fits => {
      a.jle(r1, 0xffff, fits)
      a.mov(r1, 0xffff)
    })
    a.be16(r1)
    a.sth(window, r1)
  })
}

/** `sequenceEndMax` and `lastAck`, as the receiver sees them. */
function noteNumbers(context: Context): void {
  const { a, stack } = context
  a.block(isBehind => {
    a.ldxw(r2, stack.word)
    // What only acknowledges may stand behind bytes that another owner gets.
    a.jeq(r2, 0, isBehind)
    a.ldxw(r1, stack.tcp.plus(TcpAt.sequence))
    a.be32(r1)
    a.add32(r1, r2)
    a.ldxw(r2, agentField('sequenceEndMax'))
    a.mov32(r3, r1)
    a.sub32(r3, r2)
    a.jsle32(r3, 0, isBehind)
    a.stw(agentField('sequenceEndMax'), r1)
  })
  noteAcknowledgement(context, agentField)
}

/** The addresses, as the key has them and the entry. The first twelve bytes of an IPv4-mapped one are always the same, so they make no difference. */
function changeAddresses(context: Context, family: Family): void {
  const { a, stack, linkBytes } = context
  const tcpAt = linkBytes + family.headerBytes
  const addressesAt = linkBytes + family.addressesAt
  const bothBytes = 32
  difference(context, stack.key, at(entry), bothBytes)
  copyWords(a, stack.outer, agentField('newSource').plus(family.inMapped), family.addressBytes)
  copyWords(a, stack.outer.plus(family.addressBytes), agentField('newDestination').plus(family.inMapped), family.addressBytes)
  a.call('skb_store_bytes', skb, addressesAt, stack.outer.address, 2 * family.addressBytes, 0)
  a.jne(r0, 0, Exit.drop)
  if (family.version === 4) applyHeaderDifference(context, linkBytes + 10)
  applyPseudoDifference(context, family, tcpAt + TcpAt.checksum)
}
