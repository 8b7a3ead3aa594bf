/** SCSI Command (RFC 7143 11.3). */
import { bytes, reserved, struct, u16be, u32be, u64be, u8, withDefault } from '@holdfast/wire'
import type { Infer } from '@holdfast/wire'
import { finalBit, lengths, Opcode } from './header.ts'

/** Flags and task attribute (11.3.1). */
export const ScsiCommandFlags = { final: finalBit, read: 0x40, write: 0x20, attributeMask: 0x07 } as const

/** Bytes of a CDB that are in the header; a longer one goes on in an additional header segment. */
export const headerCdbBytes = 16

/** Basic header of a SCSI Command. The data segment is immediate data. */
export const ScsiCommand = struct('iSCSI SCSI Command', {
  opcode: withDefault(u8, Opcode.scsiCommand),
  /** `ScsiCommandFlags`; the low three bits are the task attribute. */
  flags: u8,
  reserved: reserved(u16be),
  ...lengths,
  lun: u64be,
  initiatorTaskTag: u32be,
  /** Bytes; of the write when it is bidirectional. */
  expectedDataTransferLength: withDefault(u32be, 0),
  cmdSn: u32be,
  expStatSn: u32be,
  /** Sixteen bytes, zeros behind a shorter one. `cdbOf` gives a longer one whole. */
  cdb: bytes(headerCdbBytes),
})
export type ScsiCommand = Infer<typeof ScsiCommand>
