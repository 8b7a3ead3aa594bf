/** NOP-Out (RFC 7143 11.18): a ping, or the answer to a target's. */
import { bytes, reserved, struct, u16be, u32be, u64be, u8, withDefault } from '@holdfast/wire'
import type { Infer } from '@holdfast/wire'
import { finalBit, immediateBit, lengths, Opcode, reservedTag } from './header.ts'

/** Basic header of a NOP-Out. The data segment comes back in the NOP-In. */
export const NopOut = struct('iSCSI NOP-Out', {
  opcode: withDefault(u8, Opcode.nopOut | immediateBit),
  flags: withDefault(u8, finalBit),
  reserved: reserved(u16be),
  ...lengths,
  /** As in the NOP-In it answers. */
  lun: withDefault(u64be, 0n),
  /** `reservedTag` when no answer is wanted. */
  initiatorTaskTag: withDefault(u32be, reservedTag),
  /** As in the NOP-In it answers. */
  targetTransferTag: withDefault(u32be, reservedTag),
  cmdSn: u32be,
  expStatSn: u32be,
  reserved2: reserved(bytes(16)),
})
export type NopOut = Infer<typeof NopOut>
