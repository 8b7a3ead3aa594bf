/** What tells of copy operations (SPC-4 6.22 to 6.25). */
import type { Command } from '../../../command.ts'
import { length16 } from '../../../cdb.ts'
import type { LogicalUnit } from '../../../logical-unit.ts'
import { goodDataIn } from '../../../results.ts'
import { encodeSense, invalidFieldInCdb } from '../../../sense.ts'
import { Status } from '../../../status.ts'
import type { ScsiTask, TaskResult } from '../../../task.ts'
import { copyManagerOf } from './copy-operation.ts'
import type { CopyOperation } from './copy-operation.ts'
import { CopyIn, copyLimits, CopyOut } from './limits.ts'

/** COPY COMMAND STATUS (SPC-4 table 254). */
const commandStatus = { running: 0x00, done: 0x01, failed: 0x02, terminated: 0x02 } as const
/** COPY OPERATION STATUS (SPC-4 table 249): an immediate one runs in the background. */
const operationStatus = { running: 0x11, done: 0x01, failed: 0x02, terminated: 0x60 } as const
const runningInBackground = 0x12
/** EXTENDED COPY COMPLETION STATUS (SPC-4 table 250). */
const completionStatus = { running: 0, done: Status.good, failed: Status.checkCondition, terminated: Status.taskAborted } as const

/** HDD: there is no held data, so there is none any more. */
const HDD = 0x80
/** When to ask again, in milliseconds; of what has ended nothing changes. */
const updateDelayMs = 1000
const endedDelay = 0xfffffffe
const kibibytes = 0x01

/** TRANSFER COUNT UNITS and TRANSFER COUNT: bytes while 32 bits have room for them. */
function transferCount(copiedBytes: number): { units: number; count: number } {
  return copiedBytes <= 0xffffffff ? { units: 0, count: copiedBytes } : { units: kibibytes, count: Math.floor(copiedBytes / 1024) }
}

/** SPC-4 table 253. */
export function statusLid1(operation: CopyOperation): Buffer {
  const data = Buffer.alloc(12)
  const { units, count } = transferCount(operation.copiedBytes)
  data.writeUInt32BE(8, 0)
  data[4] = HDD | commandStatus[operation.state]
  data.writeUInt16BE(operation.segmentsProcessed, 5)
  data[7] = units
  data.writeUInt32BE(count, 8)
  return data
}

/** SPC-4 table 248. The sense data is filled to a multiple of four bytes. */
export function statusLid4({ parameters, state, failure, copiedBytes, segmentsProcessed }: CopyOperation, isDescriptorSense: boolean): Buffer {
  const sense = failure === undefined ? Buffer.alloc(0) : encodeSense(failure, isDescriptorSense)
  const data = Buffer.alloc(32 + Math.ceil(sense.length / 4) * 4)
  data.writeUInt32BE(data.length - 4, 0)
  data[4] = parameters.serviceAction
  data[5] = state === 'running' && parameters.isImmediate ? runningInBackground : operationStatus[state]
  data.writeUInt32BE(state === 'running' ? updateDelayMs : endedDelay, 8)
  data[12] = completionStatus[state]
  data[13] = data.length - 32
  data[14] = sense.length
  data.writeBigUInt64BE(BigInt(copiedBytes), 16)
  data.writeUInt16BE(segmentsProcessed, 24)
  sense.copy(data, 32)
  return data
}

/** SPC-4 table 246. Without a failure there is nothing but the length of nothing. */
export function failureDetails({ failure }: CopyOperation, isDescriptorSense: boolean): Buffer {
  if (failure === undefined) return Buffer.alloc(4)
  const sense = encodeSense(failure, isDescriptorSense)
  const data = Buffer.alloc(60 + sense.length)
  data.writeUInt32BE(data.length - 4, 0)
  data[56] = Status.checkCondition
  data.writeUInt16BE(sense.length, 58)
  sense.copy(data, 60)
  return data
}

const SNLID = 0x01

