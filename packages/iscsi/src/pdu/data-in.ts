/** SCSI Data-In (RFC 7143 11.7). */
import { fixed, reserved, struct, u32be, u64be, u8, withDefault } from '@holdfast/wire'
import type { Infer } from '@holdfast/wire'
import { finalBit, lengths, Opcode, reservedTag } from './header.ts'

/** Flags (11.7.1 to 11.7.3). With `status` the PDU ends the command with a good status, and the residual flags count. */
export const DataInFlags = { final: finalBit, acknowledge: 0x40, overflow: 0x04, underflow: 0x02, status: 0x01 } as const

/** Basic header of a SCSI Data-In. */
export const DataIn = struct('iSCSI Data-In', {
  opcode: fixed(u8, Opcode.dataIn, { tolerate: true }),
  /** `DataInFlags` */
  flags: withDefault(u8, 0),
  reserved: reserved(u8),
  /** With `DataInFlags.status`: the SAM-5 status. */
  status: withDefault(u8, 0),
  ...lengths,
  /** With `DataInFlags.acknowledge`, to be given back in the SNACK, as is the transfer tag. */
  lun: withDefault(u64be, 0n),
  initiatorTaskTag: u32be,
  targetTransferTag: withDefault(u32be, reservedTag),
  /** Valid with `DataInFlags.status`. */
  statSn: withDefault(u32be, 0),
  expCmdSn: u32be,
  maxCmdSn: u32be,
  /** Counts from 0 within the command, shared with the R2Ts of a bidirectional one. */
  dataSn: u32be,
  /** Bytes from the start of the command's data. */
  bufferOffset: u32be,
  residualCount: withDefault(u32be, 0),
})
export type DataIn = Infer<typeof DataIn>
