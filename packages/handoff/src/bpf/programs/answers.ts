/**
 * Follows the server's responses (RFC 9112) as they leave, without reading their contents: where the last head was, and where its response ends or how far that is open. So the agent knows at a RELEASE whether the server has
 * said all it has to say, or pauses in the middle of it. The same as `transform/answers.ts`, which says what is kept.
 *
 * What this costs a packet in the middle of a content is one comparison. Only the head of a response is read, once.
 */

import { at, r0, r1, r2, r3, r4, r5, r8, r9 } from '../assembler/index.ts'
import type { Place } from '../assembler/index.ts'
import { AnswerKind, Answers, Asked, lastChunk } from '../entries.ts'
import { offsetsOf } from '../offsets.ts'
import type { Family } from '../../transform/families.ts'
import { answerHeadBytesMax, answerHeadBytesMin, answerHeadsMax, contentBytesMax } from '../../transform/answers.ts'
import { TcpAt, TcpFlag } from '../../transform/packet.ts'
import { Exit, agentField, maps, skb, skbField, tcpHeaderBytes } from './context.ts'
import type { Context } from './context.ts'

const answerAt = offsetsOf(Answers)
const askedAt = offsetsOf(Asked)
const answer = (name: keyof Answers): Place => agentField('synAck').plus(answerAt[name])
const asked = (name: keyof Asked): Place => agentField('synAck').plus(askedAt[name])

/** Memory of each CPU: a head that is read, and what is known of it. More than 512 bytes, which is all a stack has; and the verifier knows nothing of it, so that it goes on once, by whatever way it has come. */
const found = { end: 0, begin: 4, payloadBytes: 8, from: 16, rest: 24, loaded: 32, headBytes: 40, lengthAt: 48, bytes: 64 } as const
const digitsMax = 16
/** How much there has to be of it. */
export const headsValueBytes = found.bytes + answerHeadBytesMax + 64

/** Four bytes as they are loaded. */
const word = (text: string): number => Buffer.from(text, 'latin1').readInt32LE()
/** In letters that OR with a space makes small. */
const smallLetters = 0x2020_2020
const smallWord = (text: string): number => word(text) | smallLetters
const threeBytes = 0xff_ffff
/** Behind a line's end, in pieces: the last of them is looked for. */
const lengthName = ['\ncon', 'tent', '-len', 'gth:'] as const

/** What outlives helpers, where the IP header was. */
const keptIn = ({
  stack,
}: Context): { readonly begin: Place; readonly end: Place; readonly payloadBytes: Place; readonly heads: Place; readonly eight: Place } => ({
  begin: stack.ip,
  end: stack.ip.plus(4),
  payloadBytes: stack.ip.plus(8),
  heads: stack.ip.plus(16),
  eight: stack.ip.plus(24),
})

/** From a packet that has been transformed on to `payload`, where it has any: where that is goes to r8, and its length to r9. */
export function goOnWithPayload(context: Context, family: Family): void {
  const { a, stack, linkBytes } = context
  // What the packet takes its sender on by, without SYN and FIN; r9 has been something else meanwhile.
  a.ldxw(r9, stack.word)
  a.ldxb(r1, stack.tcp.plus(TcpAt.flags))
  a.mov(r2, r1)
  a.and(r1, TcpFlag.fin)
  a.sub(r9, r1)
  a.rsh(r2, 1)
  a.and(r2, 1)
  a.sub(r9, r2)
  a.jeq(r9, 0, Exit.pass)
  a.add(tcpHeaderBytes, linkBytes + family.headerBytes)
  a.ja('payload')
}

/** At `payload`, to the end of the program: that of a packet that leaves. */
export function followAnswers(context: Context): void {
  const { a } = context
  a.label('payload')
  a.scope('answers', () => {
    a.ldxb(r1, agentField('direction'))
    a.jne(r1, 0, Exit.pass)
    findHead(context)
    forget(context)
    for (let nth = 0; nth < answerHeadsMax; nth++) {
      a.label(`head${nth}`)
      a.scope(`head${nth}`, () => readHead(context, nth + 1 < answerHeadsMax ? `head${nth + 1}` : 'mixed'))
    }
    followOpen(context)
    a.label('none')
    a.stw(answer('kind'), AnswerKind.none)
    a.ja(Exit.pass)
    a.label('mixed')
    a.stw(answer('kind'), AnswerKind.mixed)
    a.ja(Exit.pass)
  })
}

