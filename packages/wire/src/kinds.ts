/**
 * Kinds: what a fixed-size field can hold. A kind can read and write itself (the interpreter) and can say the
 * same as JavaScript source (the compiler); tests hold both to the same behaviour.
 */
import { MalformedError } from './errors.ts'

/** Gives a value a name in generated code. */
export type Use = (value: unknown) => string

/**
 * A fixed-size value on the wire. `Out` is what decoding gives, `In` what encoding accepts. Integers that are
 * too large when encoded are cut to their size, so that -1 may be written for "all ones".
 */
export interface Kind<Out = unknown, In = Out> {
  readonly role: 'kind'
  /** For messages and documentation: `u32`, `bytes(16)`, … */
  readonly kind: string
  /** Bytes on the wire. */
  readonly size: number
  /** Greatest value, for kinds whose value is a number; undefined for others. */
  readonly max?: number | undefined
  read(b: Buffer, at: number): Out
  write(b: Buffer, at: number, value: In): void
  /** Source of an expression that reads the value from `b` at the offset expression `at`. */
  readCode(at: string, use: Use): string
  /** Source of a statement that writes the expression `value` to `b` at the offset expression `at`. */
  writeCode(at: string, value: string, use: Use): string
}

/** A kind of anything. */
// oxlint-disable-next-line typescript/no-explicit-any -- inference puts the types back
export type AnyKind = Kind<any, any>

/** `at` plus a constant, as source: `at + 4`. */
const plus = (at: string, n: number): string => (n === 0 ? at : `${at} + ${n}`)

interface IntegerShape {
  readonly size: 1 | 2 | 3 | 4
  readonly bigEndian?: boolean
  readonly signed?: boolean
}

function integer(kind: string, { size, bigEndian = false, signed = false }: IntegerShape): Kind<number> {
  /** Bits to shift the byte at offset `i`. */
  const shift = (i: number): number => 8 * (bigEndian ? size - 1 - i : i)
  const offsets = [...Array(size).keys()]
  const finish = size === 4 && !signed ? ' >>> 0' : ''
  return Object.freeze({
    role: 'kind' as const,
    kind,
    size,
    max: 2 ** (8 * size - (signed ? 1 : 0)) - 1,
    read(b: Buffer, at: number): number {
      let value = 0
      for (const i of offsets) value |= b[at + i] << shift(i)
      return size === 4 && !signed ? value >>> 0 : value
    },
    write(b: Buffer, at: number, value: number): void {
      for (const i of offsets) b[at + i] = value >>> shift(i)
    },
    readCode(at: string): string {
      const bytes = offsets.map(i => (shift(i) === 0 ? `b[${plus(at, i)}]` : `(b[${plus(at, i)}] << ${shift(i)})`))
      return `((${bytes.join(' | ')})${finish})`
    },
    writeCode(at: string, value: string): string {
      const stores = offsets.map(i => `b[${plus(at, i)}] = ${shift(i) === 0 ? 'n' : `n >>> ${shift(i)}`}`)
      return size === 1 ? `b[${at}] = ${value}` : `{ const n = ${value}; ${stores.join('; ')} }`
    },
  })
}

/** Unsigned and signed integers; multi-byte ones are little-endian unless the name ends in `be`. */
export const u8: Kind<number> = integer('u8', { size: 1 })
export const u16: Kind<number> = integer('u16', { size: 2 })
export const u32: Kind<number> = integer('u32', { size: 4 })
export const i32: Kind<number> = integer('i32', { size: 4, signed: true })
export const u16be: Kind<number> = integer('u16be', { size: 2, bigEndian: true })
export const u24be: Kind<number> = integer('u24be', { size: 3, bigEndian: true })
export const u32be: Kind<number> = integer('u32be', { size: 4, bigEndian: true })

// A bigint is made from two halves by way of shared memory: one allocation, where shifting and adding bigints costs three.
const quad = new BigUint64Array(1)
const signedQuad = new BigInt64Array(quad.buffer)
const halves = new Uint32Array(quad.buffer)
quad[0] = 1n
const [low, high] = halves[0] === 1 ? [0, 1] : [1, 0]

const maxHigh = 0x1fffff

function unsafeInteger(): never {
  throw new MalformedError('unsafe-integer', 'a 64-bit field holds more than 2^53-1')
}

interface LongShape {
  readonly as: 'bigint' | 'signed bigint' | 'number'
  readonly bigEndian?: boolean
}

