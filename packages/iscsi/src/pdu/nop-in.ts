/** NOP-In (RFC 7143 11.19): the answer to a ping, or a target's own. */
import { bytes, fixed, reserved, struct, u16be, u32be, u64be, u8, withDefault } from '@holdfast/wire'
import type { Infer } from '@holdfast/wire'
import { finalBit, lengths, Opcode, reservedTag } from './header.ts'

/** Basic header of a NOP-In. The data segment is the NOP-Out's. */
export const NopIn = struct('iSCSI NOP-In', {
  opcode: fixed(u8, Opcode.nopIn, { tolerate: true }),
  flags: withDefault(u8, finalBit),
  reserved: reserved(u16be),
  ...lengths,
  lun: withDefault(u64be, 0n),
  /** `reservedTag` in a target's own. */
  initiatorTaskTag: withDefault(u32be, reservedTag),
  /** `reservedTag` in an answer, and when the target wants none. */
  targetTransferTag: withDefault(u32be, reservedTag),
  /** The next StatSN in a target's own: it takes none. */
  statSn: u32be,
  expCmdSn: u32be,
  maxCmdSn: u32be,
  reserved2: reserved(bytes(12)),
})
export type NopIn = Infer<typeof NopIn>
