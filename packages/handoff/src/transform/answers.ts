/**
 * What is known of the server's answers (RFC 9112): the program for packets that leave follows them, and an agent knows by it whether the server has said all it has to say. Here without a kernel: the program is held
 * against this.
 *
 * Each head is where the response before it ends. Of a length, that is known when the head has come; of what is chunked, or lasts until the connection ends, the last bytes are kept. An answer to HEAD has a head
 * alone, which only shows when the next head comes right behind it.
 */

import { AnswerKind, Answers, lastChunk } from '../bpf/entries.ts'
import type { Asked } from '../bpf/entries.ts'
import { offsetsOf } from '../bpf/offsets.ts'
import { TcpFlag } from './packet.ts'
import { ahead, plus } from './sequence.ts'

/** A head that is longer is not read. */
export const answerHeadBytesMax = 1024
/** A shorter one is none: a status line's version and code. */
export const answerHeadBytesMin = 12
/** Responses that may end or begin in one packet. */
export const answerHeadsMax = 2
/** What is further away can't be told from what is behind (RFC 9293 3.4). */
export const contentBytesMax = 0x7fff_ffff

/** Nothing has been answered yet: what comes at `sequence` is a head. */
export const noAnswers = (sequence: number): Answers => ({
  tail: Buffer.alloc(8),
  kind: AnswerKind.length,
  responses: 0,
  isInterim: 1,
  headEnd: sequence,
  end: sequence,
  followedEnd: sequence,
})

/** Writes the same to where an entry has it, which is all zero. */
export function writeNoAnswers(entry: Buffer, offset: number, sequence: number): void {
  entry.writeUInt32LE(AnswerKind.length, offset + at.kind)
  entry.writeUInt32LE(1, offset + at.isInterim)
  for (const place of sequencesAt) entry.writeUInt32LE(sequence, offset + place)
}

const at = offsetsOf(Answers)
const sequencesAt = [at.headEnd, at.end, at.followedEnd]

const lastBytes = (tail: Buffer, bytes: Buffer): Buffer => Buffer.concat([tail, bytes]).subarray(-8)
const endsWithLastChunk = (tail: Buffer): boolean => tail.subarray(1).toString('latin1') === lastChunk

/** A packet of the server with `payload`, which begins at `sequence`. */
export function followAnswers(answers: Answers, sequence: number, payload: Buffer): Answers {
  const { kind } = answers
  if (payload.length === 0 || kind === AnswerKind.none || kind === AnswerKind.mixed) return answers
  const mayBegin = sequence === answers.headEnd || (kind === AnswerKind.open && sequence === answers.followedEnd && endsWithLastChunk(answers.tail))
  if (mayBegin && payload.length >= 8 && isVersion(payload)) return readHeads(answers, sequence, payload, 0)
  if (kind === AnswerKind.open) return followOpen(answers, sequence, payload)
  if (ahead(plus(sequence, payload.length), answers.end) <= 0) return answers
  const at = ahead(answers.end, sequence)
  return at < 0 ? { ...answers, kind: AnswerKind.none } : readHeads(answers, sequence, payload, at)
}

const isVersion = (bytes: Buffer): boolean => bytes.toString('latin1', 0, 7) === 'HTTP/1.'

function followOpen(answers: Answers, sequence: number, payload: Buffer): Answers {
  const end = plus(sequence, payload.length)
  if (ahead(sequence, answers.followedEnd) > 0) return { ...answers, kind: AnswerKind.none }
  const count = ahead(end, answers.followedEnd)
  if (count <= 0) return answers
  return { ...answers, followedEnd: end, tail: lastBytes(answers.tail, payload.subarray(-Math.min(count, 8))) }
}

