/** SANITIZE (SBC-4 5.30, 4.11). CRYPTOGRAPHIC ERASE is not here: volumes are not encrypted. */
import { setTimeout as delay } from 'node:timers/promises'
import type { BlockDevice } from '@holdfast/storage/block'
import type { Command } from '../../command.ts'
import { length10 } from '../../cdb.ts'
import type { LogicalUnit } from '../../logical-unit.ts'
import { good, goodDataOut, parameterListOf } from '../../results.ts'
import { CheckCondition, invalidFieldInCdb, invalidFieldInParameterList } from '../../sense.ts'
import type { ScsiTask, TaskResult } from '../../task.ts'
import { DeviceOperation, startOperation } from './device-operation.ts'
import { chunks, listLengthAt, repeated } from './transfer.ts'

const IMMED = 0x80
const AUSE = 0x20
const lengthAt = 7
const headerBytes = 4

const mebibyte = 1024 * 1024

/** An overwrite takes no more of the disk than this, as others are on it too: what is to be overwritten is not waited for. */
const overwriteBytesPerSecond = 128 * mebibyte

/** How much is erased between two reports of progress. */
const eraseBytes = 1024 * mebibyte

/** Parameter list of the OVERWRITE service action (SBC-4 table 111). */
export interface Overwrite {
  /** Each pass writes the inverse of the pass before; the last writes the pattern. */
  readonly isInverting: boolean
  /** 1 to 31. */
  readonly passes: number
  readonly pattern: Buffer
}

/** Throws INVALID FIELD IN PARAMETER LIST. */
export function decodeOverwrite(list: Buffer, blockBytes: number): Overwrite {
  const passes = list[0] & 0x1f
  if (passes === 0) throw invalidFieldInParameterList(0, 4)
  if ((list[0] & 0x60) !== 0) throw invalidFieldInParameterList(0, 6)
  const patternBytes = list.readUInt16BE(2)
  if (patternBytes === 0 || patternBytes > blockBytes) throw invalidFieldInParameterList(2)
  if (headerBytes + patternBytes > list.length) throw new CheckCondition('ILLEGAL REQUEST', 'PARAMETER LIST LENGTH ERROR')
  return { isInverting: (list[0] & 0x80) !== 0, passes, pattern: list.subarray(headerBytes, headerBytes + patternBytes) }
}

/** The block that a pass writes, counted from 0: the pattern from the beginning of each block. */
export function blockOfPass({ isInverting, passes, pattern }: Overwrite, pass: number, blockBytes: number): Buffer {
  const block = Buffer.alloc(blockBytes, pattern)
  const isInverted = isInverting && (passes - 1 - pass) % 2 === 1
  return isInverted ? Buffer.from(block.map(byte => byte ^ 0xff)) : block
}

/** Writes no faster than the rate: a write that is early waits. */
async function overwrite(device: BlockDevice, parameters: Overwrite, blockBytes: number, operation: DeviceOperation): Promise<void> {
  const { sizeBytes } = device
  const begin = performance.now()
  for (let pass = 0; pass < parameters.passes; pass++) {
    const pattern = repeated(blockOfPass(parameters, pass, blockBytes), sizeBytes)
    for (const { at, lengthBytes } of chunks(sizeBytes, pattern.length)) {
      await device.write([pattern.subarray(0, lengthBytes)], at)
      const written = pass * sizeBytes + at + lengthBytes
      operation.advance(written / (parameters.passes * sizeBytes))
      const early = (written / overwriteBytesPerSecond) * 1000 - (performance.now() - begin)
      if (early > 1) await delay(early)
    }
    // Each pass has to reach the medium.
    await device.flush()
  }
}

/** Nothing is mapped afterwards. */
export async function blockErase(device: BlockDevice, operation: DeviceOperation): Promise<void> {
  const { sizeBytes } = device
  for (const { at, lengthBytes } of chunks(sizeBytes, eraseBytes)) {
    await device.unmap(at, lengthBytes)
    operation.advance((at + lengthBytes) / sizeBytes)
  }
  await device.flush()
}

/** After a failure in restricted completion mode (AUSE zero), only that mode mends it (SBC-4 5.30.1). */
function assertMode({ operation }: LogicalUnit, asksForUnrestricted: boolean, bit: number): void {
  if (operation?.hasFailed === true && !operation.allowsExit && asksForUnrestricted) throw invalidFieldInCdb(1, bit)
}

async function sanitize(task: ScsiTask, unit: LogicalUnit, work: (operation: DeviceOperation) => Promise<void>): Promise<void> {
  const allowsExit = (task.cdb[1] & AUSE) !== 0
  unit.assertWritable()
  assertMode(unit, allowsExit, 5)
  await startOperation({ task, unit, operation: new DeviceOperation('sanitize', allowsExit), isImmediate: (task.cdb[1] & IMMED) !== 0, work })
}

async function sanitizeOverwrite(task: ScsiTask, unit: LogicalUnit): Promise<TaskResult> {
  const { blockBytes, device } = unit
  const lengthBytes = length10(task.cdb)
  if (lengthBytes <= headerBytes || lengthBytes > headerBytes + blockBytes) throw invalidFieldInCdb(lengthAt)
  const parameters = decodeOverwrite(parameterListOf(task, lengthBytes), blockBytes)
  await sanitize(task, unit, operation => overwrite(device, parameters, blockBytes, operation))
  return goodDataOut(lengthBytes)
}

function assertNoParameters(cdb: Buffer): void {
  if (length10(cdb) !== 0) throw invalidFieldInCdb(lengthAt)
}

async function sanitizeBlockErase(task: ScsiTask, unit: LogicalUnit): Promise<TaskResult> {
  assertNoParameters(task.cdb)
  await sanitize(task, unit, operation => blockErase(unit.device, operation))
  return good
}

function exitFailureMode(task: ScsiTask, unit: LogicalUnit): TaskResult {
  assertNoParameters(task.cdb)
  unit.assertWritable()
  assertMode(unit, true, 4)
  unit.operation = undefined
  return good
}

/** Rows of the table. ZNR is for zoned devices. */
export const sanitizeCommands: readonly Command[] = [
  {
    name: 'SANITIZE (OVERWRITE)',
    opcode: 0x48,
    serviceAction: 0x01,
    clause: 'SBC-4 5.30.2.2',
    usage: '48 a1 0000000000 ffff 00',
    access: 'write',
    dataOutBytes: listLengthAt(lengthAt),
    execute: sanitizeOverwrite,
  },
  {
    name: 'SANITIZE (BLOCK ERASE)',
    opcode: 0x48,
    serviceAction: 0x02,
    clause: 'SBC-4 5.30.2.3',
    usage: '48 a2 0000000000 ffff 00',
    access: 'write',
    isSupported: ({ device }) => device.isThin,
    execute: sanitizeBlockErase,
  },
  {
    name: 'SANITIZE (EXIT FAILURE MODE)',
    opcode: 0x48,
    serviceAction: 0x1f,
    clause: 'SBC-4 5.30.2.5',
    usage: '48 bf 0000000000 ffff 00',
    access: 'write',
    execute: exitFailureMode,
  },
]
