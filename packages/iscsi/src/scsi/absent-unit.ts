/** What a target answers for LUNs that no logical unit has (SPC-4 6.4.1, SAM-5 5.11), and for the well-known one of REPORT LUNS (SPC-4 8.2). */
import { cdbFault, prepare } from './command-table.ts'
import type { TableEntry } from './command-table.ts'
import { inquiryCommands } from './commands/inquiry.ts'
import { unitCommands } from './commands/unit.ts'
import { lunList } from './lun.ts'
import { good, goodDataIn } from './results.ts'
import { CheckCondition, encodeSense, invalidFieldInCdb } from './sense.ts'
import { Status } from './status.ts'
import type { ScsiTask, TaskResult } from './task.ts'

/** What is asked about: LUNs of the target, and whether there is a well-known unit at this one. */
interface Place {
  readonly luns: readonly number[]
  readonly isWellKnown: boolean
}

/** Peripheral qualifier 011b with device type 1Fh: nothing can be there; 1Eh: a well-known logical unit. */
const PeripheralDevice = { none: 0x7f, wellKnown: 0x1e } as const
const standardBytes = 36
const descriptorFormat = 0x01

const notSupported = (): CheckCondition => new CheckCondition('ILLEGAL REQUEST', 'LOGICAL UNIT NOT SUPPORTED')

function inquiry(task: ScsiTask, { isWellKnown }: Place): TaskResult {
  const { cdb } = task
  const device = isWellKnown ? PeripheralDevice.wellKnown : PeripheralDevice.none
  if (cdb[2] !== 0) throw invalidFieldInCdb(2)
  if ((cdb[1] & 0x01) !== 0) return goodDataIn(task, Buffer.from([device, 0, 0, 1, 0]), cdb.readUInt16BE(3))
  const data = Buffer.alloc(standardBytes, 0x20)
  Buffer.from([device, 0, 0x06, 0x12, standardBytes - 5, 0, 0, 0x02]).copy(data)
  return goodDataIn(task, data, cdb.readUInt16BE(3))
}

function reportLuns(task: ScsiTask, { luns }: Place): TaskResult {
  const list = lunList(task.cdb[2], luns)
  if (list === undefined) throw invalidFieldInCdb(2)
  return goodDataIn(task, list, task.cdb.readUInt32BE(6))
}

function requestSense(task: ScsiTask, { isWellKnown }: Place): TaskResult {
  const { cdb } = task
  const condition = isWellKnown ? new CheckCondition('NO SENSE', 'NO ADDITIONAL SENSE INFORMATION') : notSupported()
  return goodDataIn(task, encodeSense(condition, (cdb[1] & descriptorFormat) !== 0), cdb[4])
}

function testUnitReady(_task: ScsiTask, { isWellKnown }: Place): TaskResult {
  if (!isWellKnown) throw notSupported()
  return good
}

const answers: Readonly<Record<number, (task: ScsiTask, place: Place) => TaskResult>> = {
  0x00: testUnitReady,
  0x03: requestSense,
  0x12: inquiry,
  0xa0: reportLuns,
}

/** Their CDBs are those of every unit. */
const entries = new Map<number, TableEntry>([...unitCommands, ...inquiryCommands].map(command => [command.opcode, prepare(command)]))

/** Never throws. */
export function executeWithoutUnit(task: ScsiTask, place: Place): TaskResult {
  try {
    return answer(task, place)
  } catch (error) {
    if (!(error instanceof CheckCondition)) throw error
    return { status: Status.checkCondition, sense: encodeSense(error, false), dataInBytes: 0, dataOutBytes: 0 }
  }
}

function answer(task: ScsiTask, place: Place): TaskResult {
  const opcode = task.cdb[0]
  const entry = entries.get(opcode)
  if (entry === undefined) throw place.isWellKnown ? new CheckCondition('ILLEGAL REQUEST', 'INVALID COMMAND OPERATION CODE') : notSupported()
  const fault = cdbFault(task.cdb, entry)
  if (fault !== undefined) throw fault
  return answers[opcode](task, place)
}
