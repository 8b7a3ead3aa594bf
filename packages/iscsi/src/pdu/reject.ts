/** Reject (RFC 7143 11.17). */
import { fixed, reserved, struct, u32be, u64be, u8, withDefault } from '@holdfast/wire'
import type { Infer } from '@holdfast/wire'
import { finalBit, lengths, Opcode, reservedTag } from './header.ts'

/** Reasons (11.17.1). */
export const RejectReason = {
  dataDigestError: 0x02,
  snackReject: 0x03,
  protocolError: 0x04,
  commandNotSupported: 0x05,
  immediateCommandReject: 0x06,
  taskInProgress: 0x07,
  invalidDataAck: 0x08,
  invalidPduField: 0x09,
  longOperationReject: 0x0a,
  negotiationReset: 0x0b,
  waitingForLogout: 0x0c,
} as const
/** One of `RejectReason`. */
export type RejectReason = (typeof RejectReason)[keyof typeof RejectReason]

/** Basic header of a Reject. The data segment is the complete header of the PDU that was rejected. */
export const Reject = struct('iSCSI Reject', {
  opcode: fixed(u8, Opcode.reject, { tolerate: true }),
  flags: withDefault(u8, finalBit),
  /** `RejectReason` */
  reason: u8,
  reserved: reserved(u8),
  ...lengths,
  reserved2: reserved(u64be),
  initiatorTaskTag: fixed(u32be, reservedTag, { tolerate: true }),
  reserved3: reserved(u32be),
  statSn: u32be,
  expCmdSn: u32be,
  maxCmdSn: u32be,
  /** Of a rejected Data-Out's command: the next number the target will give. */
  dataSn: withDefault(u32be, 0),
  reserved4: reserved(u64be),
})
export type Reject = Infer<typeof Reject>
