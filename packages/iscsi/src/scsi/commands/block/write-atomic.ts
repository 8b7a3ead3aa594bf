/** WRITE ATOMIC (16) (SBC-4 5.48, 4.29). */
import { partOf } from '@holdfast/storage/block'
import type { Command } from '../../command.ts'
import { lba16 } from '../../cdb.ts'
import type { LogicalUnit } from '../../logical-unit.ts'
import { invalidFieldInCdb } from '../../sense.ts'
import { goodDataOut } from '../../results.ts'
import type { ScsiTask, TaskResult } from '../../task.ts'
import { assertInRange, isDurable, wrongDataLength } from './transfer.ts'

const boundaryAt = 10
const lengthAt = 12

const transferLength = (cdb: Buffer): number => cdb.readUInt16BE(lengthAt)

/** Throws INVALID FIELD IN CDB for what the Block Limits VPD page rules out. 0 there: no such requirement. */
function assertAtomicLimits({ limits }: LogicalUnit, lba: number, blocks: number, boundary: number): void {
  const { maximumAtomicBlocks, atomicAlignmentBlocks, atomicGranularityBlocks } = limits
  if (blocks > maximumAtomicBlocks) throw invalidFieldInCdb(lengthAt)
  if (boundary > maximumAtomicBlocks) throw invalidFieldInCdb(boundaryAt)
  if (atomicAlignmentBlocks > 0 && lba % atomicAlignmentBlocks !== 0) throw invalidFieldInCdb(2)
  if (atomicGranularityBlocks === 0) return
  if (blocks % atomicGranularityBlocks !== 0) throw invalidFieldInCdb(lengthAt)
  if (boundary % atomicGranularityBlocks !== 0) throw invalidFieldInCdb(boundaryAt)
}

/**
 * One write of the device is atomic: with an ATOMIC BOUNDARY, where several would do, it is one as well. Unlike with WRITE, data that is less
 * than the CDB speaks of is refused: a part of it would be written.
 */
function writeAtomic(task: ScsiTask, unit: LogicalUnit): TaskResult | Promise<TaskResult> {
  const { cdb } = task
  const lba = lba16(cdb)
  const blocks = transferLength(cdb)
  assertInRange(unit, lba, blocks)
  assertAtomicLimits(unit, lba, blocks, cdb.readUInt16BE(boundaryAt))
  unit.assertWritable()
  const dataOutBytes = blocks * unit.blockBytes
  if (task.dataOutBytes < dataOutBytes) throw wrongDataLength()
  if (dataOutBytes === 0) return goodDataOut(0)
  const options = { isAtomic: true, isDurable: isDurable(unit, cdb[1]) }
  return unit.device.write(partOf(task.dataOut, 0, dataOutBytes), lba * unit.blockBytes, options).then(() => goodDataOut(dataOutBytes))
}

/** Rows of the table. */
export const writeAtomicCommands: readonly Command[] = [
  {
    name: 'WRITE ATOMIC (16)',
    opcode: 0x9c,
    clause: 'SBC-4 5.48',
    usage: '9c 18 ffffffffffffffff ffff ffff 3f 00',
    access: 'write',
    dataOutBytes: (cdb, unit) => transferLength(cdb) * unit.blockBytes,
    execute: writeAtomic,
  },
]
