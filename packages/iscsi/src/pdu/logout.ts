/** Logout Request and Response (RFC 7143 11.14, 11.15). */
import { bytes, fixed, reserved, struct, u16be, u32be, u64be, u8, withDefault } from '@holdfast/wire'
import type { Infer } from '@holdfast/wire'
import { finalBit, immediateBit, lengths, Opcode } from './header.ts'

/** Reasons (11.14.1). */
export const LogoutReason = { closeSession: 0, closeConnection: 1, removeConnectionForRecovery: 2 } as const
/** One of `LogoutReason`. */
export type LogoutReason = (typeof LogoutReason)[keyof typeof LogoutReason]

/** The bits of a request's byte 1 that are the reason. */
export const logoutReasonMask = 0x7f

/** Basic header of a Logout Request; no data segment. */
export const LogoutRequest = struct('iSCSI Logout Request', {
  opcode: withDefault(u8, Opcode.logoutRequest | immediateBit),
  /** `finalBit` and one of `LogoutReason`. */
  flags: u8,
  reserved: reserved(u16be),
  ...lengths,
  reserved2: reserved(u64be),
  initiatorTaskTag: u32be,
  /** The connection, unless it is the session. */
  cid: withDefault(u16be, 0),
  reserved3: reserved(u16be),
  cmdSn: u32be,
  expStatSn: u32be,
  reserved4: reserved(bytes(16)),
})
export type LogoutRequest = Infer<typeof LogoutRequest>

/** Responses (11.15.1). */
export const LogoutResponseCode = { closed: 0, cidNotFound: 1, recoveryNotSupported: 2, cleanupFailed: 3 } as const

/** Basic header of a Logout Response; no data segment. */
export const LogoutResponse = struct('iSCSI Logout Response', {
  opcode: fixed(u8, Opcode.logoutResponse, { tolerate: true }),
  flags: withDefault(u8, finalBit),
  /** `LogoutResponseCode` */
  response: u8,
  reserved: reserved(u8),
  ...lengths,
  reserved2: reserved(u64be),
  initiatorTaskTag: u32be,
  reserved3: reserved(u32be),
  statSn: u32be,
  expCmdSn: u32be,
  maxCmdSn: u32be,
  reserved4: reserved(u32be),
  /** Seconds to wait before a reconnection. */
  time2Wait: withDefault(u16be, 0),
  /** Seconds after that for which tasks are kept. */
  time2Retain: withDefault(u16be, 0),
  reserved5: reserved(u32be),
})
export type LogoutResponse = Infer<typeof LogoutResponse>
