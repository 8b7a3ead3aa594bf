/**
 * A request that the director's program sends on by itself: the agent has told it who has what targets begin with (`owners`), and header sections (RFC 9112 2.1) that it has read and understood (`headers`). What is not
 * known byte for byte is the agent's: nothing here has to understand header fields, so that nothing can be understood otherwise than there or at the server. The same as `readKnownRequest`.
 *
 * Without CAP_PERFMON a program can't reach places on its stack that are not known beforehand, so what is read of the packet goes to a value of a map that each CPU has for itself (`scratch`).
 */

import { at, map, r0, r1, r2, r3, r4, r5, r8 } from '../assembler/index.ts'
import type { Place } from '../assembler/index.ts'
import { Total } from '../entries.ts'
import type { Family } from '../../transform/families.ts'
import { TcpAt, TcpFlag } from '../../transform/packet.ts'
import { KnownLimits, OwnerKey, OwnerValue } from '../known-layouts.ts'
import { offsetsOf } from '../offsets.ts'
import { count, directorField, entry, packetBytes, skb, tcpHeaderBytes } from './context.ts'
import type { Context } from './context.ts'

/** The maps of it. */
const maps = { owners: map('owners'), headers: map('headers'), scratch: map('scratch') }

const { lineBytesMax, headerBytesMax } = KnownLimits
const version = Buffer.from(' HTTP/1.1\r\n')
const payloadBytesMin = 'GET /'.length + version.length + 1
const payloadBytesMax = lineBytesMax + version.length + headerBytesMax
const word = (text: string): number => Buffer.from(text).readInt32LE(0)
const slash = 0x2f
const hash = 0x23
const space = 0x20
const firstVisible = 0x21
const lastVisible = 0x7e

/** The value of `scratch`: the request line, whose target becomes the key of `owners`; what is behind it, as key of `headers`; and numbers. */
const within = { line: 0, header: lineBytesMax, targetEnd: lineBytesMax + headerBytesMax, headerLength: lineBytesMax + headerBytesMax + 4 } as const
/** Bytes of it. */
export const scratchBytes: number = lineBytesMax + headerBytesMax + 8

const ownerAt = offsetsOf(OwnerValue)
const scratch = (offset: number): Place => at(r8, offset)

/** Goes to `forward` with a request that is known to be for the owner, and to `raise` with all else. The packet's sequence number is that of the next request; r8 is gone then. */
export function sendKnownOn(context: Context, family: Family): void {
  const { a } = context
  a.scope('known', () => {
    requireFlags(context)
    readLine(context, family)
    findTargetEnd(context)
    readHeader(context)
    requireOwner(context)
    requireHeader(context)
    moveOn(context)
    count(context, Total.knownRequests, 1)
    a.ja('forward')
  })
}

/** Neither an end nor urgent data, nor what ECN wants to tell. */
function requireFlags({ a, stack }: Context): void {
  a.ldxb(r1, stack.tcp.plus(TcpAt.flags))
  a.or(r1, TcpFlag.psh)
  a.jne(r1, TcpFlag.psh | TcpFlag.ack, 'raise')
}

/** Where the packet's payload begins, and how long it is: they have to outlive helpers. */
const payloadAt = ({ stack }: Context): Place => stack.icmp
const payloadLength = ({ stack }: Context): Place => stack.icmp.plus(8)

/** Reads as much of the payload as a request line may have to `scratch`, which is in r8 then. */
function readLine(context: Context, family: Family): void {
  const { a, stack, linkBytes } = context
  a.mov(r1, packetBytes)
  a.sub(r1, tcpHeaderBytes)
  a.sub(r1, family.headerBytes)
  a.jgt(r1, payloadBytesMax, 'raise')
  a.jlt(r1, payloadBytesMin, 'raise')
  a.stdw(payloadLength(context), r1)
  a.add(tcpHeaderBytes, linkBytes + family.headerBytes)
  a.stdw(payloadAt(context), tcpHeaderBytes)
  a.stw(stack.zero, 0)
  a.call('map_lookup_elem', maps.scratch, stack.zero.address)
  a.jeq(r0, 0, 'raise')
  a.mov(r8, r0)
  a.ldxdw(r2, payloadAt(context))
  a.ldxdw(r4, payloadLength(context))
  a.block(isShort => {
    a.jle(r4, lineBytesMax, isShort)
    a.mov(r4, lineBytesMax)
  })
  a.call('skb_load_bytes', skb, r2, r8, r4)
  a.jne(r0, 0, 'raise')
}

/**
 * A target in origin form (RFC 9112 3.2.1), of characters that the agent would take as well. What is behind a short payload is of a packet before: an end that is found there is behind what is left of this one. Where
 * it is found is written and read again, so that the verifier forgets which of all places that is, and goes through the rest once.
 */