/** SPC-4 table 244. */
export function operatingParameters(): Buffer {
  const types = copyLimits.descriptorTypes
  const data = Buffer.alloc(44 + types.length)
  data.writeUInt32BE(data.length - 4, 0)
  data[4] = SNLID
  data.writeUInt16BE(copyLimits.maxCscdDescriptors, 8)
  data.writeUInt16BE(copyLimits.maxSegmentDescriptors, 10)
  data.writeUInt32BE(copyLimits.maxDescriptorListBytes, 12)
  data.writeUInt32BE(copyLimits.maxSegmentBytes, 16)
  data.writeUInt16BE(copyLimits.maxConcurrentCopies, 34)
  data[36] = copyLimits.maxConcurrentCopies
  data[37] = copyLimits.dataSegmentGranularity
  data[43] = types.length
  data.set(types, 44)
  return data
}

/** The operation that the CDB means; INVALID FIELD IN CDB where there is none. */
function operationOf(task: ScsiTask, unit: LogicalUnit, listId: number): CopyOperation {
  const operation = copyManagerOf(unit).find(task.nexus, listId)
  if (operation === undefined) throw invalidFieldInCdb(2)
  return operation
}

/** The end of an operation is told once; details of a failure are kept nevertheless. */
function receiveStatusLid1(task: ScsiTask, unit: LogicalUnit): TaskResult {
  const operation = operationOf(task, unit, task.cdb[2])
  if (operation.isEndTold) throw invalidFieldInCdb(2)
  if (operation.state !== 'running') operation.isEndTold = true
  return goodDataIn(task, statusLid1(operation), length16(task.cdb))
}

function receiveStatusLid4(task: ScsiTask, unit: LogicalUnit): TaskResult {
  const operation = operationOf(task, unit, task.cdb.readUInt32BE(2))
  return goodDataIn(task, statusLid4(operation, unit.isDescriptorSense), length16(task.cdb))
}

function receiveFailureDetails(task: ScsiTask, unit: LogicalUnit): TaskResult {
  const operation = operationOf(task, unit, task.cdb[2])
  const isOther = operation.parameters.serviceAction !== CopyOut.extendedCopyLid1 || operation.state === 'running'
  if (isOther) throw invalidFieldInCdb(2)
  const result = goodDataIn(task, failureDetails(operation, unit.isDescriptorSense), length16(task.cdb))
  copyManagerOf(unit).forget(task.nexus, operation)
  return result
}

/** Rows of the table. */
export const receiveCopyCommands: readonly Command[] = [
  {
    name: 'RECEIVE COPY STATUS (LID1)',
    opcode: 0x84,
    serviceAction: CopyIn.statusLid1,
    clause: 'SPC-4 6.25',
    usage: '84 00 ff 00000000000000 ffffffff 00 00',
    access: 'always',
    execute: receiveStatusLid1,
  },
  {
    name: 'RECEIVE COPY OPERATING PARAMETERS',
    opcode: 0x84,
    serviceAction: CopyIn.operatingParameters,
    clause: 'SPC-4 6.22',
    usage: '84 03 0000000000000000 ffffffff 00 00',
    access: 'always',
    execute: task => goodDataIn(task, operatingParameters(), length16(task.cdb)),
  },
  {
    name: 'RECEIVE COPY FAILURE DETAILS (LID1)',
    opcode: 0x84,
    serviceAction: CopyIn.failureDetailsLid1,
    clause: 'SPC-4 6.23',
    usage: '84 04 ff 00000000000000 ffffffff 00 00',
    access: 'always',
    execute: receiveFailureDetails,
  },
  {
    name: 'RECEIVE COPY STATUS (LID4)',
    opcode: 0x84,
    serviceAction: CopyIn.statusLid4,
    clause: 'SPC-4 6.24',
    usage: '84 05 ffffffff 00000000 ffffffff 00 00',
    access: 'always',
    execute: receiveStatusLid4,
  },
]
