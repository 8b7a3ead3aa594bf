/** SCSI Response (RFC 7143 11.4). */
import { data, emptyBytes, fixed, lengthOf, reserved, rest, struct, u16be, u32be, u64be, u8, withDefault } from '@holdfast/wire'
import type { Infer } from '@holdfast/wire'
import { finalBit, lengths, Opcode } from './header.ts'

/** Flags (11.4.1): what was left over or missing, of the read of a bidirectional command and of the rest. */
export const ScsiResponseFlags = {
  final: finalBit,
  bidirectionalReadOverflow: 0x10,
  bidirectionalReadUnderflow: 0x08,
  overflow: 0x04,
  underflow: 0x02,
} as const

/** Response codes (11.4.3); from 80h on they are the vendor's. */
export const ScsiResponseCode = { completed: 0x00, targetFailure: 0x01 } as const

/** Basic header of a SCSI Response. The data segment is `SenseData`. */
export const ScsiResponse = struct('iSCSI SCSI Response', {
  opcode: fixed(u8, Opcode.scsiResponse, { tolerate: true }),
  /** `ScsiResponseFlags` */
  flags: withDefault(u8, finalBit),
  /** `ScsiResponseCode` */
  response: withDefault(u8, ScsiResponseCode.completed),
  /** SAM-5 status; valid with `completed` only. */
  status: u8,
  ...lengths,
  reserved: reserved(u64be),
  initiatorTaskTag: u32be,
  snackTag: withDefault(u32be, 0),
  statSn: u32be,
  expCmdSn: u32be,
  maxCmdSn: u32be,
  /** How many Data-In and R2T PDUs the command had. */
  expDataSn: withDefault(u32be, 0),
  bidirectionalReadResidualCount: withDefault(u32be, 0),
  residualCount: withDefault(u32be, 0),
})
export type ScsiResponse = Infer<typeof ScsiResponse>

/** Data segment of a SCSI Response, and the beginning of an asynchronous SCSI event's (11.4.7, 11.9.4). */
export const SenseData = struct('iSCSI sense data', {
  senseLength: lengthOf('sense', u16be),
  sense: data(),
  responseData: withDefault(rest(), emptyBytes),
})
export type SenseData = Infer<typeof SenseData>
