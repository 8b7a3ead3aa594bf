/** The IOCTL response (MS-SMB2 2.2.32). */
import { IoctlResponse } from '../../../messages/ioctl.ts'
import type { IoctlRequest } from '../../../messages/ioctl.ts'
import { NtStatus } from '../../../messages/nt-status.ts'
import { StatusError } from '../../core/handler-api.ts'
import type { Outcome, RequestContext } from '../../core/handler-api.ts'
import type { FileOpen } from '../file-open.ts'
import type { PipeOpen } from '../pipe-open.ts'

/** What a control code gives back. */
export interface IoctlAnswer {
  readonly output: Uint8Array
  /** SUCCESS, or a status that comes with output. */
  readonly status?: number
}

type Later<T> = T | Promise<T>
export type FileIoctl = (request: RequestContext, open: FileOpen, asked: IoctlRequest) => Later<IoctlAnswer>
export type PipeIoctl = (open: PipeOpen, asked: IoctlRequest, request: RequestContext) => Later<IoctlAnswer>
export type OpenlessIoctl = (request: RequestContext, asked: IoctlRequest) => Later<IoctlAnswer>

export const noOutput: IoctlAnswer = { output: Buffer.alloc(0) }

const fixedBytes = 48

export function sendAnswer(request: RequestContext, asked: IoctlRequest, answer: IoctlAnswer): Outcome {
  const { output } = answer
  if (output.length > asked.maxOutputResponse) throw new StatusError(NtStatus.BUFFER_TOO_SMALL)
  const body = request.reserve(fixedBytes + output.length + 8)
  const end = IoctlResponse.encode({ ctlCode: asked.ctlCode, fileId: asked.fileId, output }, body)
  return request.reply(end, answer.status ?? NtStatus.SUCCESS)
}

/** A control code that isn't known (3.3.5.15). */
export function failIoctl(request: RequestContext): Outcome {
  return request.fail(NtStatus.INVALID_DEVICE_REQUEST)
}

/** Refuses input that is shorter than the structure it should be. */
export function needInput(asked: IoctlRequest, lengthBytes: number): Buffer {
  if (asked.input.length < lengthBytes) throw new StatusError(NtStatus.INVALID_PARAMETER)
  return asked.input
}

/** Refuses an output buffer that has no room for the answer, as INVALID_PARAMETER. */
export function needOutput(asked: IoctlRequest, lengthBytes: number, status: number = NtStatus.INVALID_PARAMETER): void {
  if (asked.maxOutputResponse < lengthBytes) throw new StatusError(status)
}

const maxOffset = 0x7fff_ffff_ffff_ffffn

/** An offset or length as a number; what no file can have is INVALID_PARAMETER. */
export function safe(value: bigint): number {
  if (value > maxOffset) throw new StatusError(NtStatus.INVALID_PARAMETER)
  return Number(value)
}