/** Goes on where the packet has a head; with what has none it ends, or goes on at `open`. */
function findHead(context: Context): void {
  const { a, stack } = context
  const kept = keptIn(context)
  a.ldxw(r1, answer('kind'))
  a.jeq(r1, AnswerKind.none, Exit.pass)
  a.jeq(r1, AnswerKind.mixed, Exit.pass)
  a.ldxw(r2, stack.tcp.plus(TcpAt.sequence))
  a.be32(r2)
  a.mov32(r3, r2)
  a.add32(r3, r9)
  a.stw(kept.begin, r2)
  a.stw(kept.end, r3)
  a.stdw(kept.payloadBytes, r9)
  // Behind a head there may be the next one, as answers to HEAD have no content (RFC 9110 9.3.2).
  a.ldxw(r4, answer('headEnd'))
  a.jeq(r2, r4, 'mayBegin')
  a.jeq(r1, AnswerKind.open, 'mayEnd')
  a.label('length')
  a.ldxw(r4, answer('end'))
  a.sub32(r3, r4)
  a.jsle32(r3, 0, Exit.pass)
  a.sub32(r4, r2)
  // A hole: not all that the server has sent has come by here.
  a.jsge32(r4, 0, 'inside')
  a.ja('none')
  a.label('inside')
  a.add(r8, r4)
  a.sub(r9, r4)
  a.ja('heads')

  a.label('mayEnd')
  a.ldxw(r4, answer('followedEnd'))
  a.jne(r2, r4, 'open')
  jumpUnlessLastChunk(context, 'open')
  a.label('mayBegin')
  a.call('skb_load_bytes', skb, r8, kept.eight.address, 8)
  a.jne(r0, 0, 'goesOn')
  a.ldxw(r1, kept.eight)
  a.jne32(r1, word('HTTP'), 'goesOn')
  a.ldxw(r1, kept.eight.plus(4))
  a.and(r1, threeBytes)
  a.jeq(r1, word('/1.\0'), 'heads')
  a.label('goesOn')
  a.ldxw(r1, answer('kind'))
  a.jeq(r1, AnswerKind.open, 'open')
  a.ldxw(r3, kept.end)
  a.ldxw(r2, kept.begin)
  a.ja('length')
}

/** By r1. */
function jumpUnlessLastChunk({ a }: Context, target: string): void {
  const bytes = Buffer.from(lastChunk, 'latin1')
  // The first of the eight bytes is any.
  a.ldxw(r1, answer('tail'))
  a.rsh(r1, 8)
  a.jne32(r1, bytes.readUIntLE(0, 3), target)
  a.ldxw(r1, answer('tail').plus(4))
  a.jne32(r1, bytes.readInt32LE(3), target)
}

/** The first head, by whatever way it has been found. */
function forget(context: Context): void {
  const { a, stack } = context
  const kept = keptIn(context)
  a.label('heads')
  a.stw(stack.zero, 0)
  a.call('map_lookup_elem', maps.heads, stack.zero.address)
  a.jeq(r0, 0, 'none')
  a.stdw(kept.heads, r0)
  for (const [place, to] of [
    [kept.begin, found.begin],
    [kept.end, found.end],
  ] as const) {
    a.ldxw(r1, place)
    a.stw(at(r0, to), r1)
    a.ldxw(r1, at(r0, to))
    a.stw(place, r1)
  }
  a.ldxdw(r1, kept.payloadBytes)
  a.stdw(at(r0, found.payloadBytes), r1)
  a.stdw(at(r0, found.from), r8)
  a.stdw(at(r0, found.rest), r9)
  a.ldxdw(r8, at(r0, found.from))
  a.ldxdw(r9, at(r0, found.rest))
}

/** Reads the head at r8, of which and of what follows there are r9 bytes; goes on at `next` when the response ends within them, and there is more. */
function readHead(context: Context, next: string): void {
  const { a } = context
  const kept = keptIn(context)
  loadHead(context)
  findEnd(context)
  a.label('whole')
  findLength(context)

  a.label('read')
  a.ldxdw(r5, kept.heads)
  a.ldxw(r3, at(r5, found.end))
  a.sub32(r3, r9)
  a.ldxw(r4, at(r5, found.headBytes))
  a.add32(r3, r4)
  a.stw(answer('headEnd'), r3)
  readStatus(context)
  a.ldxdw(r1, at(r5, found.lengthAt))
  a.jeq(r1, 0, 'isOpen')
  readLength(context)

  a.label('hasLength')
  a.add32(r3, r2)
  a.stw(answer('end'), r3)
  a.stw(answer('kind'), AnswerKind.length)
  a.add(r2, r4)
  a.jge(r2, r9, Exit.pass)
  a.add(r8, r2)
  a.sub(r9, r2)
  a.ja(next)

  a.label('isOpen')
  a.stw(answer('kind'), AnswerKind.open)
  a.stw(answer('followedEnd'), r3)
  // A head ends with these, and a content without a byte of it with what follows them.
  a.stw(answer('tail').plus(4), word('\r\n\r\n'))
  a.ja('open')

  a.label('unreadable')
  a.ldxdw(r5, kept.heads)
  a.ldxdw(r1, at(r5, found.payloadBytes))
  a.jeq(r1, r9, 'none')
  // Behind another response: the client has several requests under way.
  a.ja('mixed')
}

