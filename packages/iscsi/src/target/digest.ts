import { crc32c, digestAt, putDigest } from '../pdu/index.ts'

/** Writes the digest of a segment behind it. */
export function sealSegment(pdu: Buffer, from: number, end: number): void {
  putDigest(pdu, end, crc32c(pdu.subarray(from, end)))
}

/** Whether the digest behind a segment is its own. */
export const isSegmentIntact = (pdu: Buffer, from: number, end: number): boolean => digestAt(pdu, end) === crc32c(pdu.subarray(from, end))
