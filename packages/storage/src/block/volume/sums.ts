/** Checksums of blocks: what is kept beside a file, for each 4 KiB of it. */
import { crc32c } from '@holdfast/wire'

/** What a sum is of. */
export const summedBytes = 4096

/** What a sum takes. */
export const sumBytes = 4

/** A hole in the file of sums is true of a hole in the file. */
const sumOfZeros = crc32c(Buffer.alloc(summedBytes))

/** Where the block begins that a place is in. */
export const blockBegin = (offset: number): number => offset - (offset % summedBytes)

/** Where the block ends that the byte before a place is in. */
export const blockEnd = (offset: number): number => Math.ceil(offset / summedBytes) * summedBytes

/** The sums of whole blocks, in whatever pieces they are: CRC32C each, with the bits turned that zeros would have. */
export const sumsOf = (buffers: readonly Buffer[], lengthBytes: number): Buffer => {
  const sums = Buffer.allocUnsafe((lengthBytes / summedBytes) * sumBytes)
  let at = 0
  let crc = 0
  let summed = 0
  for (const buffer of buffers) {
    for (let done = 0; done < buffer.length;) {
      const length = Math.min(summedBytes - summed, buffer.length - done)
      crc = crc32c(buffer.subarray(done, done + length), crc)
      done += length
      if ((summed += length) < summedBytes) continue
      at = sums.writeUInt32LE((crc ^ sumOfZeros) >>> 0, at)
      crc = summed = 0
    }
  }
  return sums
}

/** The first block, from one on, whose sums differ; -1: none. */
export const firstOther = (sums: Buffer, others: Buffer, from = 0): number => {
  let at = from * sumBytes
  if (sums.compare(others, at, others.length, at) === 0) return -1
  while (sums.readUInt32LE(at) === others.readUInt32LE(at)) at += sumBytes
  return at / sumBytes
}