/** The beginning of the head to the memory of this CPU. */
function loadHead(context: Context): void {
  const { a } = context
  const kept = keptIn(context)
  a.ldxdw(r5, kept.heads)
  a.mov(r4, r9)
  a.block(fits => {
    a.jle(r4, answerHeadBytesMax, fits)
    a.mov(r4, answerHeadBytesMax)
  })
  a.jlt(r4, answerHeadBytesMin, 'unreadable')
  a.stdw(at(r5, found.loaded), r4)
  a.mov(r3, r5)
  a.add(r3, found.bytes)
  a.mov(r2, r8)
  a.mov(r1, skb)
  a.call('skb_load_bytes', r1, r2, r3, r4)
  a.jne(r0, 0, 'unreadable')
  a.ldxdw(r5, kept.heads)
  a.ldxw(r1, at(r5, found.bytes))
  a.jne32(r1, word('HTTP'), 'unreadable')
  a.ldxw(r1, at(r5, found.bytes + 4))
  a.and(r1, threeBytes)
  a.jne(r1, word('/1.\0'), 'unreadable')
}

/** Where the head ends: behind an empty line. On to `whole`, or to `unreadable`. */
function findEnd({ a }: Context): void {
  a.ldxdw(r2, at(r5, found.loaded))
  a.sub(r2, 2)
  a.mov(r1, r5)
  a.mov(r3, 0)
  a.label('byte')
  a.jge(r3, answerHeadBytesMax, 'unreadable')
  a.jge(r3, r2, 'unreadable')
  a.ldxw(r4, at(r1, found.bytes))
  a.add(r1, 1)
  a.add(r3, 1)
  a.and(r4, threeBytes)
  a.jne(r4, word('\n\r\n\0'), 'byte')
  a.add(r3, 2)
  a.stdw(at(r5, found.headBytes), r3)
}

/** Where the digits of Content-Length begin (RFC 9110 8.6, names in any letters: 5.1); 0: there is none. On to `read`. What is chunked must not have one (RFC 9112 6.2). */
function findLength(context: Context): void {
  const { a } = context
  const nameBytes = lengthName.join('').length
  a.ldxdw(r5, keptIn(context).heads)
  a.ldxdw(r2, at(r5, found.headBytes))
  a.stdw(at(r5, found.lengthAt), 0)
  a.mov(r1, r5)
  a.mov(r3, 0)
  a.label('name')
  a.jge(r3, answerHeadBytesMax, 'read')
  a.jge(r3, r2, 'read')
  a.ldxw(r4, at(r1, found.bytes))
  a.add(r1, 1)
  a.add(r3, 1)
  a.or(r4, smallLetters)
  a.jne32(r4, smallWord(lengthName[3]), 'name')
  a.mov(r4, 0)
  lengthName.slice(0, 3).forEach((part, index) => {
    a.ldxw(r0, at(r1, found.bytes + 4 * index + 3 - nameBytes))
    a.or(r0, smallLetters)
    a.xor(r0, smallWord(part))
    a.or(r4, r0)
  })
  // Another name that ends so; to go on behind it would be more than the verifier looks at.
  a.jne(r4, 0, 'unreadable')
  a.add(r3, 3)
  a.stdw(at(r5, found.lengthAt), r3)
}

/** What the status alone says of the content (RFC 9112 6.3). By r1 and r2. */
function readStatus({ a }: Context): void {
  a.ldxw(r1, at(r5, found.bytes + 8))
  a.jne32(r1, word(' 101'), 'sameProtocol')
  a.ja('none')
  a.label('sameProtocol')
  a.mov(r2, r1)
  a.and(r2, 0xffff)
  a.block(isFinal => {
    a.jne(r2, word(' 1\0\0'), isFinal)
    a.stw(answer('isInterim'), 1)
    a.mov(r2, 0)
    a.ja('hasLength')
  })
  a.stw(answer('isInterim'), 0)
  a.ldxw(r2, answer('responses'))
  a.add(r2, 1)
  a.stw(answer('responses'), r2)
  a.mov(r2, 0)
  a.jne32(r1, word(' 204'), 'not204')
  a.ja('hasLength')
  a.label('not204')
  a.jne32(r1, word(' 304'), 'not304')
  a.ja('hasLength')
  a.label('not304')
}

