/** Login Request and Response (RFC 7143 11.12, 11.13). */
import { bytes, fixed, reserved, struct, u16be, u32be, u64be, u8, withDefault } from '@holdfast/wire'
import type { Infer } from '@holdfast/wire'
import { immediateBit, lengths, Opcode } from './header.ts'

/** Flags of both (11.12.1 to 11.12.3): transit to the next stage; the text goes on in the next PDU. Current and next stage are below. */
export const LoginFlags = { transit: 0x80, continue: 0x40 } as const

/** Stages (11.12.3). */
export const LoginStage = { security: 0, operational: 1, fullFeature: 3 } as const
/** One of `LoginStage`. */
export type LoginStage = (typeof LoginStage)[keyof typeof LoginStage]

/** Current and next stage as bits of the flags. */
export const loginStages = (current: number, next = 0): number => (current << 2) | next
/** The current stage of flags. */
export const currentStageOf = (flags: number): number => (flags >> 2) & 3
/** The next stage of flags; of meaning with `LoginFlags.transit` only. */
export const nextStageOf = (flags: number): number => flags & 3

/** Bytes of an ISID. */
export const isidBytes = 6

/** The only version of the protocol (11.12.4). */
export const protocolVersion = 0

/** Basic header of a Login Request. The data segment is text. */
export const LoginRequest = struct('iSCSI Login Request', {
  opcode: withDefault(u8, Opcode.loginRequest | immediateBit),
  /** `LoginFlags` and `loginStages`. */
  flags: u8,
  versionMax: withDefault(u8, protocolVersion),
  versionMin: withDefault(u8, protocolVersion),
  ...lengths,
  isid: bytes(isidBytes),
  /** 0 for a new session. */
  tsih: u16be,
  initiatorTaskTag: u32be,
  /** Connection ID. */
  cid: u16be,
  reserved: reserved(u16be),
  cmdSn: u32be,
  expStatSn: withDefault(u32be, 0),
  reserved2: reserved(bytes(16)),
})
export type LoginRequest = Infer<typeof LoginRequest>

/** Status class and detail of a Login Response (11.13.5), class in the high byte. */
export const LoginStatus = {
  success: 0x0000,
  targetMovedTemporarily: 0x0101,
  targetMovedPermanently: 0x0102,
  initiatorError: 0x0200,
  authenticationFailure: 0x0201,
  authorizationFailure: 0x0202,
  notFound: 0x0203,
  targetRemoved: 0x0204,
  unsupportedVersion: 0x0205,
  tooManyConnections: 0x0206,
  missingParameter: 0x0207,
  cannotIncludeInSession: 0x0208,
  sessionTypeNotSupported: 0x0209,
  sessionDoesNotExist: 0x020a,
  invalidDuringLogin: 0x020b,
  targetError: 0x0300,
  serviceUnavailable: 0x0301,
  outOfResources: 0x0302,
} as const
/** One of `LoginStatus`. */
export type LoginStatus = (typeof LoginStatus)[keyof typeof LoginStatus]

/** Basic header of a Login Response. The data segment is text. */
export const LoginResponse = struct('iSCSI Login Response', {
  opcode: fixed(u8, Opcode.loginResponse, { tolerate: true }),
  /** `LoginFlags` and `loginStages`. */
  flags: u8,
  versionMax: withDefault(u8, protocolVersion),
  versionActive: withDefault(u8, protocolVersion),
  ...lengths,
  isid: bytes(isidBytes),
  /** The session's handle, in the last response of a login that made one. */
  tsih: u16be,
  initiatorTaskTag: u32be,
  reserved: reserved(u32be),
  statSn: u32be,
  expCmdSn: u32be,
  maxCmdSn: u32be,
  /** `LoginStatus`: class and detail. */
  status: withDefault(u16be, LoginStatus.success),
  reserved2: reserved(u16be),
  reserved3: reserved(u64be),
})
export type LoginResponse = Infer<typeof LoginResponse>
