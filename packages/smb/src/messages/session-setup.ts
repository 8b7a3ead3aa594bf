/** SESSION_SETUP (MS-SMB2 2.2.5, 2.2.6): carries the SPNEGO tokens of both sides. */
import { data, fixed, lengthOf, offsetOf, struct, u16, u32, u64, u8, withDefault } from '@holdfast/wire'
import type { Infer } from '@holdfast/wire'
import { body } from './header.ts'

/** SESSION_SETUP request (2.2.5). */
export const SessionSetupRequest = struct(
  'SMB2 SESSION_SETUP request',
  {
    structureSize: fixed(u16, 25),
    /** `SessionSetupFlags`. */
    flags: withDefault(u8, 0),
    /** `SecurityMode`, 8 bits here. */
    securityMode: u8,
    /** `Capability`; only DFS counts. */
    capabilities: withDefault(u32, 0),
    channel: withDefault(u32, 0),
    securityBufferOffset: offsetOf('securityBuffer', u16),
    securityBufferLength: lengthOf('securityBuffer', u16),
    /** The session this one takes the place of after a reconnect, 0n for none. */
    previousSessionId: withDefault(u64, 0n),
    /** SPNEGO token. */
    securityBuffer: data(),
  },
  body,
)
export type SessionSetupRequest = Infer<typeof SessionSetupRequest>

/** SESSION_SETUP response (2.2.6). */
export const SessionSetupResponse = struct(
  'SMB2 SESSION_SETUP response',
  {
    structureSize: fixed(u16, 9),
    /** `SessionFlags`. */
    sessionFlags: withDefault(u16, 0),
    securityBufferOffset: offsetOf('securityBuffer', u16),
    securityBufferLength: lengthOf('securityBuffer', u16),
    /** SPNEGO token. */
    securityBuffer: data(),
  },
  body,
)
export type SessionSetupResponse = Infer<typeof SessionSetupResponse>
