/**
 * Where memory is, as the kernel wants it: a number, as no address is above 2^53. The memory of an ArrayBuffer stays where it is for as long as it lives, so whoever gives an
 * address away keeps the view it is of.
 */
import { addressOf } from './libc.ts'

export const twoTo32 = 0x1_0000_0000

const bases = new WeakMap<ArrayBufferLike, number>()
/** Calls come in rows that are about the same memory. */
let lastBuffer: ArrayBufferLike | undefined
let lastBase = 0

/** Where the memory of a view's ArrayBuffer begins. */
const baseOf = (bytes: Uint8Array): number => {
  const { buffer } = bytes
  if (buffer === lastBuffer) return lastBase
  let base = bases.get(buffer)
  if (base === undefined) bases.set(buffer, (base = Number(addressOf(bytes)) - bytes.byteOffset))
  lastBuffer = buffer
  lastBase = base
  return base
}

/** The address of a view's byte at `offset`. */
export const addressAt = (bytes: Uint8Array, offset = 0): number => baseOf(bytes) + bytes.byteOffset + offset

/** The same, of `length` bytes that the view must have: what the kernel is told to write to is not checked by anybody else. */
export const rangeAt = (bytes: Uint8Array, offset: number, length: number): number => {
  if (!(offset >= 0 && length >= 0 && offset + length <= bytes.length)) throw new RangeError(`${length} bytes at ${offset} of ${bytes.length}`)
  return addressAt(bytes, offset)
}

/** Writes an address as a 64-bit word of a C structure (both machines we know are little-endian). */
export const setAddress = (words: Uint32Array, at: number, address: number): void => {
  words[at] = address
  words[at + 1] = address / twoTo32
}

/** Memory that stays where it is, with its words and its address. */
export interface Memory {
  readonly bytes: Buffer
  readonly words: Uint32Array
  readonly address: number
}

/** Zeroed memory of its own (not of Node's pool). */
export const allocate = (lengthBytes: number): Memory => {
  const bytes = Buffer.alloc(lengthBytes + (-lengthBytes & 7))
  if (bytes.byteOffset !== 0) throw new Error('pooled memory')
  return { bytes, words: new Uint32Array(bytes.buffer), address: addressAt(bytes) }
}
