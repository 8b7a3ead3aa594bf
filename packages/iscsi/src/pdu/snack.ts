/** SNACK Request: selective negative or sequence acknowledgement (RFC 7143 11.16). */
import { reserved, struct, u16be, u32be, u64be, u8, withDefault } from '@holdfast/wire'
import type { Infer } from '@holdfast/wire'
import { lengths, Opcode, reservedTag } from './header.ts'

/** Types (11.16.1). */
export const SnackType = { dataOrR2t: 0, status: 1, dataAck: 2, resegmentedData: 3 } as const
/** One of `SnackType`. */
export type SnackType = (typeof SnackType)[keyof typeof SnackType]

/** The bits of byte 1 that are the type. */
export const snackTypeMask = 0x0f

/** Basic header of a SNACK Request; no data segment. */
export const SnackRequest = struct('iSCSI SNACK Request', {
  opcode: withDefault(u8, Opcode.snackRequest),
  /** `finalBit` and one of `SnackType`. */
  flags: u8,
  reserved: reserved(u16be),
  ...lengths,
  lun: withDefault(u64be, 0n),
  /** `reservedTag` for status and data acknowledgement. */
  initiatorTaskTag: withDefault(u32be, reservedTag),
  /** Data acknowledgement: the Data-In's transfer tag. Resegmented data: the SNACK tag that the response will carry. */
  targetTransferTag: withDefault(u32be, reservedTag),
  reserved2: reserved(u32be),
  expStatSn: u32be,
  reserved3: reserved(u64be),
  /** First DataSN, R2TSN or StatSN that is wanted; data acknowledgement: the next DataSN expected. */
  begRun: u32be,
  /** How many; 0 for all there are from `begRun` on. */
  runLength: withDefault(u32be, 0),
})
export type SnackRequest = Infer<typeof SnackRequest>
