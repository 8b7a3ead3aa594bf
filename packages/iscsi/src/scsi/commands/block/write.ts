/** WRITE (SBC-4 5.40 to 5.43). */
import type { Command } from '../../command.ts'
import { lba10, lba12, lba16, lba32, lba6, length10, length12, length16, length32, transferLength6 } from '../../cdb.ts'
import type { LogicalUnit } from '../../logical-unit.ts'
import { goodDataOut } from '../../results.ts'
import type { ScsiTask, TaskResult } from '../../task.ts'
import { assertTransfer, dataGiven, partOfSector, durable, isDurable } from './transfer.ts'

/** WRITE of all sizes. At once into the cache, where it is enabled and nobody asks for more. */
export function write(
  task: ScsiTask,
  unit: LogicalUnit,
  lba: number,
  blocks: number,
  lengthAt: number,
  flags: number,
): TaskResult | Promise<TaskResult> {
  unit.assertWritable()
  assertTransfer(unit, lba, blocks, lengthAt)
  const dataOutBytes = blocks * unit.blockBytes
  const given = dataGiven(task, dataOutBytes)
  if (given === undefined) return partOfSector(unit, dataOutBytes)
  if (dataOutBytes === 0 || task.dataOutBytes === 0) return goodDataOut(dataOutBytes)
  const offset = lba * unit.blockBytes
  const options = isDurable(unit, flags) ? durable : undefined
  if (options === undefined && unit.device.writeNow(given, offset)) return goodDataOut(dataOutBytes)
  return unit.device.write(given, offset, options).then(() => goodDataOut(dataOutBytes))
}

/** DPO and FUA_NV change nothing; WRPROTECT is refused as there is no protection information. */
export const writeCommands: readonly Command[] = [
  {
    name: 'WRITE (6)',
    opcode: 0x0a,
    clause: 'SBC-2 5.24',
    usage: '0a 1fffff ff 00',
    access: 'write',
    dataOutBytes: (cdb, unit) => transferLength6(cdb) * unit.blockBytes,
    execute: (task, unit) => write(task, unit, lba6(task.cdb), transferLength6(task.cdb), 4, 0),
  },
  {
    name: 'WRITE (10)',
    opcode: 0x2a,
    clause: 'SBC-4 5.40',
    usage: '2a 1a ffffffff 3f ffff 00',
    access: 'write',
    dataOutBytes: (cdb, unit) => length10(cdb) * unit.blockBytes,
    execute: (task, unit) => write(task, unit, lba10(task.cdb), length10(task.cdb), 7, task.cdb[1]),
  },
  {
    name: 'WRITE (12)',
    opcode: 0xaa,
    clause: 'SBC-4 5.41',
    usage: 'aa 1a ffffffff ffffffff 3f 00',
    access: 'write',
    dataOutBytes: (cdb, unit) => length12(cdb) * unit.blockBytes,
    execute: (task, unit) => write(task, unit, lba12(task.cdb), length12(task.cdb), 6, task.cdb[1]),
  },
  {
    name: 'WRITE (16)',
    opcode: 0x8a,
    clause: 'SBC-4 5.42',
    usage: '8a 1a ffffffffffffffff ffffffff 3f 00',
    access: 'write',
    dataOutBytes: (cdb, unit) => length16(cdb) * unit.blockBytes,
    execute: (task, unit) => write(task, unit, lba16(task.cdb), length16(task.cdb), 10, task.cdb[1]),
  },
  {
    name: 'WRITE (32)',
    opcode: 0x7f,
    serviceAction: 0x000b,
    clause: 'SBC-4 5.43',
    usage: '7f 00 00000000 3f 18 000b 1a 00 ffffffffffffffff ffffffff ffff ffff ffffffff',
    access: 'write',
    dataOutBytes: (cdb, unit) => length32(cdb) * unit.blockBytes,
    execute: (task, unit) => write(task, unit, lba32(task.cdb), length32(task.cdb), 28, task.cdb[10]),
  },
]
