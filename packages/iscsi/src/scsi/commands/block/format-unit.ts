/** FORMAT UNIT (SBC-4 5.4, 4.33): nothing is stored afterwards. The block length stays, there is no protection information, and no defect list. */
import type { BlockDevice } from '@holdfast/storage/block'
import type { Command } from '../../command.ts'
import type { LogicalUnit } from '../../logical-unit.ts'
import { goodDataOut, parameterListOf } from '../../results.ts'
import { invalidFieldInParameterList } from '../../sense.ts'
import type { ScsiTask, TaskResult } from '../../task.ts'
import { DeviceOperation, startOperation } from './device-operation.ts'
import { blockErase } from './sanitize.ts'
import { chunks } from './transfer.ts'

const FMTDATA = 0x10
const LONGLIST = 0x20
/** Of the parameter list header. */
const IP = 0x08
const IMMED = 0x02
const zeroBytes = 256 * 1024 * 1024

/** The parameter list header is all that is looked at: short, or long. */
function listBytes(cdb: Buffer): number {
  if ((cdb[1] & FMTDATA) === 0) return 0
  return (cdb[1] & LONGLIST) === 0 ? 4 : 8
}

/** Throws INVALID FIELD IN PARAMETER LIST for protection information, an initialization pattern, or defects. */
function assertPlain(header: Buffer): void {
  if ((header[0] & 0x07) !== 0) throw invalidFieldInParameterList(0, 2)
  if ((header[1] & IP) !== 0) throw invalidFieldInParameterList(1, 3)
  if (header.length === 8 && header[3] !== 0) throw invalidFieldInParameterList(3)
  const defectLengthAt = header.length === 8 ? 4 : 2
  if (header.subarray(defectLengthAt).some(byte => byte !== 0)) throw invalidFieldInParameterList(defectLengthAt)
}

async function zeroAll(device: BlockDevice, operation: DeviceOperation): Promise<void> {
  const { sizeBytes } = device
  for (const { at, lengthBytes } of chunks(sizeBytes, zeroBytes)) {
    await device.zero(at, lengthBytes)
    operation.advance((at + lengthBytes) / sizeBytes)
  }
  await device.flush()
}

async function formatUnit(task: ScsiTask, unit: LogicalUnit): Promise<TaskResult> {
  unit.assertWritable()
  const { device } = unit
  const lengthBytes = listBytes(task.cdb)
  const header = parameterListOf(task, lengthBytes)
  if (lengthBytes > 0) assertPlain(header)
  const isImmediate = lengthBytes > 0 && (header[1] & IMMED) !== 0
  const work = (operation: DeviceOperation): Promise<void> => (device.isThin ? blockErase(device, operation) : zeroAll(device, operation))
  await startOperation({ task, unit, operation: new DeviceOperation('format'), isImmediate, work })
  return goodDataOut(lengthBytes)
}

/** FMTPINFO is refused; DEFECT LIST FORMAT and CMPLST are of no matter without a list; FFMT asks for what is done anyway. */
export const formatUnitCommands: readonly Command[] = [
  {
    name: 'FORMAT UNIT',
    opcode: 0x04,
    clause: 'SBC-4 5.4',
    usage: '04 3f 00 00 03 00',
    access: 'write',
    dataOutBytes: listBytes,
    execute: formatUnit,
  },
]
