/** The basic header segment of every PDU (RFC 7143 11.2.1), and how long a PDU is. */
import { bytes, struct, u16be, u24be, u32be, u64be, u8, withDefault } from '@holdfast/wire'
import type { Infer } from '@holdfast/wire'

/** Bytes of the basic header segment. */
export const basicHeaderBytes = 48

/** Bytes of a header digest and of a data digest (11.2.3). */
export const digestBytes = 4

/** The most bytes of additional header segments: TotalAHSLength is one byte that counts words of four. */
export const additionalHeaderBytesMax = 255 * 4

/** Opcodes (11.2.1.2), without the immediate bit. */
export const Opcode = {
  nopOut: 0x00,
  scsiCommand: 0x01,
  taskManagementRequest: 0x02,
  loginRequest: 0x03,
  textRequest: 0x04,
  dataOut: 0x05,
  logoutRequest: 0x06,
  snackRequest: 0x10,
  nopIn: 0x20,
  scsiResponse: 0x21,
  taskManagementResponse: 0x22,
  loginResponse: 0x23,
  textResponse: 0x24,
  dataIn: 0x25,
  logoutResponse: 0x26,
  readyToTransfer: 0x31,
  asyncMessage: 0x32,
  reject: 0x3f,
} as const
/** One of `Opcode`. */
export type Opcode = (typeof Opcode)[keyof typeof Opcode]

/** The bits of byte 0 that are the opcode. */
export const opcodeMask = 0x3f
/** I bit of byte 0: delivered at once, and not counted in CmdSN (4.2.2.1). */
export const immediateBit = 0x40
/** F bit of byte 1: the last PDU of a sequence, or the only one. */
export const finalBit = 0x80

/** A task tag or transfer tag that stands for none. */
export const reservedTag = 0xffff_ffff

/** Offsets of fields that are read or changed in place. StatSN, ExpCmdSN and MaxCmdSN are those of a target's PDU, CmdSN and ExpStatSN those of an initiator's. */
export const headerOffset = {
  opcode: 0,
  flags: 1,
  totalAhsLength: 4,
  dataSegmentLength: 5,
  lun: 8,
  initiatorTaskTag: 16,
  targetTransferTag: 20,
  cmdSn: 24,
  statSn: 24,
  expStatSn: 28,
  expCmdSn: 28,
  maxCmdSn: 32,
  dataSn: 36,
  bufferOffset: 40,
} as const

/** The fields that every PDU begins with, behind byte 0, for the tables of the PDUs. `specific` are its bytes 2 and 3. */
export const lengths = {
  /** Words of four bytes of additional header segments. */
  totalAhsLength: withDefault(u8, 0),
  /** Bytes of data, without padding. */
  dataSegmentLength: withDefault(u24be, 0),
} as const

/** What all basic header segments have in common. */
export const BasicHeader = struct('iSCSI BHS', {
  /** One of `Opcode`, and the immediate bit. */
  opcode: u8,
  flags: u8,
  opcodeSpecific: u16be,
  ...lengths,
  lun: u64be,
  initiatorTaskTag: u32be,
  opcodeSpecificRest: bytes(28),
})
export type BasicHeader = Infer<typeof BasicHeader>

/** Which digests a connection has (13.1); none before the full feature phase. */
export interface Digests {
  readonly header: boolean
  readonly data: boolean
}

/** No digests. */
export const noDigests: Digests = Object.freeze({ header: false, data: false })

/** Rounds up to whole words of four bytes: segments are padded (11.2.1.5, 11.2.2.4). */
export const paddedBytes = (lengthBytes: number): number => (lengthBytes + 3) & ~3

/** The opcode of the PDU at `at`, without the immediate bit. */
export const opcodeOf = (pdu: Uint8Array, at = 0): number => pdu[at] & opcodeMask

/** True when the PDU at `at` has the immediate bit. */
export const isImmediate = (pdu: Uint8Array, at = 0): boolean => (pdu[at] & immediateBit) !== 0

/** Bytes of the data segment, without padding, by the header at `at`. */
export const dataSegmentBytes = (pdu: Uint8Array, at = 0): number => (pdu[at + 5] << 16) | (pdu[at + 6] << 8) | pdu[at + 7]

/** Bytes of the basic and additional header segments, without the digest, by the header at `at`. */
export const headerSegmentBytes = (pdu: Uint8Array, at = 0): number => basicHeaderBytes + pdu[at + headerOffset.totalAhsLength] * 4

/** Where the data segment of the PDU at `at` begins, counted from `at`. */
export const dataSegmentStart = (pdu: Uint8Array, at: number, digests: Digests): number =>
  headerSegmentBytes(pdu, at) + (digests.header ? digestBytes : 0)

/**
 * Bytes of the whole PDU at `at`, of which the first eight must be there: segments, padding and digests. A PDU without a data segment has no
 * data digest (11.2.3).
 *
 * @example
 * pduLengthBytes(Buffer.alloc(48), 0, { header: true, data: true }) // => 52
 */
export function pduLengthBytes(pdu: Uint8Array, at: number, digests: Digests): number {
  const dataBytes = dataSegmentBytes(pdu, at)
  const dataEnd = paddedBytes(dataBytes) + (dataBytes > 0 && digests.data ? digestBytes : 0)
  return dataSegmentStart(pdu, at, digests) + dataEnd
}
