/** CRC32C (RFC 7143 13.1; Castagnoli's polynomial): of what goes over a wire, or lies on a disk. */
import { foldedBytes, instantiateKernel, longMultiple, memoryLayout, remainderBytes, shortMultiple, turnBytes } from './crc32c-kernel.ts'

/** Castagnoli's polynomial with the bits reversed, as the bits of a byte go over the wire. */
const polynomial = 0x82f6_3b78

/** How many bytes the tables take at once. */
const slices = 8

function makeTables(): Uint32Array {
  const tables = new Uint32Array(slices * 256)
  for (let i = 0; i < 256; i++) {
    let crc = i
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1
    tables[i] = crc
  }
  for (let i = 256; i < tables.length; i++) tables[i] = (tables[i - 256] >>> 8) ^ tables[tables[i - 256] & 0xff]
  return tables
}

const tables = makeTables()

const kernel = instantiateKernel(tables)
const kernelBytes = kernel === undefined ? new Uint8Array(0) : new Uint8Array(kernel.memory.buffer)
const { data, dataBytes } = memoryLayout

/** Below this the call and the copy into the kernel's memory cost more than they save. */
const kernelBytesMin = 256
/** From this on the fold by the long multiple comes first. */
const longBytesMin = foldedBytes(longMultiple) + 4096

/** The last address before `end` that a fold may clear to, so that it leaves at least what its multiple needs. */
const foldEnd = (from: number, end: number, multiple: readonly number[]): number =>
  from + Math.floor((end - foldedBytes(multiple) - from) / turnBytes) * turnBytes

/** CRC of at most `dataBytes`, without inversions, by the kernel. */
function inKernel(bytes: Uint8Array, crc: number): number {
  const k = kernel!
  kernelBytes.set(bytes, data)
  const end = data + bytes.length
  kernelBytes[data] ^= crc
  kernelBytes[data + 1] ^= crc >>> 8
  kernelBytes[data + 2] ^= crc >>> 16
  kernelBytes[data + 3] ^= crc >>> 24
  let from: number = data
  if (bytes.length >= longBytesMin) {
    const to = foldEnd(from, end, longMultiple)
    k.foldLong(from, to)
    from = to
    kernelBytes.fill(0, from - foldedBytes(shortMultiple), from)
  }
  if (end - from < remainderBytes) return k.plain(from, end, 0)
  const to = foldEnd(from, end, shortMultiple)
  if (to > from) k.foldShort(from, to)
  return k.plain(to + remainderBytes, end, k.remainder(to))
}

/**
 * CRC32C of bytes. For bytes in several pieces give each call the result of the one before.
 *
 * @example
 * crc32c(Buffer.alloc(32)).toString(16) // => '8a9136aa'
 * crc32c(Buffer.alloc(20), crc32c(Buffer.alloc(12))).toString(16) // => '8a9136aa'
 */
export function crc32c(bytes: Uint8Array, previous = 0): number {
  let crc = ~previous
  let at = 0
  if (kernel !== undefined) for (; bytes.length - at >= kernelBytesMin; at += dataBytes) crc = inKernel(bytes.subarray(at, at + dataBytes), crc)
  if (at >= bytes.length) return ~crc >>> 0
  for (const stop = bytes.length - (slices - 1); at < stop; at += slices) {
    crc ^= bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)
    crc =
      tables[1792 + (crc & 0xff)] ^
      tables[1536 + ((crc >>> 8) & 0xff)] ^
      tables[1280 + ((crc >>> 16) & 0xff)] ^
      tables[1024 + (crc >>> 24)] ^
      tables[768 + bytes[at + 4]] ^
      tables[512 + bytes[at + 5]] ^
      tables[256 + bytes[at + 6]] ^
      tables[bytes[at + 7]]
  }
  for (; at < bytes.length; at++) crc = (crc >>> 8) ^ tables[(crc ^ bytes[at]) & 0xff]
  return ~crc >>> 0
}

/** CRC32C of bytes that lie in several pieces. */
export function crc32cOf(pieces: Iterable<Uint8Array>): number {
  let crc = 0
  for (const piece of pieces) crc = crc32c(piece, crc)
  return crc
}
