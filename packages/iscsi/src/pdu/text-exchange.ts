/** Text Request and Response (RFC 7143 11.10, 11.11). */
import { bytes, fixed, reserved, struct, u16be, u32be, u64be, u8, withDefault } from '@holdfast/wire'
import type { Infer } from '@holdfast/wire'
import { finalBit, lengths, Opcode, reservedTag } from './header.ts'

/** Flags of both (11.10.1, 11.10.2): nothing more to say; the text goes on in the next PDU. */
export const TextFlags = { final: finalBit, continue: 0x40 } as const

/** Basic header of a Text Request. The data segment is text. */
export const TextRequest = struct('iSCSI Text Request', {
  opcode: withDefault(u8, Opcode.textRequest),
  /** `TextFlags` */
  flags: u8,
  reserved: reserved(u16be),
  ...lengths,
  lun: withDefault(u64be, 0n),
  initiatorTaskTag: u32be,
  /** As in the response before, or `reservedTag` to begin. */
  targetTransferTag: withDefault(u32be, reservedTag),
  cmdSn: u32be,
  expStatSn: u32be,
  reserved2: reserved(bytes(16)),
})
export type TextRequest = Infer<typeof TextRequest>

/** Basic header of a Text Response. The data segment is text. */
export const TextResponse = struct('iSCSI Text Response', {
  opcode: fixed(u8, Opcode.textResponse, { tolerate: true }),
  /** `TextFlags` */
  flags: u8,
  reserved: reserved(u16be),
  ...lengths,
  lun: withDefault(u64be, 0n),
  initiatorTaskTag: u32be,
  /** `reservedTag` in the last one only. */
  targetTransferTag: withDefault(u32be, reservedTag),
  statSn: u32be,
  expCmdSn: u32be,
  maxCmdSn: u32be,
  reserved2: reserved(bytes(12)),
})
export type TextResponse = Infer<typeof TextResponse>
