/** SEND DIAGNOSTIC and RECEIVE DIAGNOSTIC RESULTS (SPC-4 6.42, 6.29): the self-test, and the list of pages, which has only itself. */
import type { Command } from '../command.ts'
import { goodDataIn, goodDataOut, parameterListOf } from '../results.ts'
import { CheckCondition, invalidFieldInCdb, invalidFieldInParameterList } from '../sense.ts'
import type { ScsiTask, TaskResult } from '../task.ts'

const selfTest = 0x04
const pageFormat = 0x10
const pageCodeValid = 0x01

/** SELF-TEST CODE: none, background short and extended, abort, foreground short and extended. All of them find nothing, at once. */
const selfTestCodes: ReadonlySet<number> = new Set([0, 1, 2, 4, 5, 6])

/** Supported Diagnostic Pages (SPC-4 7.2.3). */
const supportedPages = Buffer.from([0, 0, 0, 1, 0])

function sendDiagnostic(task: ScsiTask): TaskResult {
  const { cdb } = task
  const code = cdb[1] >> 5
  const length = cdb.readUInt16BE(3)
  const isDefaultTest = (cdb[1] & selfTest) !== 0
  if (!selfTestCodes.has(code) || (isDefaultTest && code !== 0)) throw invalidFieldInCdb(1, 7)
  if ((isDefaultTest || code !== 0) && length > 0) throw invalidFieldInCdb(3)
  if (length > 0) checkPage(parameterListOf(task, length), cdb)
  return goodDataOut(length)
}

/** The only page that may be sent asks for the list (SPC-4 7.2.3). */
function checkPage(list: Buffer, cdb: Buffer): void {
  if ((cdb[1] & pageFormat) === 0) throw invalidFieldInCdb(1, 4)
  if (list.length < 4) throw new CheckCondition('ILLEGAL REQUEST', 'PARAMETER LIST LENGTH ERROR')
  if (list[0] !== 0) throw invalidFieldInParameterList(0)
  if (list.readUInt16BE(2) !== 0) throw invalidFieldInParameterList(2)
}

function receiveDiagnosticResults(task: ScsiTask): TaskResult {
  const { cdb } = task
  if ((cdb[1] & pageCodeValid) !== 0 && cdb[2] !== 0) throw invalidFieldInCdb(2)
  return goodDataIn(task, supportedPages, cdb.readUInt16BE(3))
}

/** Rows of the dispatch table. */
export const diagnosticCommands: readonly Command[] = [
  {
    name: 'RECEIVE DIAGNOSTIC RESULTS',
    opcode: 0x1c,
    clause: 'SPC-4 6.29',
    usage: '1c 01 ff ffff 00',
    access: 'read',
    worksWithoutMedium: true,
    execute: receiveDiagnosticResults,
  },
  {
    name: 'SEND DIAGNOSTIC',
    opcode: 0x1d,
    clause: 'SPC-4 6.42',
    usage: '1d f7 00 ffff 00',
    access: 'write',
    worksWithoutMedium: true,
    dataOutBytes: cdb => cdb.readUInt16BE(3),
    execute: sendDiagnostic,
  },
]
