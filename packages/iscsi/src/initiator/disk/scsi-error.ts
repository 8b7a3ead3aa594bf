/** What a disk answers when it does not do what it was told. */
import { MalformedError } from '@holdfast/wire'
import { AdditionalSense, SenseKey } from '../../scsi/additional-sense.ts'
import { decodeSense, describeSense } from '../../scsi/sense.ts'
import type { Sense } from '../../scsi/sense.ts'
import { Status } from '../../scsi/status.ts'

/** Sense -> code, the first row that fits: by additional sense code, else by sense key. */
const codes = [
  { code: 'LBA_OUT_OF_RANGE', additional: AdditionalSense['LOGICAL BLOCK ADDRESS OUT OF RANGE'] },
  { code: 'INVALID_OPCODE', additional: AdditionalSense['INVALID COMMAND OPERATION CODE'] },
  { code: 'NO_SUCH_UNIT', additional: 0x2500 },
  { code: 'SPACE_EXHAUSTED', additional: 0x2707 },
  { code: 'WRITE_PROTECTED', key: SenseKey['DATA PROTECT'] },
  { code: 'MISCOMPARE', key: SenseKey.MISCOMPARE },
  { code: 'NOT_READY', key: SenseKey['NOT READY'] },
  { code: 'MEDIUM_ERROR', key: SenseKey['MEDIUM ERROR'] },
  { code: 'HARDWARE_ERROR', key: SenseKey['HARDWARE ERROR'] },
  { code: 'ILLEGAL_REQUEST', key: SenseKey['ILLEGAL REQUEST'] },
  { code: 'UNIT_ATTENTION', key: SenseKey['UNIT ATTENTION'] },
  { code: 'ABORTED_COMMAND', key: SenseKey['ABORTED COMMAND'] },
] as const

const statusCodes = {
  [Status.busy]: 'BUSY',
  [Status.reservationConflict]: 'RESERVATION_CONFLICT',
  [Status.taskSetFull]: 'TASK_SET_FULL',
  [Status.taskAborted]: 'TASK_ABORTED',
} as const

/** What went wrong, for programs: from the sense data, or the status where there is none. `SCSI` is everything else. */
export type ScsiErrorCode = (typeof codes)[number]['code'] | (typeof statusCodes)[keyof typeof statusCodes] | 'SCSI'

const statusNames = new Map<number, string>(Object.entries(Status).map(([name, status]) => [status, name]))

/** A command ended with a status that is not GOOD. `code` is stable; `sense` is what the disk said, where it said something. */
export class ScsiError extends Error {
  readonly code: ScsiErrorCode
  /** SAM-5 status. */
  readonly status: number
  readonly sense: Sense | undefined

  constructor(code: ScsiErrorCode, message: string, details: { readonly status: number; readonly sense: Sense | undefined }) {
    super(message)
    this.name = 'ScsiError'
    this.code = code
    this.status = details.status
    this.sense = details.sense
  }
}

/** Sense data as a value; undefined for none, and for what is none. */
export function senseOf(bytes: Buffer): Sense | undefined {
  if (bytes.length === 0) return undefined
  try {
    return decodeSense(bytes)
  } catch (error) {
    // A status with unreadable sense data is a status without any.
    if (error instanceof MalformedError) return undefined
    throw error
  }
}

/** The error for a status. `what`: the command, e.g. `READ (16)`. */
export function scsiError(what: string, status: number, senseBytes: Buffer): ScsiError {
  const sense = senseOf(senseBytes)
  if (sense === undefined) {
    const code = (statusCodes as Readonly<Record<number, ScsiErrorCode>>)[status] ?? 'SCSI'
    return new ScsiError(code, `${what}: status ${statusNames.get(status) ?? status}`, { status, sense })
  }
  const row = codes.find(each => ('additional' in each ? each.additional === sense.code : each.key === sense.key))
  return new ScsiError(row?.code ?? 'SCSI', `${what}: ${describeSense(sense)}`, { status, sense })
}
