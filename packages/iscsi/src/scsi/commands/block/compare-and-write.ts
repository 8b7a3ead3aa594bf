/** COMPARE AND WRITE (SBC-4 5.3). */
import { partOf } from '@holdfast/storage/block'
import type { Command } from '../../command.ts'
import { lba16 } from '../../cdb.ts'
import type { LogicalUnit } from '../../logical-unit.ts'
import { good, goodDataOut } from '../../results.ts'
import { invalidFieldInCdb } from '../../sense.ts'
import type { ScsiTask, TaskResult } from '../../task.ts'
import { assertInRange, durable, isDurable, isExactDataOut } from './transfer.ts'
import { miscompare } from './verify.ts'

const lengthAt = 13

/**
 * The first half of the data-out is what the medium has to be, the second what it becomes. Where there is more or less of it, NUMBER OF LOGICAL
 * BLOCKS is what is wrong.
 */
async function compareAndWrite(task: ScsiTask, unit: LogicalUnit): Promise<TaskResult> {
  const { cdb } = task
  const lba = lba16(cdb)
  const blocks = cdb[lengthAt]
  unit.assertWritable()
  assertInRange(unit, lba, blocks)
  const lengthBytes = blocks * unit.blockBytes
  if (blocks > unit.limits.maximumCompareAndWriteBlocks || !isExactDataOut(task, 2 * lengthBytes)) throw invalidFieldInCdb(lengthAt)
  if (blocks === 0) return good
  const options = isDurable(unit, cdb[1]) ? durable : undefined
  const [expected, written] = [partOf(task.dataOut, 0, lengthBytes), partOf(task.dataOut, lengthBytes, lengthBytes)]
  const mismatchAt = await unit.device.compareAndWrite(expected, written, lba * unit.blockBytes, options)
  if (mismatchAt !== -1) throw miscompare(mismatchAt)
  return goodDataOut(2 * lengthBytes)
}

/** DPO and FUA_NV change nothing; WRPROTECT is refused as there is no protection information. */
export const compareAndWriteCommands: readonly Command[] = [
  {
    name: 'COMPARE AND WRITE',
    opcode: 0x89,
    clause: 'SBC-4 5.3',
    usage: '89 1a ffffffffffffffff 000000 ff 3f 00',
    access: 'write',
    dataOutBytes: (cdb, unit) => 2 * cdb[lengthAt] * unit.blockBytes,
    execute: compareAndWrite,
  },
]