function findTargetEnd({ a }: Context): void {
  a.ldxw(r1, scratch(within.line))
  a.jne32(r1, word('GET '), 'raise')
  a.ldxb(r1, scratch(OwnerKey.targetAt))
  a.jne(r1, slash, 'raise')
  a.mov(r2, r8)
  a.add(r2, OwnerKey.targetAt + 1)
  a.mov(r3, OwnerKey.targetAt + 1)
  a.label('character')
  a.ldxb(r1, at(r2))
  a.jeq(r1, space, 'end')
  a.jeq(r1, hash, 'raise')
  a.sub(r1, firstVisible)
  a.jgt(r1, lastVisible - firstVisible, 'raise')
  a.add(r2, 1)
  a.add(r3, 1)
  a.jlt(r3, lineBytesMax, 'character')
  a.ja('raise')
  a.label('end')
  a.stw(scratch(within.targetEnd), r3)
}

/** Checks what is between the target and the header section, and reads that to `scratch`, with zeros behind it. */
function readHeader(context: Context): void {
  const { a, stack } = context
  a.ldxw(r3, scratch(within.targetEnd))
  a.jge(r3, lineBytesMax, 'raise')
  a.ldxdw(r2, payloadAt(context))
  a.add(r2, r3)
  a.call('skb_load_bytes', skb, r2, stack.outer.address, version.length)
  a.jne(r0, 0, 'raise')
  a.ldxw(r1, stack.outer)
  a.jne32(r1, word(' HTT'), 'raise')
  a.ldxw(r1, stack.outer.plus(4))
  a.jne32(r1, word('P/1.'), 'raise')
  for (let offset = 8; offset < version.length; offset++) {
    a.ldxb(r1, stack.outer.plus(offset))
    a.jne(r1, version[offset], 'raise')
  }
  a.ldxw(r3, scratch(within.targetEnd))
  a.jge(r3, lineBytesMax, 'raise')
  a.ldxdw(r4, payloadLength(context))
  a.sub(r4, r3)
  a.sub(r4, version.length)
  // Less than nothing is very much.
  a.jgt(r4, headerBytesMax, 'raise')
  a.jlt(r4, 1, 'raise')
  a.stw(scratch(within.headerLength), r4)
  for (let offset = 0; offset < headerBytesMax; offset += 8) a.stdw(scratch(within.header + offset), 0)
  a.ldxdw(r2, payloadAt(context))
  a.add(r2, r3)
  a.add(r2, version.length)
  a.call('skb_load_bytes', skb, r2, scratch(within.header).address, r4)
  a.jne(r0, 0, 'raise')
}

/** What the target begins with has one owner, and it is that of the connection. */
function requireOwner({ a }: Context): void {
  a.stw(scratch(within.line), OwnerKey.bitsMax)
  a.call('map_lookup_elem', maps.owners, scratch(within.line).address)
  a.jeq(r0, 0, 'raise')
  for (let offset = 0; offset < 16; offset += 4) {
    a.ldxw(r1, at(r0, ownerAt.address + offset))
    a.ldxw(r2, directorField('agent').plus(offset))
    a.jne(r1, r2, 'raise')
  }
  a.ldxh(r1, at(r0, ownerAt.port))
  a.ldxh(r2, directorField('agentPort'))
  a.jne(r1, r2, 'raise')
}

/** The header section is one that the agent knows; no other of the same key is as long. */
function requireHeader({ a }: Context): void {
  a.call('map_lookup_elem', maps.headers, scratch(within.header).address)
  a.jeq(r0, 0, 'raise')
  a.ldxw(r1, at(r0))
  a.ldxw(r2, scratch(within.headerLength))
  a.jne(r1, r2, 'raise')
}

/** The request is the owner's, unless the agent has taken the lead meanwhile. */
function moveOn(context: Context): void {
  const { a, stack } = context
  a.ldxw(r1, stack.tcp.plus(TcpAt.sequence))
  a.be32(r1)
  a.mov(r2, 1)
  a.lsh(r2, 32)
  a.mov(r0, r1)
  a.or(r0, r2)
  a.mov(r5, r0)
  a.ldxdw(r3, payloadLength(context))
  a.add32(r1, r3)
  a.or(r1, r2)
  a.atomicCompareExchange(at(entry, directorField('requestAt').offset), r1)
  a.jne(r0, r5, 'raise')
  a.ldxw(r1, stack.tcp.plus(TcpAt.acknowledgement))
  a.be32(r1)
  a.stw(directorField('requestAck'), r1)
}
