/** Results that commands give. */
import { CheckCondition } from './sense.ts'
import { Status } from './status.ts'
import type { ScsiTask, TaskResult } from './task.ts'

/** GOOD, without data. */
export const good: TaskResult = { status: Status.good, dataInBytes: 0, dataOutBytes: 0 }

/** RESERVATION CONFLICT. */
export const reservationConflict: TaskResult = { status: Status.reservationConflict, dataInBytes: 0, dataOutBytes: 0 }

/** BUSY. */
export const busy: TaskResult = { status: Status.busy, dataInBytes: 0, dataOutBytes: 0 }

/** TASK SET FULL. */
export const taskSetFull: TaskResult = { status: Status.taskSetFull, dataInBytes: 0, dataOutBytes: 0 }

/** TASK ABORTED. */
export const taskAborted: TaskResult = { status: Status.taskAborted, dataInBytes: 0, dataOutBytes: 0 }

/** GOOD, with a parameter list cut to the allocation length (SPC-4 4.2.5.6). */
export function goodDataIn(task: ScsiTask, list: Buffer, allocationLength: number): TaskResult {
  const dataInBytes = Math.min(list.length, allocationLength)
  if (dataInBytes === 0) return good
  let at = 0
  for (const piece of task.dataIn(dataInBytes)) {
    list.copy(piece, 0, at, Math.min(dataInBytes, at + piece.length))
    at += piece.length
  }
  return { status: Status.good, dataInBytes, dataOutBytes: 0 }
}

/** GOOD, after data-out of that length. */
export const goodDataOut = (dataOutBytes: number): TaskResult => ({ status: Status.good, dataInBytes: 0, dataOutBytes })

/**
 * The parameter list: a copy, so that nobody changes what was checked. Throws PARAMETER LIST LENGTH ERROR where the initiator gave less than
 * its CDB says.
 */
export function parameterListOf(task: ScsiTask, lengthBytes: number): Buffer {
  if (task.dataOutBytes < lengthBytes) throw new CheckCondition('ILLEGAL REQUEST', 'PARAMETER LIST LENGTH ERROR')
  return Buffer.concat(task.dataOut, lengthBytes)
}
