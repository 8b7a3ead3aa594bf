/** Ready To Transfer, R2T (RFC 7143 11.8). */
import { fixed, reserved, struct, u16be, u32be, u64be, u8, withDefault } from '@holdfast/wire'
import type { Infer } from '@holdfast/wire'
import { finalBit, lengths, Opcode } from './header.ts'

/** Basic header of an R2T; no data segment. */
export const ReadyToTransfer = struct('iSCSI R2T', {
  opcode: fixed(u8, Opcode.readyToTransfer, { tolerate: true }),
  flags: withDefault(u8, finalBit),
  reserved: reserved(u16be),
  ...lengths,
  /** Comes back in the Data-Outs, as does the transfer tag. */
  lun: u64be,
  initiatorTaskTag: u32be,
  targetTransferTag: u32be,
  /** The next StatSN: an R2T takes none of its own. */
  statSn: u32be,
  expCmdSn: u32be,
  maxCmdSn: u32be,
  /** Counts from 0 within the command, shared with the Data-Ins of a bidirectional one. */
  r2tSn: u32be,
  /** Bytes from the start of the command's data. */
  bufferOffset: u32be,
  desiredDataTransferLength: u32be,
})
export type ReadyToTransfer = Infer<typeof ReadyToTransfer>