/** Content-Length to r2. r1 is where its digits begin, r5 the memory; by r0. */
function readLength({ a }: Context): void {
  a.and(r1, answerHeadBytesMax - 1)
  a.add(r1, r5)
  a.mov(r5, 0)
  a.label('digit')
  a.jge(r5, digitsMax, 'unreadable')
  a.ldxb(r0, at(r1, found.bytes))
  a.add(r1, 1)
  a.add(r5, 1)
  a.jeq(r0, 0x20, 'digit')
  a.sub(r0, 0x30)
  a.jgt(r0, 9, 'hasDigits')
  a.lsh(r2, 1)
  a.add(r0, r2)
  a.lsh(r2, 2)
  a.add(r2, r0)
  a.ja('digit')
  a.label('hasDigits')
  a.jgt(r2, contentBytesMax, 'none')
}

/** What has been sent of a content without a length: its last bytes. */
function followOpen(context: Context): void {
  const { a } = context
  const kept = keptIn(context)
  a.label('open')
  a.ldxw(r3, kept.end)
  a.ldxw(r4, answer('followedEnd'))
  a.ldxw(r2, kept.begin)
  a.sub32(r2, r4)
  a.jsge32(r2, 1, 'none')
  a.mov32(r2, r3)
  a.sub32(r2, r4)
  a.jsle32(r2, 0, Exit.pass)
  a.stw(answer('followedEnd'), r3)
  a.block(few => {
    a.jle(r2, 8, few)
    a.mov(r2, 8)
  })
  a.jlt(r2, 1, Exit.pass)
  a.stdw(kept.payloadBytes, r2)
  a.stdw(kept.eight, 0)
  a.mov(r4, r2)
  a.mov(r2, r8)
  a.add(r2, r9)
  a.sub(r2, r4)
  a.mov(r1, skb)
  a.addressOf(r3, kept.eight)
  a.call('skb_load_bytes', r1, r2, r3, r4)
  a.jne(r0, 0, 'none')
  a.ldxdw(r4, kept.payloadBytes)
  a.lsh(r4, 3)
  a.ldxdw(r2, kept.eight)
  a.jeq(r4, 64, 'tail')
  // Those before them move up.
  a.ldxdw(r1, answer('tail'))
  a.rsh(r1, r4)
  a.mov(r3, 64)
  a.sub(r3, r4)
  a.lsh(r2, r3)
  a.or(r2, r1)
  a.label('tail')
  a.stdw(answer('tail'), r2)
  a.ja(Exit.pass)
}

/** Methods, as far as they differ (RFC 9110 9.3, RFC 5789). The first two have no content. */
const methods = ['GET ', 'HEAD', 'POST', 'PUT ', 'DELE', 'OPTI', 'PATC'] as const
const withoutContent = 2
const isHead = methods.indexOf('HEAD')

/** At `payload`, to the end of the program: that of a packet that comes. Counts the client's requests. */
export function noteAsked(context: Context): void {
  const { a, stack } = context
  const kept = keptIn(context)
  a.label('payload')
  a.ldxb(r1, agentField('direction'))
  a.jeq(r1, 0, Exit.pass)
  a.ldxw(r2, stack.tcp.plus(TcpAt.sequence))
  a.be32(r2)
  a.add32(r2, r9)
  a.ldxw(r1, asked('end'))
  a.mov32(r3, r2)
  a.sub32(r3, r1)
  a.jsle32(r3, 0, Exit.pass)
  a.stw(asked('end'), r2)
  a.call('skb_load_bytes', skb, r8, kept.eight.address, 4)
  a.jne(r0, 0, Exit.pass)
  a.ldxw(r1, kept.eight)
  a.scope('asked', () => {
    methods.forEach((method, index) => a.jeq(r1, word(method), index < withoutContent ? 'several' : 'one'))
    a.ja(Exit.pass)
    a.label('several')
    a.ldxw(r2, skbField('gsoSegments'))
    a.jne(r2, 0, 'count')
    a.label('one')
    a.mov(r2, 1)
    a.label('count')
    a.ldxw(r3, asked('requests'))
    a.add(r3, r2)
    a.stw(asked('requests'), r3)
    a.mov(r2, 0)
    a.block(other => {
      a.jne(r1, word(methods[isHead]), other)
      a.mov(r2, 1)
    })
    a.stw(asked('isHead'), r2)
    a.ja(Exit.pass)
  })
}
