/** SCSI Data-Out (RFC 7143 11.7). */
import { reserved, struct, u16be, u32be, u64be, u8, withDefault } from '@holdfast/wire'
import type { Infer } from '@holdfast/wire'
import { finalBit, lengths, Opcode, reservedTag } from './header.ts'

/** Flags (11.7.1). */
export const DataOutFlags = { final: finalBit } as const

/** Basic header of a SCSI Data-Out. */
export const DataOut = struct('iSCSI Data-Out', {
  opcode: withDefault(u8, Opcode.dataOut),
  /** `DataOutFlags` */
  flags: withDefault(u8, 0),
  reserved: reserved(u16be),
  ...lengths,
  lun: withDefault(u64be, 0n),
  initiatorTaskTag: u32be,
  /** That of the R2T it answers; `reservedTag` when unsolicited. */
  targetTransferTag: withDefault(u32be, reservedTag),
  reserved2: reserved(u32be),
  expStatSn: u32be,
  reserved3: reserved(u32be),
  /** Counts from 0 within the sequence. */
  dataSn: u32be,
  /** Bytes from the start of the command's data. */
  bufferOffset: u32be,
  reserved4: reserved(u32be),
})
export type DataOut = Infer<typeof DataOut>
