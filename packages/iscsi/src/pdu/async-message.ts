/** Asynchronous Message (RFC 7143 11.9). */
import { fixed, reserved, struct, u16be, u32be, u64be, u8, withDefault } from '@holdfast/wire'
import type { Infer } from '@holdfast/wire'
import { finalBit, lengths, Opcode, reservedTag } from './header.ts'

/**
 * Events (11.9.1). Parameter 2 is Time2Wait and parameter 3 Time2Retain, in seconds, of both drops, parameter 3 the time within which to log out
 * or to negotiate; parameter 1 is the connection of a drop.
 */
export const AsyncEvent = {
  scsi: 0,
  logoutRequested: 1,
  connectionDrop: 2,
  sessionDrop: 3,
  negotiationRequested: 4,
  tasksTerminated: 5,
  vendor: 255,
} as const
/** One of `AsyncEvent`. */
export type AsyncEvent = (typeof AsyncEvent)[keyof typeof AsyncEvent]

/** Basic header of an Asynchronous Message. With `AsyncEvent.scsi` the data segment is `SenseData`. */
export const AsyncMessage = struct('iSCSI Asynchronous Message', {
  opcode: fixed(u8, Opcode.asyncMessage, { tolerate: true }),
  flags: withDefault(u8, finalBit),
  reserved: reserved(u16be),
  ...lengths,
  lun: withDefault(u64be, 0n),
  initiatorTaskTag: withDefault(u32be, reservedTag),
  reserved2: reserved(u32be),
  statSn: u32be,
  expCmdSn: u32be,
  maxCmdSn: u32be,
  /** `AsyncEvent` */
  event: u8,
  vendorCode: withDefault(u8, 0),
  parameter1: withDefault(u16be, 0),
  parameter2: withDefault(u16be, 0),
  parameter3: withDefault(u16be, 0),
  reserved3: reserved(u32be),
})
export type AsyncMessage = Infer<typeof AsyncMessage>
