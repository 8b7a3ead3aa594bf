/**
 * Datagrams: a header and what its type has. `problemOf` says what is wrong with one without throwing, as anybody may send any; it is asked before the MAC is checked,
 * so it looks at as little as it can. What is behind the MAC is the cluster's own.
 */
import { MalformedError, UsageError } from '@holdfast/wire'
import type { Struct } from '@holdfast/wire'
import {
  ConnectionName,
  Continue,
  FlowName,
  Handoff,
  Header,
  Heartbeat,
  Hello,
  magic,
  MessageType,
  Owner,
  Refuse,
  Release,
  Welcome,
} from './messages.ts'

/** Bytes of the header, and where in it what is; a test holds them to the table. */
export const headerBytes: number = Header.fixedSize
/** See `headerBytes`. */
export const typeAt = 4
/** See `headerBytes`. */
export const lengthAt = 6
/** See `headerBytes`. */
export const sessionAt = 8
/** See `headerBytes`. */
export const sequenceAt = 16
/** See `headerBytes`. */
export const macAt = 24
/** Bytes of the MAC. */
export const macBytes = 16

/** The longest message: a UDP datagram over IPv4 (RFC 768, RFC 791 3.1). */
export const messageBytesMax = 65_507

/** What follows the header. */
export interface Body {
  /** Undefined: nothing. */
  readonly layout: Struct<object, never> | undefined
  /** `one` value, a `list` of at least one, or one with `payload` behind it, which may be empty. */
  readonly shape: 'none' | 'one' | 'list' | 'payload'
  /** Who says it. */
  readonly from: 'director' | 'agent'
}

type Layout = NonNullable<Body['layout']>
const none = { layout: undefined, shape: 'none' } as const
const body = (layout: unknown, shape: 'one' | 'list' | 'payload') => ({ layout: layout as Layout, shape })

/** By `MessageType`. */
export const bodies: Readonly<Record<MessageType, Body>> = {
  [MessageType.handoff]: { ...body(Handoff, 'payload'), from: 'director' },
  [MessageType.accept]: { ...body(ConnectionName, 'list'), from: 'agent' },
  [MessageType.refuse]: { ...body(Refuse, 'one'), from: 'agent' },
  [MessageType.continue]: { ...body(Continue, 'payload'), from: 'director' },
  [MessageType.release]: { ...body(Release, 'one'), from: 'director' },
  [MessageType.closed]: { ...body(ConnectionName, 'list'), from: 'agent' },
  [MessageType.whoHas]: { ...body(FlowName, 'one'), from: 'director' },
  [MessageType.owner]: { ...body(Owner, 'one'), from: 'agent' },
  [MessageType.hello]: { ...body(Hello, 'one'), from: 'director' },
  [MessageType.welcome]: { ...body(Welcome, 'one'), from: 'agent' },
  [MessageType.heartbeat]: { ...body(Heartbeat, 'one'), from: 'director' },
  [MessageType.busy]: { ...body(ConnectionName, 'one'), from: 'agent' },
  [MessageType.released]: { ...body(ConnectionName, 'list'), from: 'agent' },
  [MessageType.stranger]: { ...none, from: 'agent' },
  [MessageType.alive]: { ...body(Heartbeat, 'one'), from: 'agent' },
}

/** The same by index, with sizes: what is asked for each datagram. */
const shapes = Array.from({ length: 256 }, (_, type) => {
  const known = (bodies as Readonly<Record<number, Body>>)[type]
  return known === undefined ? undefined : { ...known, sizeBytes: known.layout?.fixedSize ?? 0 }
})

const lengths: Readonly<Record<Body['shape'], (lengthBytes: number, sizeBytes: number) => boolean>> = {
  none: lengthBytes => lengthBytes === 0,
  one: (lengthBytes, sizeBytes) => lengthBytes === sizeBytes,
  list: (lengthBytes, sizeBytes) => lengthBytes > 0 && lengthBytes % sizeBytes === 0,
  payload: (lengthBytes, sizeBytes) => lengthBytes >= sizeBytes,
}

const magicBytes = [...Buffer.from(magic, 'latin1')]

/** Whether these bytes begin as a message does; what does not is, for a server agent, a packet in its wrapping. */
export function hasMagic(b: Buffer, from: number, to: number): boolean {
  return (
    to - from >= 4 && b[from] === magicBytes[0] && b[from + 1] === magicBytes[1] && b[from + 2] === magicBytes[2] && b[from + 3] === magicBytes[3]
  )
}

