/** WRITE SAME (SBC-4 5.52 to 5.54). */
import type { Command } from '../../command.ts'
import { lba10, lba16, lba32, length10, length16, length32 } from '../../cdb.ts'
import type { LogicalUnit } from '../../logical-unit.ts'
import { good, goodDataOut } from '../../results.ts'
import { invalidFieldInCdb } from '../../sense.ts'
import type { ScsiTask, TaskResult } from '../../task.ts'
import { assertInRange, chunks, exactDataOut, isZero, repeated } from './transfer.ts'

const ANCHOR = 0x10
const UNMAP = 0x08
/** The block is all zeros, and there is no data-out. */
const NDOB = 0x01

/** NUMBER OF LOGICAL BLOCKS 0, which may mean all to the end of the medium, is refused: WSNZ of the Block Limits VPD page says so. */
function assertBlocks(unit: LogicalUnit, lba: number, blocks: number, lengthAt: number): void {
  if (blocks === 0) throw invalidFieldInCdb(lengthAt)
  assertInRange(unit, lba, blocks)
  if (blocks > unit.limits.maximumWriteSameBlocks) throw invalidFieldInCdb(lengthAt)
}

function assertFlags(unit: LogicalUnit, flags: number, flagsAt: number): void {
  if ((flags & (ANCHOR | UNMAP)) === ANCHOR) throw invalidFieldInCdb(flagsAt, 4)
  if ((flags & UNMAP) !== 0 && !unit.device.isThin) throw invalidFieldInCdb(flagsAt, 3)
}

/** Zeros without UNMAP are stored, as with ANCHOR: later writes cannot fail for want of space. */
async function writeZeros({ device }: LogicalUnit, offset: number, lengthBytes: number, flags: number): Promise<void> {
  if ((flags & (ANCHOR | UNMAP)) === UNMAP) await device.unmap(offset, lengthBytes)
  else await device.zero(offset, lengthBytes)
}

async function writePattern(task: ScsiTask, { device }: LogicalUnit, block: Buffer, offset: number, lengthBytes: number): Promise<void> {
  const pattern = repeated(block, lengthBytes)
  for (const chunk of chunks(lengthBytes, pattern.length)) {
    if (task.isAborted) return
    await device.write([pattern.subarray(0, chunk.lengthBytes)], offset + chunk.at)
  }
}

/**
 * WRITE SAME of all sizes; `flagsAt` is where WRPROTECT, ANCHOR, UNMAP and NDOB are. What is unmapped reads as zeros: a block that is not zero is
 * written also with UNMAP (SBC-4 4.7.3.4.4).
 */
async function writeSame(task: ScsiTask, unit: LogicalUnit, lba: number, blocks: number, lengthAt: number, flagsAt: number): Promise<TaskResult> {
  const flags = task.cdb[flagsAt]
  assertFlags(unit, flags, flagsAt)
  unit.assertWritable()
  assertBlocks(unit, lba, blocks, lengthAt)
  const block = (flags & NDOB) === 0 ? Buffer.concat(exactDataOut(task, unit.blockBytes)) : undefined
  const offset = lba * unit.blockBytes
  const lengthBytes = blocks * unit.blockBytes
  if (block === undefined || isZero(block)) await writeZeros(unit, offset, lengthBytes, flags)
  else await writePattern(task, unit, block, offset, lengthBytes)
  if (!unit.isWriteCacheEnabled) await unit.device.flush()
  return block === undefined ? good : goodDataOut(unit.blockBytes)
}

/** WRPROTECT is refused as there is no protection information; PBDATA and LBDATA of SBC-2 would change what is written, and are refused too. */
export const writeSameCommands: readonly Command[] = [
  {
    name: 'WRITE SAME (10)',
    opcode: 0x41,
    clause: 'SBC-4 5.52',
    usage: '41 18 ffffffff 3f ffff 00',
    access: 'write',
    dataOutBytes: (_cdb, unit) => unit.blockBytes,
    execute: (task, unit) => writeSame(task, unit, lba10(task.cdb), length10(task.cdb), 7, 1),
  },
  {
    name: 'WRITE SAME (16)',
    opcode: 0x93,
    clause: 'SBC-4 5.53',
    usage: '93 19 ffffffffffffffff ffffffff 3f 00',
    access: 'write',
    dataOutBytes: (cdb, unit) => ((cdb[1] & NDOB) === 0 ? unit.blockBytes : 0),
    execute: (task, unit) => writeSame(task, unit, lba16(task.cdb), length16(task.cdb), 10, 1),
  },
  {
    name: 'WRITE SAME (32)',
    opcode: 0x7f,
    serviceAction: 0x000d,
    clause: 'SBC-4 5.54',
    usage: '7f 00 00000000 3f 18 000d 19 00 ffffffffffffffff ffffffff ffff ffff ffffffff',
    access: 'write',
    dataOutBytes: (cdb, unit) => ((cdb[10] & NDOB) === 0 ? unit.blockBytes : 0),
    execute: (task, unit) => writeSame(task, unit, lba32(task.cdb), length32(task.cdb), 28, 10),
  },
]
