/** All PDUs by opcode. */
import type { Struct } from '@holdfast/wire'
import { AsyncMessage } from './async-message.ts'
import { DataIn } from './data-in.ts'
import { DataOut } from './data-out.ts'
import { Opcode } from './header.ts'
import { LoginRequest, LoginResponse } from './login.ts'
import { LogoutRequest, LogoutResponse } from './logout.ts'
import { NopIn } from './nop-in.ts'
import { NopOut } from './nop-out.ts'
import { ReadyToTransfer } from './ready-to-transfer.ts'
import { Reject } from './reject.ts'
import { ScsiCommand } from './scsi-command.ts'
import { ScsiResponse } from './scsi-response.ts'
import { SnackRequest } from './snack.ts'
import { TaskManagementRequest, TaskManagementResponse } from './task-management.ts'
import { TextRequest, TextResponse } from './text-exchange.ts'

/** The layout of the basic header for each opcode. */
export const layouts = Object.freeze({
  [Opcode.nopOut]: NopOut,
  [Opcode.scsiCommand]: ScsiCommand,
  [Opcode.taskManagementRequest]: TaskManagementRequest,
  [Opcode.loginRequest]: LoginRequest,
  [Opcode.textRequest]: TextRequest,
  [Opcode.dataOut]: DataOut,
  [Opcode.logoutRequest]: LogoutRequest,
  [Opcode.snackRequest]: SnackRequest,
  [Opcode.nopIn]: NopIn,
  [Opcode.scsiResponse]: ScsiResponse,
  [Opcode.taskManagementResponse]: TaskManagementResponse,
  [Opcode.loginResponse]: LoginResponse,
  [Opcode.textResponse]: TextResponse,
  [Opcode.dataIn]: DataIn,
  [Opcode.logoutResponse]: LogoutResponse,
  [Opcode.readyToTransfer]: ReadyToTransfer,
  [Opcode.asyncMessage]: AsyncMessage,
  [Opcode.reject]: Reject,
})

/** The layout for an opcode (without the immediate bit) of a peer; undefined for one that there is not. */
export const layoutOf = (opcode: number): Struct<unknown, never> | undefined =>
  (layouts as unknown as Readonly<Record<number, Struct<unknown, never> | undefined>>)[opcode]
