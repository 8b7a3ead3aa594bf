/** READ CAPACITY (SBC-4 5.20, 5.21). */
import type { Command } from '../../command.ts'
import { length16 } from '../../cdb.ts'
import type { LogicalUnit } from '../../logical-unit.ts'
import { goodDataIn } from '../../results.ts'

const LBPME = 0x80
const LBPRZ = 0x40

/** RETURNED LOGICAL BLOCK ADDRESS is that of the last block; FFFF_FFFFh: ask READ CAPACITY (16). */
export function readCapacity10Data(unit: LogicalUnit): Buffer {
  const data = Buffer.alloc(8)
  data.writeUInt32BE(Math.min(unit.blocks - 1, 0xffffffff), 0)
  data.writeUInt32BE(unit.blockBytes, 4)
  return data
}

/** No protection information; block 0 is aligned; what is not mapped reads as zeros. */
export function readCapacity16Data({ blocks, blockBytes, device }: LogicalUnit): Buffer {
  const data = Buffer.alloc(32)
  data.writeBigUInt64BE(BigInt(blocks - 1), 0)
  data.writeUInt32BE(blockBytes, 8)
  data[13] = Math.max(0, Math.log2(device.physicalBlockBytes / blockBytes))
  if (device.isThin) data[14] = LBPME | LBPRZ
  return data
}

/** LOGICAL BLOCK ADDRESS and PMI are obsolete, and not looked at. */
export const readCapacityCommands: readonly Command[] = [
  {
    name: 'READ CAPACITY (10)',
    opcode: 0x25,
    clause: 'SBC-4 5.20',
    usage: '25 00 ffffffff 0000 01 00',
    access: 'always',
    execute: (task, unit) => goodDataIn(task, readCapacity10Data(unit), 8),
  },
  {
    name: 'READ CAPACITY (16)',
    opcode: 0x9e,
    serviceAction: 0x10,
    clause: 'SBC-4 5.21',
    usage: '9e 10 ffffffffffffffff ffffffff 01 00',
    access: 'always',
    execute: (task, unit) => goodDataIn(task, readCapacity16Data(unit), length16(task.cdb)),
  },
]
