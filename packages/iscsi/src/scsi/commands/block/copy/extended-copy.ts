/** EXTENDED COPY and COPY OPERATION ABORT (SPC-4 6.3 to 6.5). */
import type { Command } from '../../../command.ts'
import { length16, serviceActionOf } from '../../../cdb.ts'
import type { LogicalUnit } from '../../../logical-unit.ts'
import { good, parameterListOf } from '../../../results.ts'
import { invalidFieldInCdb } from '../../../sense.ts'
import type { ScsiTask, TaskResult } from '../../../task.ts'
import { copyManagerOf } from './copy-operation.ts'
import { CopyOut } from './limits.ts'
import { decodeCopyParameters } from './parameter-list.ts'

/** PARAMETER LIST LENGTH 0: there is nothing to copy, which is no error. */
async function extendedCopy(task: ScsiTask, unit: LogicalUnit): Promise<TaskResult> {
  const lengthBytes = length16(task.cdb)
  if (lengthBytes === 0) return good
  const parameters = decodeCopyParameters(parameterListOf(task, lengthBytes), serviceActionOf(task.cdb))
  return copyManagerOf(unit).start(unit, task, parameters, lengthBytes)
}

async function copyOperationAbort(task: ScsiTask, unit: LogicalUnit): Promise<TaskResult> {
  const operation = copyManagerOf(unit).find(task.nexus, task.cdb.readUInt32BE(2))
  if (operation === undefined) throw invalidFieldInCdb(2)
  await operation.stop()
  return good
}

/** Rows of the table. */
export const extendedCopyCommands: readonly Command[] = [
  {
    name: 'EXTENDED COPY (LID4)',
    opcode: 0x83,
    serviceAction: CopyOut.extendedCopyLid4,
    clause: 'SPC-4 6.4',
    usage: '83 01 0000000000000000 ffffffff 00 00',
    access: 'write',
    dataOutBytes: length16,
    execute: extendedCopy,
  },
  {
    name: 'EXTENDED COPY (LID1)',
    opcode: 0x83,
    serviceAction: CopyOut.extendedCopyLid1,
    clause: 'SPC-4 6.5',
    usage: '83 00 0000000000000000 ffffffff 00 00',
    access: 'write',
    dataOutBytes: length16,
    execute: extendedCopy,
  },
  {
    name: 'COPY OPERATION ABORT',
    opcode: 0x83,
    serviceAction: CopyOut.copyOperationAbort,
    clause: 'SPC-4 6.3',
    usage: '83 1c ffffffff 0000000000000000 00 00',
    access: 'write',
    execute: copyOperationAbort,
  },
]