/** What is wrong with a datagram, by the codes of MalformedError. */
export type Problem = 'truncated' | 'fixed-mismatch' | 'unknown-type' | 'bad-length' | 'unsafe-integer'

/** The upper half of the greatest number that a session or a sequence number may be (2^53-1). */
const upperHalfMax = 0x1f_ffff

/** What is wrong with the datagram `b[from, to)`; undefined when header and length are those of a message. */
export function problemOf(b: Buffer, from: number, to: number): Problem | undefined {
  if (to - from < headerBytes) return 'truncated'
  if (!hasMagic(b, from, to)) return 'fixed-mismatch'
  const shape = shapes[b[from + typeAt]]
  if (shape === undefined) return 'unknown-type'
  const lengthBytes = to - from - headerBytes
  if (readU16(b, from + lengthAt) !== lengthBytes || !lengths[shape.shape](lengthBytes, shape.sizeBytes)) return 'bad-length'
  if (b[from + typeAt] === MessageType.handoff && readU16(b, from + requestBytesAt) !== lengthBytes - shape.sizeBytes) return 'bad-length'
  if (readU32(b, from + sessionAt) > upperHalfMax || readU32(b, from + sequenceAt) > upperHalfMax) return 'unsafe-integer'
  return undefined
}

/** Where a HANDOFF says how long its request is: in its last two bytes. */
const requestBytesAt = headerBytes + Handoff.fixedSize - 2

const readU16 = (b: Buffer, at: number): number => (b[at] << 8) | b[at + 1]
const readU32 = (b: Buffer, at: number): number => ((b[at] << 24) | (b[at + 1] << 16) | (b[at + 2] << 8) | b[at + 3]) >>> 0

/** The 64-bit number of the header at `at` (`sessionAt`, `sequenceAt`) of a message without a problem. */
export function readNumber(b: Buffer, at: number): number {
  return readU32(b, at) * 2 ** 32 + readU32(b, at + 4)
}

/** A message, taken apart. */
export interface Message {
  readonly type: MessageType
  readonly session: number
  readonly sequence: number
  readonly mac: Uint8Array
  /** Of the type's layout: none, one, or those of the list. */
  readonly values: readonly object[]
  /** What follows the value in HANDOFF and CONTINUE. */
  readonly payload: Uint8Array
}

const nothing = Buffer.alloc(0)

/** Takes the datagram `b[from, to)` apart; the MAC is not checked. Throws MalformedError with a `Problem` as its code. */
export function decodeMessage(b: Buffer, from = 0, to: number = b.length): Message {
  const problem = problemOf(b, from, to)
  if (problem !== undefined) throw new MalformedError(problem, `hand-off message: ${problem}`)
  const { session, sequence, mac } = Header.decode(b, from, to)
  const type = b[from + typeAt] as MessageType
  const { layout, shape } = bodies[type]
  const at = from + headerBytes
  if (layout === undefined) return { type, session, sequence, mac, values: [], payload: nothing }
  const end = shape === 'list' ? to : at + layout.fixedSize
  const values: object[] = []
  for (let next = at; next < end; next += layout.fixedSize) values.push(layout.decode(b, next, to))
  return { type, session, sequence, mac, values, payload: b.subarray(end, to) }
}

/** Writes a message to `into`, from `at` on; returns where it ends. Throws UsageError `no-room`, `bad-message`. */
export function encodeMessage(message: Message, into: Buffer, at = 0): number {
  const { type, values, payload } = message
  const { layout, shape } = bodies[type]
  const lengthBytes = values.length * (layout?.fixedSize ?? 0) + payload.length
  const isRight = shape === 'list' ? values.length > 0 : values.length === (layout === undefined ? 0 : 1)
  if (!isRight || (shape !== 'payload' && payload.length > 0)) throw new UsageError('bad-message', `${values.length} values, ${payload.length} bytes`)
  if (lengthBytes > messageBytesMax - headerBytes || at + headerBytes + lengthBytes > into.length) throw new UsageError('no-room')
  let next = Header.encode({ ...message, lengthBytes }, into, at)
  for (const value of values) next = layout!.encode(value as never, into, next)
  into.set(payload, next)
  return next + payload.length
}
