import type { FileTime } from './filesystem.ts'

/** Seconds from 1601-01-01 to 1970-01-01 (MS-DTYP 2.3.3). */
const epochSeconds = 11_644_473_600
const twoTo32 = 0x1_0000_0000

const words = new Uint32Array(2)
const long = new BigUint64Array(words.buffer)

/**
 * FILETIME of a moment given in seconds since 1970 and nanoseconds; 0n before 1601. One allocation: the product is
 * too large for a double, so it is put together from two halves that are exact.
 */
export const fileTimeOf = (seconds: number, nanoseconds: number): FileTime => {
  const since = seconds + epochSeconds
  if (since < 0) return 0n
  const upper = Math.floor(since / 0x10000) * 10_000_000
  const lower = (since % 0x10000) * 10_000_000 + Math.floor(nanoseconds / 100) + (upper % 0x10000) * 0x10000
  words[0] = lower % twoTo32
  words[1] = Math.floor(upper / 0x10000) + Math.floor(lower / twoTo32)
  return long[0]!
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
