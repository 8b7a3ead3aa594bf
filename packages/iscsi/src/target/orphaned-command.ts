/**
 * What becomes of a command whose worker died before it was answered. It may have been carried out, wholly or in part; whatever others did to the
 * medium meanwhile may have come before it, as it has no answer yet.
 */
import { AdditionalSense, senseData, SenseKey, Status } from '../scsi/index.ts'
import type { TaskResult } from '../scsi/index.ts'

/** Commands that do no more when they are carried out twice than once, by opcode (SPC-4, SBC-4). */
const repeatable: ReadonlySet<number> = new Set([
  0x00, // TEST UNIT READY
  0x03, // REQUEST SENSE
  0x08, // READ (6)
  0x0a, // WRITE (6)
  0x12, // INQUIRY
  0x1a, // MODE SENSE (6)
  0x25, // READ CAPACITY (10)
  0x28, // READ (10)
  0x2a, // WRITE (10)
  0x2e, // WRITE AND VERIFY (10)
  0x2f, // VERIFY (10)
  0x34, // PRE-FETCH (10)
  0x35, // SYNCHRONIZE CACHE (10)
  0x37, // READ DEFECT DATA (10)
  0x41, // WRITE SAME (10)
  0x42, // UNMAP
  0x4d, // LOG SENSE
  0x5a, // MODE SENSE (10)
  0x5e, // PERSISTENT RESERVE IN
  0x88, // READ (16)
  0x8a, // WRITE (16)
  0x8e, // WRITE AND VERIFY (16)
  0x8f, // VERIFY (16)
  0x90, // PRE-FETCH (16)
  0x91, // SYNCHRONIZE CACHE (16)
  0x93, // WRITE SAME (16)
  0x9e, // SERVICE ACTION IN (16): READ CAPACITY, GET LBA STATUS, REPORT REFERRALS
  0xa0, // REPORT LUNS
  0xa3, // MAINTENANCE IN
  0xa8, // READ (12)
  0xaa, // WRITE (12)
  0xae, // WRITE AND VERIFY (12)
  0xaf, // VERIFY (12)
  0xb7, // READ DEFECT DATA (12)
])

/** Whether a command may be carried out again. All others were, or were not, and nobody knows. */
export const isRepeatable = (cdb: Buffer): boolean => repeatable.has(cdb[0])

/** The command was begun and did not come to its end: who asked for it finds out what has become of it (SPC-4 4.5.6: ABORTED COMMAND). */
export const perhapsDone: TaskResult = {
  status: Status.checkCondition,
  sense: senseData({ key: SenseKey['ABORTED COMMAND'], code: AdditionalSense['INTERNAL TARGET FAILURE'], isDeferred: false }, false),
  dataInBytes: 0,
  dataOutBytes: 0,
}

/** Nothing was done, and may be later: there is no room for its data, or that is gone (SAM-5 5.3.1). */
export const comeAgain: TaskResult = { status: Status.busy, dataInBytes: 0, dataOutBytes: 0 }
