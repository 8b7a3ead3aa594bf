/** What the journal of a volume keeps of a write that is under way: an entry in a slot. */
import { createHash } from 'node:crypto'

/** A write that has to happen as a whole. */
export interface AtomicEntry {
  /** Entries of one journal are counted. */
  readonly sequence: number
  /** Of the volume. */
  readonly offset: number
  readonly data: readonly Buffer[]
}

/** What a header says. It is true of data that has its digest. */
export interface AtomicHeader {
  readonly sequence: number
  readonly offset: number
  readonly lengthBytes: number
  readonly digest: Buffer
}

const magic = Buffer.from('hfatomic')
const sequenceAt = 8
const offsetAt = 16
const lengthAt = 24
const digestAt = 32
const digestBytes = 32

/** A page: it is written and cleared as one, without anything being read. */
export const headerBytes = 4096

/** The most that an entry holds. */
export const maximumDataBytes = 1 << 20

/**
 * Data ends where the header begins, in the last page of the slot: one write puts both there, in that order, and one that stops for want of space
 * has left no header.
 */
export const slotBytes = maximumDataBytes + headerBytes

const digestOf = (header: Buffer, data: readonly Buffer[]): Buffer => {
  const hash = createHash('sha256').update(header.subarray(0, digestAt))
  for (const part of data) hash.update(part)
  return hash.digest()
}

const headerOf = (sequence: number, offset: number, lengthBytes: number): Buffer => {
  const header = Buffer.alloc(headerBytes)
  magic.copy(header)
  header.writeBigUInt64LE(BigInt(sequence), sequenceAt)
  header.writeBigUInt64LE(BigInt(offset), offsetAt)
  header.writeUInt32LE(lengthBytes, lengthAt)
  return header
}

/** The header of an entry. */
export const encodeHeader = ({ sequence, offset, data }: AtomicEntry): Buffer => {
  const lengthBytes = data.reduce((sum, part) => sum + part.length, 0)
  const header = headerOf(sequence, offset, lengthBytes)
  digestOf(header, data).copy(header, digestAt)
  return header
}

/** Undefined for what is no header. */
export const decodeHeader = (header: Buffer): AtomicHeader | undefined => {
  if (!header.subarray(0, magic.length).equals(magic)) return undefined
  const lengthBytes = header.readUInt32LE(lengthAt)
  if (lengthBytes > maximumDataBytes) return undefined
  return {
    sequence: Number(header.readBigUInt64LE(sequenceAt)),
    offset: Number(header.readBigUInt64LE(offsetAt)),
    lengthBytes,
    digest: header.subarray(digestAt, digestAt + digestBytes),
  }
}

/** Whether header and data were written as a whole. */
export const isWhole = ({ sequence, offset, lengthBytes, digest }: AtomicHeader, data: Buffer): boolean =>
  digestOf(headerOf(sequence, offset, lengthBytes), [data]).equals(digest)
