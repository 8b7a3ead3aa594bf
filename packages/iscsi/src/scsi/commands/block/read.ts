/** READ (SBC-4 5.16 to 5.19). */
import type { BlockDevice } from '@holdfast/storage/block'
import type { Command } from '../../command.ts'
import { lba10, lba12, lba16, lba32, lba6, length10, length12, length16, length32, transferLength6 } from '../../cdb.ts'
import type { LogicalUnit } from '../../logical-unit.ts'
import { good } from '../../results.ts'
import { Status } from '../../status.ts'
import type { ScsiTask, TaskResult } from '../../task.ts'
import { assertTransfer, FUA } from './transfer.ts'

/** READ of all sizes: `lengthAt` is where the TRANSFER LENGTH is, `flags` the byte with FUA. At once where the device has it in memory. */
function read(task: ScsiTask, unit: LogicalUnit, lba: number, blocks: number, lengthAt: number, flags: number): TaskResult | Promise<TaskResult> {
  assertTransfer(unit, lba, blocks, lengthAt)
  const { device, blockBytes } = unit
  const dataInBytes = blocks * blockBytes
  if (dataInBytes === 0) return good
  const offset = lba * blockBytes
  if (dataInBytes >= placedBytesMin && (flags & FUA) === 0 && isPlaced(task, device, offset, dataInBytes)) return dataIn(dataInBytes)
  const into = task.dataIn(dataInBytes)
  if (task.dataInLimitBytes < dataInBytes && task.dataInLimitBytes % blockBytes !== 0) return readPart(task, unit, into, offset, dataInBytes)
  if (task.dataInLimitBytes === 0) return dataIn(dataInBytes)
  if ((flags & FUA) !== 0) return readFromMedium(unit, into, offset, dataInBytes)
  if (device.readNow(into, offset)) return { status: Status.good, dataInBytes, dataOutBytes: 0 }
  return device.read(into, offset).then(() => dataIn(dataInBytes))
}

/** Less is copied sooner than said where it is. */
const placedBytesMin = 32 << 10

function isPlaced(task: ScsiTask, device: BlockDevice, offset: number, lengthBytes: number): boolean {
  const place = task.dataInFrom && task.dataInLimitBytes >= lengthBytes ? device.placeNow?.(offset, lengthBytes) : undefined
  return place !== undefined && task.dataInFrom?.(lengthBytes, place) === true
}

const dataIn = (dataInBytes: number): TaskResult => ({ status: Status.good, dataInBytes, dataOutBytes: 0 })

/** With FUA what is read is what a power failure would leave (SBC-4 4.15.3): the cache goes to the medium first. */
async function readFromMedium({ device }: LogicalUnit, into: readonly Buffer[], offset: number, dataInBytes: number): Promise<TaskResult> {
  await device.flush()
  await device.read(into, offset)
  return dataIn(dataInBytes)
}

/** The initiator takes a part of the last block: whole ones are read aside. */
async function readPart(task: ScsiTask, unit: LogicalUnit, into: readonly Buffer[], offset: number, dataInBytes: number): Promise<TaskResult> {
  const blocks = Buffer.allocUnsafe(Math.ceil(task.dataInLimitBytes / unit.blockBytes) * unit.blockBytes)
  await unit.device.read([blocks], offset)
  let at = 0
  for (const buffer of into) at += blocks.copy(buffer, 0, at)
  return dataIn(dataInBytes)
}

/** DPO, RARC and FUA_NV change nothing; RDPROTECT is refused as there is no protection information (SBC-4 table 'RDPROTECT field'). */
export const readCommands: readonly Command[] = [
  {
    name: 'READ (6)',
    opcode: 0x08,
    clause: 'SBC-2 5.5',
    usage: '08 1fffff ff 00',
    access: 'read',
    execute: (task, unit) => read(task, unit, lba6(task.cdb), transferLength6(task.cdb), 4, 0),
  },
  {
    name: 'READ (10)',
    opcode: 0x28,
    clause: 'SBC-4 5.16',
    usage: '28 1e ffffffff 3f ffff 00',
    access: 'read',
    execute: (task, unit) => read(task, unit, lba10(task.cdb), length10(task.cdb), 7, task.cdb[1]),
  },
  {
    name: 'READ (12)',
    opcode: 0xa8,
    clause: 'SBC-4 5.17',
    usage: 'a8 1e ffffffff ffffffff 3f 00',
    access: 'read',
    execute: (task, unit) => read(task, unit, lba12(task.cdb), length12(task.cdb), 6, task.cdb[1]),
  },
  {
    name: 'READ (16)',
    opcode: 0x88,
    clause: 'SBC-4 5.18',
    usage: '88 1e ffffffffffffffff ffffffff 3f 00',
    access: 'read',
    execute: (task, unit) => read(task, unit, lba16(task.cdb), length16(task.cdb), 10, task.cdb[1]),
  },
  {
    name: 'READ (32)',
    opcode: 0x7f,
    serviceAction: 0x0009,
    clause: 'SBC-4 5.19',
    usage: '7f 00 00000000 3f 18 0009 1e 00 ffffffffffffffff ffffffff ffff ffff ffffffff',
    access: 'read',
    execute: (task, unit) => read(task, unit, lba32(task.cdb), length32(task.cdb), 28, task.cdb[10]),
  },
]
