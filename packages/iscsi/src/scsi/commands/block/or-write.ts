/** ORWRITE (SBC-4 5.10, 5.11, 4.27). */
import type { Command } from '../../command.ts'
import { lba16, lba32, length16, length32 } from '../../cdb.ts'
import type { LogicalUnit } from '../../logical-unit.ts'
import { goodDataOut } from '../../results.ts'
import { CheckCondition } from '../../sense.ts'
import type { ScsiTask, TaskResult } from '../../task.ts'
import { assertTransfer, dataGiven, partOfSector, durable, isDurable } from './transfer.ts'

async function orWrite(task: ScsiTask, unit: LogicalUnit, lba: number, blocks: number, lengthAt: number, flags: number): Promise<TaskResult> {
  unit.assertWritable()
  assertTransfer(unit, lba, blocks, lengthAt)
  const dataOutBytes = blocks * unit.blockBytes
  const given = dataGiven(task, dataOutBytes)
  if (given === undefined) return partOfSector(unit, dataOutBytes)
  if (dataOutBytes > 0 && task.dataOutBytes > 0) {
    await unit.device.orWrite(given, lba * unit.blockBytes, isDurable(unit, flags) ? durable : undefined)
  }
  return goodDataOut(dataOutBytes)
}

/** ORWgeneration stays zero: of the bitmap operations (BMOP) only the one that sets bits is here, none that changes the generation. */
function assertGeneration(cdb: Buffer): void {
  if (cdb.readUInt32BE(20) !== 0) throw new CheckCondition('ILLEGAL REQUEST', 'ORWRITE GENERATION DOES NOT MATCH', { information: 0 })
}

/** ORPROTECT is refused as there is no protection information. */
export const orWriteCommands: readonly Command[] = [
  {
    name: 'ORWRITE (16)',
    opcode: 0x8b,
    clause: 'SBC-4 5.10',
    usage: '8b 1a ffffffffffffffff ffffffff 3f 00',
    access: 'write',
    dataOutBytes: (cdb, unit) => length16(cdb) * unit.blockBytes,
    execute: (task, unit) => orWrite(task, unit, lba16(task.cdb), length16(task.cdb), 10, task.cdb[1]),
  },
  {
    name: 'ORWRITE (32)',
    opcode: 0x7f,
    serviceAction: 0x000e,
    clause: 'SBC-4 5.11',
    usage: '7f 00 00 00 0000 3f 18 000e 1a 00 ffffffffffffffff ffffffff 00000000 ffffffff',
    access: 'write',
    dataOutBytes: (cdb, unit) => length32(cdb) * unit.blockBytes,
    execute(task, unit) {
      assertGeneration(task.cdb)
      return orWrite(task, unit, lba32(task.cdb), length32(task.cdb), 28, task.cdb[10])
    },
  },
]
