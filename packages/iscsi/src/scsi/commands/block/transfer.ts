/** What commands that transfer logical blocks have in common (SBC-4 4.18.1, 6.6.4): where the blocks are, and what came of them. */
import { partOf } from '@holdfast/storage/block'
import type { LogicalUnit } from '../../logical-unit.ts'
import { CheckCondition, encodeSense, invalidFieldInCdb } from '../../sense.ts'
import { Status } from '../../status.ts'
import type { ScsiTask, TaskResult } from '../../task.ts'

/** Bits of byte 1 of most CDBs; of byte 10 with 32 bytes. */
export const FUA = 0x08

/** What is written, read or compared at a time where nobody asks for a certain size. */
export const chunkBytes = 1024 * 1024

/** Throws LOGICAL BLOCK ADDRESS OUT OF RANGE, with the first address that is. No blocks at the very end are in range. */
export function assertInRange(unit: LogicalUnit, lba: number, blocks: number): void {
  if (lba + blocks <= unit.blocks) return
  throw new CheckCondition('ILLEGAL REQUEST', 'LOGICAL BLOCK ADDRESS OUT OF RANGE', { information: Math.max(lba, unit.blocks) })
}

/** The same, and throws INVALID FIELD IN CDB, with the byte at which the length begins, above MAXIMUM TRANSFER LENGTH. */
export function assertTransfer(unit: LogicalUnit, lba: number, blocks: number, lengthAt: number): void {
  assertInRange(unit, lba, blocks)
  if (blocks > unit.limits.maximumTransferBlocks) throw invalidFieldInCdb(lengthAt)
}

/** What does not fit the CDB: more or less data than it speaks of, where that cannot be made good by a residual. */
export const wrongDataLength = (): CheckCondition => new CheckCondition('ILLEGAL REQUEST', 'INVALID FIELD IN COMMAND INFORMATION UNIT')

/** What a device writes at least (`BlockDevice`). */
const sectorBytes = 512

/**
 * The data that came, of what the CDB speaks of: of the last block it may be a part. Undefined where it is none that a device can write: nothing of
 * it can be used then (`partOfSector`).
 */
export function dataGiven(task: ScsiTask, lengthBytes: number): readonly Buffer[] | undefined {
  if (task.dataOutBytes === lengthBytes) return task.dataOut
  if (task.dataOutBytes > lengthBytes) return partOf(task.dataOut, 0, lengthBytes)
  return task.dataOutBytes % sectorBytes === 0 ? task.dataOut : undefined
}

/** The answer to data-out that ends within a sector. Unlike with errors that are thrown, the residual tells what was missing. */
export const partOfSector = (unit: LogicalUnit, dataOutBytes: number): TaskResult => ({
  status: Status.checkCondition,
  sense: encodeSense(wrongDataLength(), unit.isDescriptorSense),
  dataInBytes: 0,
  dataOutBytes,
})

/** Whether the initiator has so much data-out as the CDB speaks of, and no more. */
export const isExactDataOut = (task: ScsiTask, lengthBytes: number): boolean =>
  task.dataOutBytes === lengthBytes && (task.dataOutOfferedBytes ?? lengthBytes) === lengthBytes

/** All of the data-out, which has to be exactly as long. */
export function exactDataOut(task: ScsiTask, lengthBytes: number): readonly Buffer[] {
  if (!isExactDataOut(task, lengthBytes)) throw wrongDataLength()
  return task.dataOut
}

/** Data-out of commands whose parameter list length is in the two bytes from `at` on. */
export const listLengthAt =
  (at: number) =>
  (cdb: Buffer): number =>
    cdb.readUInt16BE(at)

/** A range cut in pieces of `chunkBytes`: their offsets and lengths, counted from its beginning. */
export function* chunks(lengthBytes: number, sizeBytes = chunkBytes): Generator<{ readonly at: number; readonly lengthBytes: number }> {
  for (let at = 0; at < lengthBytes; at += sizeBytes) yield { at, lengthBytes: Math.min(sizeBytes, lengthBytes - at) }
}

/** A buffer of whole repetitions of a block, no longer than a chunk nor than what is to be filled. */
export function repeated(block: Buffer, lengthBytes: number): Buffer {
  const times = Math.max(1, Math.floor(Math.min(chunkBytes, lengthBytes) / block.length))
  return Buffer.alloc(block.length * times, block)
}

/** Whether all bytes are zero: the first is, and each is as the one before. */
export const isZero = (bytes: Buffer): boolean => bytes[0] === 0 && bytes.compare(bytes, 1, bytes.length, 0, bytes.length - 1) === 0

/** With FUA, and where writes are not cached at all, a write is durable before it is answered. */
export const isDurable = (unit: LogicalUnit, flags: number): boolean => (flags & FUA) !== 0 || !unit.isWriteCacheEnabled

/** Options of a write that is durable. */
export const durable = { isDurable: true } as const
