/** LOG SENSE and LOG SELECT (SPC-4 6.7, 6.8). Nothing that is logged can be changed, or saved. */
import type { Command } from '../command.ts'
import { logPages } from '../log-pages.ts'
import type { LogPage, LogParameter } from '../log-pages.ts'
import type { LogicalUnit } from '../logical-unit.ts'
import { goodDataIn, goodDataOut, parameterListOf } from '../results.ts'
import { invalidFieldInCdb, invalidFieldInParameterList } from '../sense.ts'
import type { ScsiTask, TaskResult } from '../task.ts'

const disableSave = 0x80
const subPageFormat = 0x40
/** DU: not updated; FORMAT AND LINKING 11b: a binary list parameter (SPC-4 table 'Keywords for resetting or changing log parameters'). */
const listParameter = 0x03
const parameterCodeReset = 0x02
const save = 0x01

async function logSense(task: ScsiTask, unit: LogicalUnit): Promise<TaskResult> {
  const { cdb } = task
  const supported = logPages.filter(known => known.isSupported?.(unit) ?? true)
  const ofCode = supported.filter(({ code }) => code === (cdb[2] & 0x3f))
  if (ofCode.length === 0) throw invalidFieldInCdb(2, 5)
  const page = ofCode.find(({ subpage }) => subpage === cdb[3])
  if (page === undefined) throw invalidFieldInCdb(3)
  const parameters = await page.parameters?.(unit)
  const body = parameters === undefined ? listOfPages(supported, page.subpage) : encodeParameters(parameters, cdb.readUInt16BE(5))
  return goodDataIn(task, Buffer.concat([pageHeader(page, body.length), body]), cdb.readUInt16BE(7))
}

function pageHeader({ code, subpage }: LogPage, length: number): Buffer {
  return Buffer.from([disableSave | (subpage === 0 ? 0 : subPageFormat) | code, subpage, length >> 8, length & 0xff])
}

/** SPC-4 7.3.19 and 7.3.20: codes, or codes with subpages. */
function listOfPages(supported: readonly LogPage[], subpage: number): Buffer {
  if (subpage !== 0) return Buffer.from(supported.flatMap(page => [page.code, page.subpage]))
  return Buffer.from([...new Set(supported.map(({ code }) => code))])
}

/** From PARAMETER POINTER on. */
function encodeParameters(parameters: readonly LogParameter[], pointer: number): Buffer {
  const wanted = parameters.filter(({ code }) => code >= pointer)
  if (wanted.length === 0) throw invalidFieldInCdb(5)
  return Buffer.concat(wanted.flatMap(({ code, value }) => [Buffer.from([code >> 8, code & 0xff, listParameter, value.length]), value]))
}

/** PCR resets what can be reset, which is nothing; a parameter that is to be set is refused. */
function logSelect(task: ScsiTask): TaskResult {
  const { cdb } = task
  const length = cdb.readUInt16BE(7)
  if ((cdb[1] & save) !== 0) throw invalidFieldInCdb(1, 0)
  if ((cdb[1] & parameterCodeReset) !== 0 && length > 0) throw invalidFieldInCdb(1, 1)
  if (parameterListOf(task, length).length > 0) throw invalidFieldInParameterList(0)
  return goodDataOut(0)
}

/** Rows of the dispatch table. */
export const logCommands: readonly Command[] = [
  {
    name: 'LOG SELECT',
    opcode: 0x4c,
    clause: 'SPC-4 6.7',
    usage: '4c 03 ff ff 000000 ffff 00',
    access: 'write',
    worksWithoutMedium: true,
    dataOutBytes: cdb => cdb.readUInt16BE(7),
    execute: logSelect,
  },
  {
    name: 'LOG SENSE',
    opcode: 0x4d,
    clause: 'SPC-4 6.8',
    usage: '4d 00 ff ff 00 ffff ffff 00',
    access: 'always',
    worksWithoutMedium: true,
    execute: logSense,
  },
]
