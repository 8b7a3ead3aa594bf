/** MODE SENSE and MODE SELECT (SPC-4 6.10 to 6.13). */
import type { Command } from '../command.ts'
import type { LogicalUnit } from '../logical-unit.ts'
import { goodDataIn, goodDataOut, parameterListOf } from '../results.ts'
import { CheckCondition, invalidFieldInCdb, invalidFieldInParameterList } from '../sense.ts'
import type { ScsiTask, TaskResult } from '../task.ts'

const disableBlockDescriptors = 0x08
const longLbaAccepted = 0x10
const pageFormat = 0x10
const savePages = 0x01

/** DEVICE-SPECIFIC PARAMETER of a disk (SBC-4 6.5.1). */
const writeProtected = 0x80
const dpoFua = 0x10

const shortDescriptorBytes = 8
const longDescriptorBytes = 16

function blockDescriptor({ blocks, blockBytes }: LogicalUnit, isLong: boolean): Buffer {
  const result = Buffer.alloc(isLong ? longDescriptorBytes : shortDescriptorBytes)
  if (isLong) {
    result.writeBigUInt64BE(BigInt(blocks))
    result.writeUInt32BE(blockBytes, 12)
  } else {
    result.writeUInt32BE(Math.min(blocks, 0xffffffff))
    result.writeUIntBE(blockBytes, 5, 3)
  }
  return result
}

function modeSense(task: ScsiTask, unit: LogicalUnit, headerBytes: 4 | 8): TaskResult {
  const { cdb } = task
  const isLong = headerBytes === 8 && (cdb[1] & longLbaAccepted) !== 0
  const pages = unit.mode.sense(cdb[2] >> 6, cdb[2] & 0x3f, cdb[3])
  const descriptor = (cdb[1] & disableBlockDescriptors) === 0 ? blockDescriptor(unit, isLong) : Buffer.alloc(0)
  const header = Buffer.alloc(headerBytes)
  const total = headerBytes + descriptor.length + pages.length
  const deviceSpecific = dpoFua | (unit.isReadOnly ? writeProtected : 0)
  if (headerBytes === 4) {
    header[0] = total - 1
    header[2] = deviceSpecific
    header[3] = descriptor.length
  } else {
    header.writeUInt16BE(total - 2)
    header[3] = deviceSpecific
    header[4] = isLong ? 1 : 0
    header.writeUInt16BE(descriptor.length, 6)
  }
  const allocationLength = headerBytes === 4 ? cdb[4] : cdb.readUInt16BE(7)
  return goodDataIn(task, Buffer.concat([header, descriptor, pages]), allocationLength)
}

/** Length of the block descriptors behind a header; throws where they are not what the unit has. */
function checkBlockDescriptors(list: Buffer, headerBytes: 4 | 8, unit: LogicalUnit): number {
  const lengthAt = headerBytes === 4 ? 3 : 6
  const length = headerBytes === 4 ? list[3] : list.readUInt16BE(6)
  if (length === 0) return 0
  const isLong = headerBytes === 8 && (list[4] & 1) !== 0
  if (length !== (isLong ? longDescriptorBytes : shortDescriptorBytes)) throw invalidFieldInParameterList(lengthAt)
  if (list.length < headerBytes + length) throw new CheckCondition('ILLEGAL REQUEST', 'PARAMETER LIST LENGTH ERROR')
  const descriptor = list.subarray(headerBytes, headerBytes + length)
  const blocks = isLong ? Number(descriptor.readBigUInt64BE()) : descriptor.readUInt32BE()
  const blockBytes = isLong ? descriptor.readUInt32BE(12) : descriptor.readUIntBE(5, 3)
  // 0 and the highest value leave the capacity as it is (SBC-4 6.5.2).
  const isSame = blocks === 0 || blocks === unit.blocks || blocks === 0xffffffff || blocks === Number(0xffff_ffff_ffff_ffffn)
  if (!isSame) throw invalidFieldInParameterList(headerBytes)
  if (blockBytes !== unit.blockBytes) throw invalidFieldInParameterList(headerBytes + (isLong ? 12 : 5))
  return length
}

async function modeSelect(task: ScsiTask, unit: LogicalUnit, headerBytes: 4 | 8): Promise<TaskResult> {
  const { cdb } = task
  const length = parameterListLength(cdb)
  if ((cdb[1] & pageFormat) === 0) throw invalidFieldInCdb(1, 4)
  const list = parameterListOf(task, length)
  const saves = (cdb[1] & savePages) !== 0
  if (length === 0) {
    // Nothing is changed, and all that is there is saved (SPC-4 6.10).
    if (saves) await unit.mode.select(list, 0, saves)
    return goodDataOut(0)
  }
  if (length < headerBytes) throw new CheckCondition('ILLEGAL REQUEST', 'PARAMETER LIST LENGTH ERROR')
  const mediumTypeAt = headerBytes === 4 ? 1 : 2
  if (list[mediumTypeAt] !== 0) throw invalidFieldInParameterList(mediumTypeAt)
  const pagesAt = headerBytes + checkBlockDescriptors(list, headerBytes, unit)
  const isChanged = await unit.mode.select(list, pagesAt, saves)
  if (isChanged) unit.nexuses.tellAll('MODE PARAMETERS CHANGED', unit.nexuses.stateOf(task.nexus))
  return goodDataOut(length)
}

const parameterListLength = (cdb: Buffer): number => (cdb[0] === 0x15 ? cdb[4] : cdb.readUInt16BE(7))

/** Rows of the dispatch table. */
export const modeCommands: readonly Command[] = [
  {
    name: 'MODE SELECT (6)',
    opcode: 0x15,
    clause: 'SPC-4 6.10',
    usage: '15 11 0000 ff 00',
    access: 'write',
    worksWithoutMedium: true,
    dataOutBytes: parameterListLength,
    execute: (task, unit) => modeSelect(task, unit, 4),
  },
  {
    name: 'MODE SELECT (10)',
    opcode: 0x55,
    clause: 'SPC-4 6.11',
    usage: '55 11 0000000000 ffff 00',
    access: 'write',
    worksWithoutMedium: true,
    dataOutBytes: parameterListLength,
    execute: (task, unit) => modeSelect(task, unit, 8),
  },
  {
    name: 'MODE SENSE (6)',
    opcode: 0x1a,
    clause: 'SPC-4 6.12',
    usage: '1a 08 ff ff ff 00',
    access: 'read',
    worksWithoutMedium: true,
    execute: (task, unit) => modeSense(task, unit, 4),
  },
  {
    name: 'MODE SENSE (10)',
    opcode: 0x5a,
    clause: 'SPC-4 6.13',
    usage: '5a 18 ff ff 000000 ffff 00',
    access: 'read',
    worksWithoutMedium: true,
    execute: (task, unit) => modeSense(task, unit, 8),
  },
]
