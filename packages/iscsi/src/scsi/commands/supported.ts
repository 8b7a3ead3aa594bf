/** What the unit can do, from its own table: REPORT SUPPORTED OPERATION CODES and TASK MANAGEMENT FUNCTIONS (SPC-4 6.35, 6.36), REPORT TIMESTAMP. */
import type { TableEntry } from '../command-table.ts'
import type { Command } from '../command.ts'
import type { LogicalUnit } from '../logical-unit.ts'
import { goodDataIn } from '../results.ts'
import { invalidFieldInCdb } from '../sense.ts'
import type { ScsiTask, TaskResult } from '../task.ts'

const returnTimeouts = 0x80

/** SUPPORT field (SPC-4 table 'SUPPORT values'). */
const Support = { no: 0x01, asStandard: 0x03 } as const

/** Command timeouts descriptor (SPC-4 6.35.4): nothing is promised. */
const timeouts = Buffer.from('000a00000000000000000000', 'hex')

const hasServiceAction = 0x01
const hasTimeouts = 0x02

/** SPC-4 6.35.2. */
function allCommands({ commands, maxListedCdbBytes }: LogicalUnit, withTimeouts: boolean): Buffer {
  const listed = commands.entries.filter(({ usage }) => usage.length <= maxListedCdbBytes)
  const body = Buffer.concat(
    listed.flatMap(({ command: { opcode, serviceAction }, usage }) => {
      const flags = (serviceAction === undefined ? 0 : hasServiceAction) | (withTimeouts ? hasTimeouts : 0)
      const action = serviceAction ?? 0
      const descriptor = Buffer.from([opcode, 0, action >> 8, action & 0xff, 0, flags, 0, usage.length])
      return withTimeouts ? [descriptor, timeouts] : [descriptor]
    }),
  )
  const header = Buffer.alloc(4)
  header.writeUInt32BE(body.length)
  return Buffer.concat([header, body])
}

/** SPC-4 6.35.3. */
function oneCommand(entry: TableEntry | undefined, withTimeouts: boolean): Buffer {
  if (entry === undefined) return Buffer.from([0, Support.no, 0, 0])
  const { usage } = entry
  const header = Buffer.from([0, Support.asStandard | (withTimeouts ? 0x80 : 0), usage.length >> 8, usage.length & 0xff])
  return Buffer.concat([header, usage, ...(withTimeouts ? [timeouts] : [])])
}

/** REPORTING OPTIONS of one command: throw where the opcode is not of the kind that is asked for. */
const lookups: Readonly<Record<number, (unit: LogicalUnit, opcode: number, serviceAction: number) => TableEntry | undefined>> = {
  1: ({ commands }, opcode) => {
    if (commands.hasServiceActions(opcode)) throw invalidFieldInCdb(2, 2)
    return commands.get(opcode)
  },
  2: ({ commands }, opcode, serviceAction) => {
    if (commands.get(opcode) !== undefined) throw invalidFieldInCdb(2, 2)
    return commands.get(opcode, serviceAction)
  },
  3: ({ commands }, opcode, serviceAction) => {
    if (commands.hasServiceActions(opcode)) return commands.get(opcode, serviceAction)
    return serviceAction === 0 ? commands.get(opcode) : undefined
  },
}

function reportOperationCodes(task: ScsiTask, unit: LogicalUnit): TaskResult {
  const { cdb } = task
  const option = cdb[2] & 0x07
  const withTimeouts = (cdb[2] & returnTimeouts) !== 0
  const allocationLength = cdb.readUInt32BE(6)
  if (option === 0) return goodDataIn(task, allCommands(unit, withTimeouts), allocationLength)
  const lookup = lookups[option]
  if (lookup === undefined) throw invalidFieldInCdb(2, 2)
  return goodDataIn(task, oneCommand(lookup(unit, cdb[3], cdb.readUInt16BE(4)), withTimeouts), allocationLength)
}

/** ATS, ATSS, CTSS, LURS. */
const taskManagementFunctions = 0x80 | 0x40 | 0x10 | 0x08
const returnExtended = 0x80

function reportTaskManagementFunctions(task: ScsiTask): TaskResult {
  const { cdb } = task
  const isExtended = (cdb[2] & returnExtended) !== 0
  const result = Buffer.alloc(isExtended ? 16 : 4)
  result[0] = taskManagementFunctions
  if (isExtended) result[3] = 0x0c
  return goodDataIn(task, result, cdb.readUInt32BE(6))
}

const timestampOriginOther = 0x03

/** Milliseconds since 1970, by the machine's clock (SPC-4 6.38). */
function reportTimestamp(task: ScsiTask, unit: LogicalUnit): TaskResult {
  const result = Buffer.alloc(12)
  result.writeUInt16BE(result.length - 2)
  result[2] = timestampOriginOther
  result.writeUIntBE(Math.max(0, Math.floor(unit.now())), 4, 6)
  return goodDataIn(task, result, task.cdb.readUInt32BE(6))
}

/** Rows of the dispatch table. */
export const supportedCommands: readonly Command[] = [
  {
    name: 'REPORT SUPPORTED OPERATION CODES',
    opcode: 0xa3,
    serviceAction: 0x0c,
    clause: 'SPC-4 6.35',
    usage: 'a3 0c 87 ff ffff ffffffff 00 00',
    access: 'read',
    worksWithoutMedium: true,
    execute: reportOperationCodes,
  },
  {
    name: 'REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS',
    opcode: 0xa3,
    serviceAction: 0x0d,
    clause: 'SPC-4 6.36',
    usage: 'a3 0d 80 000000 ffffffff 00 00',
    access: 'read',
    worksWithoutMedium: true,
    execute: reportTaskManagementFunctions,
  },
  {
    name: 'REPORT TIMESTAMP',
    opcode: 0xa3,
    serviceAction: 0x0f,
    clause: 'SPC-4 6.38',
    usage: 'a3 0f 00000000 ffffffff 00 00',
    access: 'always',
    worksWithoutMedium: true,
    execute: reportTimestamp,
  },
]
