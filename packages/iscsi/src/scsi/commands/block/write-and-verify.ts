/** WRITE AND VERIFY (SBC-4 5.44 to 5.47). */
import { bytesOf } from '@holdfast/storage/block'
import type { Command } from '../../command.ts'
import { lba10, lba12, lba16, lba32, length10, length12, length16, length32 } from '../../cdb.ts'
import type { LogicalUnit } from '../../logical-unit.ts'
import { goodDataOut } from '../../results.ts'
import { invalidFieldInCdb } from '../../sense.ts'
import type { ScsiTask, TaskResult } from '../../task.ts'
import { assertTransfer, dataGiven, partOfSector, durable } from './transfer.ts'
import { byteCheckOf, compareMedium, readMedium } from './verify.ts'

/** Writes to the medium, past the cache, and reads it back; with BYTCHK it is compared as well. */
async function writeAndVerify(
  task: ScsiTask,
  unit: LogicalUnit,
  lba: number,
  blocks: number,
  lengthAt: number,
  flagsAt: number,
): Promise<TaskResult> {
  unit.assertWritable()
  assertTransfer(unit, lba, blocks, lengthAt)
  const byteCheck = byteCheckOf(task.cdb[flagsAt])
  if (byteCheck > 1) throw invalidFieldInCdb(flagsAt, 2)
  const dataOutBytes = blocks * unit.blockBytes
  const given = dataGiven(task, dataOutBytes)
  if (given === undefined) return partOfSector(unit, dataOutBytes)
  const offset = lba * unit.blockBytes
  const lengthBytes = bytesOf(given)
  if (lengthBytes > 0) {
    await unit.device.write(given, offset, durable)
    if (byteCheck === 0) await readMedium(unit, offset, lengthBytes)
    else await compareMedium(unit, given, offset, lengthBytes)
  }
  return goodDataOut(dataOutBytes)
}

/** WRPROTECT is refused as there is no protection information. */
export const writeAndVerifyCommands: readonly Command[] = [
  {
    name: 'WRITE AND VERIFY (10)',
    opcode: 0x2e,
    clause: 'SBC-4 5.44',
    usage: '2e 16 ffffffff 3f ffff 00',
    access: 'write',
    dataOutBytes: (cdb, unit) => length10(cdb) * unit.blockBytes,
    execute: (task, unit) => writeAndVerify(task, unit, lba10(task.cdb), length10(task.cdb), 7, 1),
  },
  {
    name: 'WRITE AND VERIFY (12)',
    opcode: 0xae,
    clause: 'SBC-4 5.45',
    usage: 'ae 16 ffffffff ffffffff 3f 00',
    access: 'write',
    dataOutBytes: (cdb, unit) => length12(cdb) * unit.blockBytes,
    execute: (task, unit) => writeAndVerify(task, unit, lba12(task.cdb), length12(task.cdb), 6, 1),
  },
  {
    name: 'WRITE AND VERIFY (16)',
    opcode: 0x8e,
    clause: 'SBC-4 5.46',
    usage: '8e 16 ffffffffffffffff ffffffff 3f 00',
    access: 'write',
    dataOutBytes: (cdb, unit) => length16(cdb) * unit.blockBytes,
    execute: (task, unit) => writeAndVerify(task, unit, lba16(task.cdb), length16(task.cdb), 10, 1),
  },
  {
    name: 'WRITE AND VERIFY (32)',
    opcode: 0x7f,
    serviceAction: 0x000c,
    clause: 'SBC-4 5.47',
    usage: '7f 00 00000000 3f 18 000c 16 00 ffffffffffffffff ffffffff ffff ffff ffffffff',
    access: 'write',
    dataOutBytes: (cdb, unit) => length32(cdb) * unit.blockBytes,
    execute: (task, unit) => writeAndVerify(task, unit, lba32(task.cdb), length32(task.cdb), 28, 10),
  },
]
