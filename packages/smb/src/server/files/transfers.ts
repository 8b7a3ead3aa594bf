/** What READ and WRITE share, on files and on pipes: the fixed parts of their responses, and which ranges there are. */
import { headerSize } from '../../messages/header.ts'
import { NtStatus } from '../../messages/nt-status.ts'
import { StatusError } from '../core/handler-api.ts'
import type { Outcome, RequestContext } from '../core/handler-api.ts'

/** Bytes of a READ response's body before the data. */
export const readFixedBytes = 16
const writeBodyBytes = 16
/** Offsets above are beyond what any file has (MS-FSA 2.1.5.2: sign bit). */
export const maxOffset = 0x7fff_ffff_ffff_ffffn

/** The fixed part of a READ response (2.2.20); the data stands behind it already. */
export function writeReadBody(body: Buffer, lengthBytes: number): void {
  body.writeUInt16LE(17, 0)
  body[2] = headerSize + readFixedBytes
  body[3] = 0
  body.writeUInt32LE(lengthBytes, 4)
  body.writeUInt32LE(0, 8)
  body.writeUInt32LE(0, 12)
  if (lengthBytes === 0 && body.length > readFixedBytes) body[readFixedBytes] = 0
}

/** WRITE response (2.2.22). */
export function replyWritten(request: RequestContext, count: number): Outcome {
  const body = request.reserve(writeBodyBytes)
  body.writeUInt16LE(17, 0)
  body.writeUInt16LE(0, 2)
  body.writeUInt32LE(count, 4)
  body.writeUInt32LE(0, 8)
  body.writeUInt32LE(0, 12)
  return request.reply(writeBodyBytes)
}

/** The offset as a number. Throws INVALID_PARAMETER for an offset and length that no file can have. */
export function checkRange(offset: bigint, lengthBytes: number): number {
  if (offset > maxOffset || offset + BigInt(lengthBytes) > maxOffset) throw new StatusError(NtStatus.INVALID_PARAMETER)
  return Number(offset)
}
