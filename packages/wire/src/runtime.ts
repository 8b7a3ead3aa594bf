/** What compiled and interpreted codecs call alike. */
import { MalformedError, UsageError } from './errors.ts'
import { InPlace } from './fields.ts'

/** No bytes; shared, so compare by `length`. */
export const emptyBytes: Buffer = Buffer.alloc(0)

/** Fewer bytes than the fixed part. */
export function truncated(struct: string, size: number, available: number): never {
  throw new MalformedError('truncated', `${struct}: ${size} bytes expected, ${available} there`)
}

export function mismatch(struct: string, field: string, expected: unknown, found: unknown): never {
  throw new MalformedError('fixed-mismatch', `${struct}.${field}: ${String(expected)} expected, ${String(found)} found`)
}

export function outOfBounds(struct: string, part: string): never {
  throw new MalformedError('out-of-bounds', `${struct}.${part} lies outside of the message`)
}

export function badLength(struct: string, part: string, lengthBytes: number): never {
  throw new MalformedError('bad-length', `${struct}.${part}: ${lengthBytes} bytes are no whole number of elements`)
}

export function tooLarge(struct: string, field: string, value: number): never {
  throw new UsageError('too-large', `${struct}.${field} can't hold ${value}`)
}

export function noRoom(struct: string, needed: number, available: number): never {
  throw new UsageError('no-room', `${struct}: ${needed} bytes needed, the buffer has ${available}`)
}

/** Below this many code units a loop beats the call into the runtime. */
const shortText = 24

export function readUtf16(b: Buffer, from: number, to: number): string {
  return b.toString('utf16le', from, to)
}

export function writeUtf16(b: Buffer, at: number, text: string): void {
  if (text.length > shortText) {
    b.write(text, at, 'utf16le')
    return
  }
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    b[at + 2 * i] = unit
    b[at + 2 * i + 1] = unit >>> 8
  }
}

/** Copies a data part to its place, unless it is there already. */
export function place(b: Buffer, at: number, value: Uint8Array | InPlace): void {
  if (!(value instanceof InPlace)) b.set(value, at)
}

/** Zeros of padding, a few bytes each. */
export function pad(b: Buffer, from: number, to: number): void {
  for (let i = from; i < to; i++) b[i] = 0
}