function long<T>(kind: string, { as, bigEndian = false }: LongShape): Kind<T> {
  const [lowAt, highAt] = bigEndian ? [4, 0] : [0, 4]
  const half = bigEndian ? u32be : u32
  const view = as === 'bigint' ? quad : signedQuad
  const readNumber = (b: Buffer, at: number): number => {
    const highHalf = half.read(b, at + highAt)
    if (highHalf > maxHigh) unsafeInteger()
    return highHalf * 2 ** 32 + half.read(b, at + lowAt)
  }
  const readBigint = (b: Buffer, at: number): bigint => {
    halves[low] = half.read(b, at + lowAt)
    halves[high] = half.read(b, at + highAt)
    return view[0]
  }
  const writeNumber = (b: Buffer, at: number, value: number): void => {
    half.write(b, at + lowAt, value % 2 ** 32)
    half.write(b, at + highAt, Math.floor(value / 2 ** 32))
  }
  const writeBigint = (b: Buffer, at: number, value: bigint): void => {
    view[0] = value
    half.write(b, at + lowAt, halves[low])
    half.write(b, at + highAt, halves[high])
  }
  const read = (as === 'number' ? readNumber : readBigint) as (b: Buffer, at: number) => T
  const write = (as === 'number' ? writeNumber : writeBigint) as (b: Buffer, at: number, value: T) => void
  return Object.freeze({
    role: 'kind' as const,
    kind,
    size: 8,
    max: as === 'number' ? Number.MAX_SAFE_INTEGER : undefined,
    read,
    write,
    readCode(at: string, use: Use): string {
      if (as === 'number') return `${use(read)}(b, ${at})`
      const w = use(halves)
      return `(${w}[${low}] = ${half.readCode(plus(at, lowAt), use)}, ${w}[${high}] = ${half.readCode(plus(at, highAt), use)}, ${use(view)}[0])`
    },
    writeCode(at: string, value: string, use: Use): string {
      if (as === 'number') return `${use(write)}(b, ${at}, ${value})`
      const w = use(halves)
      const store = (offset: number, index: number) => half.writeCode(plus(at, offset), `${w}[${index}]`, use)
      return `{ ${use(view)}[0] = ${value}; ${store(lowAt, low)}; ${store(highAt, high)} }`
    },
  })
}

/** 64-bit integers as bigint. */
export const u64: Kind<bigint> = long('u64', { as: 'bigint' })
export const i64: Kind<bigint> = long('i64', { as: 'signed bigint' })
export const u64be: Kind<bigint> = long('u64be', { as: 'bigint', bigEndian: true })
/** A 64-bit unsigned integer as a number; decoding more than 2^53-1 fails with `unsafe-integer`. */
export const u64n: Kind<number> = long('u64n', { as: 'number' })
export const u64nbe: Kind<number> = long('u64nbe', { as: 'number', bigEndian: true })
/** FILETIME: 100 ns units since 1601-01-01 UTC (MS-DTYP 2.3.3). */
export const filetime: Kind<bigint> = long('filetime', { as: 'bigint' })

/** A kind that generated code calls instead of inlining. */
function called<Out, In>(
  kind: string,
  size: number,
  read: (b: Buffer, at: number) => Out,
  write: (b: Buffer, at: number, value: In) => void,
): Kind<Out, In> {
  return Object.freeze({
    role: 'kind' as const,
    kind,
    size,
    read,
    write,
    readCode: (at: string, use: Use) => `${use(read)}(b, ${at})`,
    writeCode: (at: string, value: string, use: Use) => `${use(write)}(b, ${at}, ${value})`,
  })
}

/** BOOLEAN of one byte: anything but 0 is true. */
export const bool8: Kind<boolean> = called(
  'bool8',
  1,
  (b, at) => b[at] !== 0,
  (b, at, value) => void (b[at] = value ? 1 : 0),
)

/** `lengthBytes` bytes as they are: a view when decoded; what is given to encode is copied and, when shorter, filled up with zeros. */
export function bytes(lengthBytes: number): Kind<Buffer, Uint8Array> {
  return called(
    `bytes(${lengthBytes})`,
    lengthBytes,
    (b, at) => b.subarray(at, at + lengthBytes),
    (b, at, value: Uint8Array) => {
      const given = value.length > lengthBytes ? value.subarray(0, lengthBytes) : value
      b.set(given, at)
      if (given.length < lengthBytes) b.fill(0, at + given.length, at + lengthBytes)
    },
  )
}

const hexOfByte = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'))
/** Where the bytes of a GUID's text are on the wire: the first three groups are little-endian (MS-DTYP 2.3.4.2). */
const guidOrder = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15]
const guidPattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

function readGuid(b: Buffer, at: number): string {
  let text = ''
  for (let i = 0; i < 16; i++) {
    if (i === 4 || i === 6 || i === 8 || i === 10) text += '-'
    text += hexOfByte[b[at + guidOrder[i]]]
  }
  return text
}

function writeGuid(b: Buffer, at: number, value: string): void {
  if (!guidPattern.test(value)) throw new TypeError(`not a GUID: ${value}`)
  const digits = value.replaceAll('-', '')
  for (let i = 0; i < 16; i++) b[at + guidOrder[i]] = Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16)
}

/** GUID as canonical lower-case text, 16 bytes in mixed endianness on the wire (MS-DTYP 2.3.4.2). */
export const guid: Kind<string> = called('guid', 16, readGuid, writeGuid)