/** Reads heads one after the other, as long as responses end in this packet. */
function readHeads(before: Answers, sequence: number, payload: Buffer, from: number): Answers {
  let answers = before
  for (let at = from, heads = 0; at < payload.length; heads++) {
    if (heads === answerHeadsMax) return { ...answers, kind: AnswerKind.mixed }
    const head = readHead(payload.subarray(at, at + answerHeadBytesMax))
    // Behind another response: the client has several requests under way.
    if (head === undefined) return { ...answers, kind: at === 0 ? AnswerKind.none : AnswerKind.mixed }
    const headEnd = plus(sequence, at + head.bytes)
    if (head.status === '101') return { ...answers, headEnd, kind: AnswerKind.none }
    const isInterim = Number(head.status.startsWith('1'))
    answers = { ...answers, headEnd, isInterim, responses: answers.responses + 1 - isInterim }
    const contentBytes = contentBytesOf(head)
    if (contentBytes === 'open') {
      const tail = Buffer.concat([answers.tail.subarray(0, 4), Buffer.from('\r\n\r\n')])
      return followOpen({ ...answers, kind: AnswerKind.open, followedEnd: headEnd, tail }, sequence, payload)
    }
    if (contentBytes === 'unreadable') return { ...answers, kind: at === 0 ? AnswerKind.none : AnswerKind.mixed }
    if (contentBytes > contentBytesMax) return { ...answers, kind: AnswerKind.none }
    answers = { ...answers, kind: AnswerKind.length, end: plus(headEnd, contentBytes) }
    at += head.bytes + contentBytes
  }
  return answers
}

interface Head {
  readonly bytes: number
  readonly status: string
  /** Value of the first Content-Length, if there is one. */
  readonly length: string | undefined
}

function readHead(bytes: Buffer): Head | undefined {
  const text = bytes.toString('latin1')
  const end = text.indexOf('\n\r\n') + 3
  if (text.length < answerHeadBytesMin || !isVersion(bytes) || end < 3) return undefined
  const lines = text.slice(0, end).split('\n')
  const line = lines.find(one => /gth:/i.test(one)) ?? 'Content-Length:'
  // Another name that ends so is more than is looked at.
  if (!/^content-length:/i.test(line)) return undefined
  return { bytes: end, status: text.slice(9, 12), length: lines.includes(line) ? line.slice('content-length:'.length) : undefined }
}

/** RFC 9112 6.3. What is chunked must not have a length (6.2): where it has, that counts. */
function contentBytesOf({ status, length }: Head): number | 'open' | 'unreadable' {
  if (status.startsWith('1') || status === '204' || status === '304') return 0
  if (length === undefined) return 'open'
  const digits = /^[ \d]*/.exec(length)![0]
  return digits.length >= 16 ? 'unreadable' : Number(digits.replaceAll(' ', ''))
}

const methods: ReadonlySet<string> = new Set(['GET ', 'HEAD', 'POST', 'PUT ', 'DELE', 'OPTI', 'PATC'])

/** A packet of the client with `payload`, which begins at `sequence`: a request, when it begins with a method. */
export function noteAsked(asked: Asked, sequence: number, payload: Buffer): Asked {
  const end = plus(sequence, payload.length)
  if (payload.length === 0 || ahead(end, asked.end) <= 0) return asked
  const method = payload.toString('latin1', 0, 4)
  return methods.has(method) ? { end, requests: asked.requests + 1, isHead: Number(method === 'HEAD') } : { ...asked, end }
}

/** What the client has asked, and the server sent. */
export interface Exchange {
  readonly requests: number
  /** The last request's method was HEAD. */
  readonly isHead: boolean
  /** Where all that the server has sent ends, as the client sees it, and all TCP flags in it. */
  readonly sentEnd: number
  readonly flags: number
}

/** Whether several responses were under way, and can't be told from each other any more. */
export const isUnclear = ({ kind }: Answers): boolean => kind === AnswerKind.mixed

/** Whether the server has answered all that it was asked, and whole. What can't be told counts as whole, but for where it is known that several responses were under way. */
export function isAnswered({ kind, responses, isInterim, end, tail }: Answers, { requests, isHead, sentEnd, flags }: Exchange): boolean {
  if (kind === AnswerKind.none) return true
  if (kind === AnswerKind.mixed || isInterim === 1 || responses < requests) return false
  if (isHead) return true
  return kind === AnswerKind.length ? ahead(sentEnd, end) >= 0 : (flags & TcpFlag.fin) !== 0 || endsWithLastChunk(tail)
}
