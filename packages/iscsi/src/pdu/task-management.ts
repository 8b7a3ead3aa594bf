/** Task Management Function Request and Response (RFC 7143 11.5, 11.6; RFC 7144 6 for the functions from 9 on). */
import { bytes, fixed, reserved, struct, u16be, u32be, u64be, u8, withDefault } from '@holdfast/wire'
import type { Infer } from '@holdfast/wire'
import { finalBit, lengths, Opcode, reservedTag } from './header.ts'

/** Functions (11.5.1). */
export const TaskManagementFunction = {
  abortTask: 1,
  abortTaskSet: 2,
  clearAca: 3,
  clearTaskSet: 4,
  logicalUnitReset: 5,
  targetWarmReset: 6,
  targetColdReset: 7,
  taskReassign: 8,
  queryTask: 9,
  queryTaskSet: 10,
  nexusReset: 11,
  queryAsynchronousEvent: 12,
} as const
/** One of `TaskManagementFunction`. */
export type TaskManagementFunction = (typeof TaskManagementFunction)[keyof typeof TaskManagementFunction]

/** The bits of a request's byte 1 that are the function. */
export const taskManagementFunctionMask = 0x7f

/** Basic header of a Task Management Function Request; no data segment. */
export const TaskManagementRequest = struct('iSCSI Task Management Function Request', {
  opcode: withDefault(u8, Opcode.taskManagementRequest),
  /** `finalBit` and one of `TaskManagementFunction`. */
  flags: u8,
  reserved: reserved(u16be),
  ...lengths,
  lun: withDefault(u64be, 0n),
  initiatorTaskTag: u32be,
  /** ABORT TASK and TASK REASSIGN: the task it is about. */
  referencedTaskTag: withDefault(u32be, reservedTag),
  cmdSn: u32be,
  expStatSn: u32be,
  /** ABORT TASK: CmdSN of the task it is about. */
  refCmdSn: withDefault(u32be, 0),
  /** TASK REASSIGN of a read: the next Data-In that is wanted. */
  expDataSn: withDefault(u32be, 0),
  reserved2: reserved(u64be),
})
export type TaskManagementRequest = Infer<typeof TaskManagementRequest>

/** Responses (11.6.1; RFC 7144 6.2 for `succeeded`). */
export const TaskManagementResponseCode = {
  complete: 0,
  taskDoesNotExist: 1,
  lunDoesNotExist: 2,
  taskStillAllegiant: 3,
  reassignmentNotSupported: 4,
  functionNotSupported: 5,
  authorizationFailed: 6,
  succeeded: 7,
  rejected: 255,
} as const

/** Basic header of a Task Management Function Response; no data segment. */
export const TaskManagementResponse = struct('iSCSI Task Management Function Response', {
  opcode: fixed(u8, Opcode.taskManagementResponse, { tolerate: true }),
  flags: withDefault(u8, finalBit),
  /** `TaskManagementResponseCode` */
  response: u8,
  reserved: reserved(u8),
  ...lengths,
  reserved2: reserved(u64be),
  initiatorTaskTag: u32be,
  reserved3: reserved(u32be),
  statSn: u32be,
  expCmdSn: u32be,
  maxCmdSn: u32be,
  reserved4: reserved(bytes(12)),
})
export type TaskManagementResponse = Infer<typeof TaskManagementResponse>
