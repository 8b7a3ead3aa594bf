/** VERIFY (SBC-4 5.36 to 5.39). */
import { firstDifference, partOf } from '@holdfast/storage/block'
import type { Command } from '../../command.ts'
import { lba10, lba12, lba16, lba32, length10, length12, length16, length32 } from '../../cdb.ts'
import type { LogicalUnit } from '../../logical-unit.ts'
import { good, goodDataOut } from '../../results.ts'
import { CheckCondition, invalidFieldInCdb } from '../../sense.ts'
import type { ScsiTask, TaskResult } from '../../task.ts'
import { assertTransfer, dataGiven, chunkBytes, chunks, exactDataOut, partOfSector, repeated } from './transfer.ts'

/** BYTCHK field (SBC-4 table 'BYTCHK field'). */
const ByteCheck = { none: 0, everyBlock: 1, oneBlock: 3 } as const

/** What is read only to see that it can be read. Nobody looks into it. */
const nowhere = Buffer.allocUnsafe(chunkBytes)

/** Where BYTCHK is: bits 2 and 1. */
export const byteCheckOf = (flags: number): number => (flags >> 1) & 3

/** Bytes of data-out by BYTCHK; 2 is reserved. */
export function verifyDataOutBytes(blocks: number, flags: number, blockBytes: number): number {
  const byteCheck = byteCheckOf(flags)
  if (byteCheck === ByteCheck.none || blocks === 0) return 0
  return byteCheck === ByteCheck.oneBlock ? blockBytes : blocks * blockBytes
}

/** MISCOMPARE DURING VERIFY OPERATION, with where in the data-out it is. */
export const miscompare = (offset: number): CheckCondition =>
  new CheckCondition('MISCOMPARE', 'MISCOMPARE DURING VERIFY OPERATION', { information: offset })

/** Throws MISCOMPARE where the medium is not as `expected`. */
export async function compareMedium({ device }: LogicalUnit, expected: readonly Buffer[], offset: number, lengthBytes: number): Promise<void> {
  const found = Buffer.allocUnsafe(Math.min(chunkBytes, lengthBytes))
  for (const chunk of chunks(lengthBytes)) {
    const part = found.subarray(0, chunk.lengthBytes)
    await device.read([part], offset + chunk.at)
    const mismatchAt = firstDifference(partOf(expected, chunk.at, chunk.lengthBytes), [part])
    if (mismatchAt !== -1) throw miscompare(chunk.at + mismatchAt)
  }
}

/** Throws MISCOMPARE where a block of the medium is not as the one given. */
async function compareWithBlock(task: ScsiTask, unit: LogicalUnit, offset: number, lengthBytes: number): Promise<void> {
  const block = Buffer.concat(exactDataOut(task, unit.blockBytes))
  const pattern = repeated(block, lengthBytes)
  for (const chunk of chunks(lengthBytes, pattern.length)) {
    try {
      await compareMedium(unit, [pattern], offset + chunk.at, chunk.lengthBytes)
    } catch (error) {
      // Counted within the one block that is the data-out.
      if (error instanceof CheckCondition) throw miscompare((error.details.information ?? 0) % block.length)
      throw error
    }
  }
}

/** Throws what the device says of what cannot be read. */
export async function readMedium({ device }: LogicalUnit, offset: number, lengthBytes: number): Promise<void> {
  for (const chunk of chunks(lengthBytes)) await device.read([nowhere.subarray(0, chunk.lengthBytes)], offset + chunk.at)
}

/** VERIFY of all sizes; `flagsAt` is where VRPROTECT, DPO and BYTCHK are. */
async function verify(task: ScsiTask, unit: LogicalUnit, lba: number, blocks: number, lengthAt: number, flagsAt: number): Promise<TaskResult> {
  assertTransfer(unit, lba, blocks, lengthAt)
  const flags = task.cdb[flagsAt]
  const byteCheck = byteCheckOf(flags)
  if (byteCheck === 2) throw invalidFieldInCdb(flagsAt, 2)
  if (blocks === 0) return good
  const lengthBytes = blocks * unit.blockBytes
  const offset = lba * unit.blockBytes
  // What is verified is the medium, not the cache (SBC-4 5.36).
  await unit.device.flush()
  if (byteCheck === ByteCheck.none) await readMedium(unit, offset, lengthBytes)
  else if (byteCheck === ByteCheck.oneBlock) await compareWithBlock(task, unit, offset, lengthBytes)
  else {
    const given = dataGiven(task, lengthBytes)
    if (given === undefined) return partOfSector(unit, lengthBytes)
    await compareMedium(unit, given, offset, Math.min(task.dataOutBytes, lengthBytes))
  }
  return goodDataOut(verifyDataOutBytes(blocks, flags, unit.blockBytes))
}

/** VRPROTECT is refused as there is no protection information. */
export const verifyCommands: readonly Command[] = [
  {
    name: 'VERIFY (10)',
    opcode: 0x2f,
    clause: 'SBC-4 5.36',
    usage: '2f 16 ffffffff 3f ffff 00',
    access: 'read',
    dataOutBytes: (cdb, unit) => verifyDataOutBytes(length10(cdb), cdb[1], unit.blockBytes),
    execute: (task, unit) => verify(task, unit, lba10(task.cdb), length10(task.cdb), 7, 1),
  },
  {
    name: 'VERIFY (12)',
    opcode: 0xaf,
    clause: 'SBC-4 5.37',
    usage: 'af 16 ffffffff ffffffff 3f 00',
    access: 'read',
    dataOutBytes: (cdb, unit) => verifyDataOutBytes(length12(cdb), cdb[1], unit.blockBytes),
    execute: (task, unit) => verify(task, unit, lba12(task.cdb), length12(task.cdb), 6, 1),
  },
  {
    name: 'VERIFY (16)',
    opcode: 0x8f,
    clause: 'SBC-4 5.38',
    usage: '8f 16 ffffffffffffffff ffffffff 3f 00',
    access: 'read',
    dataOutBytes: (cdb, unit) => verifyDataOutBytes(length16(cdb), cdb[1], unit.blockBytes),
    execute: (task, unit) => verify(task, unit, lba16(task.cdb), length16(task.cdb), 10, 1),
  },
  {
    name: 'VERIFY (32)',
    opcode: 0x7f,
    serviceAction: 0x000a,
    clause: 'SBC-4 5.39',
    usage: '7f 00 00000000 3f 18 000a 16 00 ffffffffffffffff ffffffff ffff ffff ffffffff',
    access: 'read',
    dataOutBytes: (cdb, unit) => verifyDataOutBytes(length32(cdb), cdb[10], unit.blockBytes),
    execute: (task, unit) => verify(task, unit, lba32(task.cdb), length32(task.cdb), 28, 10),
  },
]
