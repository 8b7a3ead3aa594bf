import type { FileTime } from './filesystem.ts'

/** Seconds from 1601-01-01 to 1970-01-01 (MS-DTYP 2.3.3). */
const epochSeconds = 11_644_473_600
const twoTo32 = 0x1_0000_0000

const words = new Uint32Array(2)
const long = new BigUint64Array(words.buffer)

// Times of one file, and of files made together, are often the same.
let lastSeconds = 0
let lastHundreds = -1
let last = 0n

/**
 * FILETIME of a moment given in seconds since 1970 and nanoseconds; 0n before 1601. One allocation: the product is
 * too large for a double, so it is put together from two halves that are exact (and without `%`, which is slow on doubles).
 */
export const fileTimeOf = (seconds: number, nanoseconds: number): FileTime => {
  const hundreds = Math.floor(nanoseconds / 100)
  if (seconds === lastSeconds && hundreds === lastHundreds) return last
  const since = seconds + epochSeconds
  if (since < 0) return 0n
  const quotient = Math.floor(since / 0x10000)
  const upper = quotient * 10_000_000
  const upperQuotient = Math.floor(upper / 0x10000)
  const lower = (since - quotient * 0x10000) * 10_000_000 + hundreds + (upper - upperQuotient * 0x10000) * 0x10000
  const carry = Math.floor(lower / twoTo32)
  words[0] = lower - carry * twoTo32
  words[1] = upperQuotient + carry
  lastSeconds = seconds
  lastHundreds = hundreds
  last = long[0]!
  return last
}

/** Seconds since 1970 (negative before) and nanoseconds of a FILETIME. */
export const unixTimeOf = (time: FileTime): { seconds: number; nanoseconds: number } => {
  const seconds = time / 10_000_000n
  return { seconds: Number(seconds) - epochSeconds, nanoseconds: Number(time - seconds * 10_000_000n) * 100 }
}

/** FILETIME of a JavaScript time in ms since 1970. */
export const fileTimeOfMs = (ms: number): FileTime => {
  const seconds = Math.floor(ms / 1000)
  return fileTimeOf(seconds, Math.round((ms - seconds * 1000) * 1_000_000))
}
