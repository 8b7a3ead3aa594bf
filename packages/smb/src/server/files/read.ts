/** READ (MS-SMB2 3.3.5.12): straight from the filesystem into the response. */
import { access } from '../../messages/fscc-access-mask.ts'
import { Channel } from '../../messages/constants.ts'
import { headerSize } from '../../messages/header.ts'
import { NtStatus } from '../../messages/nt-status.ts'
import { ReadRequest } from '../../messages/read.ts'
import type { CommandHandler, Outcome, RequestContext } from '../core/handler-api.ts'
import type { FileOpen } from './file-open.ts'
import { fileOpen, isPromise } from './opened.ts'
import { readPipe } from './pipe-io.ts'
import { PipeOpen } from './pipe-open.ts'
import { maxOffset, readFixedBytes as fixedBytes, writeReadBody } from './transfers.ts'

export const read: CommandHandler = request => {
  if (request.open instanceof PipeOpen) return readPipe(request, request.open)
  const open = fileOpen(request)
  const asked = ReadRequest.decode(request.message, headerSize)
  if (asked.length > request.connection.maxReadSize) return request.fail(NtStatus.INVALID_PARAMETER)
  if (open.isFolder) return request.fail(NtStatus.INVALID_DEVICE_REQUEST)
  // Execute access is enough: loaders read with it (3.3.5.12).
  if (!open.may(access.readData | access.execute)) return request.fail(NtStatus.ACCESS_DENIED)
  if (asked.channel !== Channel.none && asked.channel !== undefined) return request.fail(NtStatus.INVALID_PARAMETER)
  if (asked.offset > maxOffset || asked.offset + BigInt(asked.length) > maxOffset) return request.fail(NtStatus.INVALID_PARAMETER)
  const offset = Number(asked.offset)
  const conflict = open.files.opens.ioConflict(open.grant, offset, asked.length, false)
  const what = { offset, length: asked.length, minimum: asked.minimumCount }
  if (isPromise(conflict)) return conflict.then(refused => (refused ? request.fail(NtStatus.FILE_LOCK_CONFLICT) : readData(request, open, what)))
  if (conflict) return request.fail(NtStatus.FILE_LOCK_CONFLICT)
  return readData(request, open, what)
}

interface Range {
  readonly offset: number
  readonly length: number
  readonly minimum: number
}

function readData(request: RequestContext, open: FileOpen, range: Range): Outcome | Promise<Outcome> {
  // A body has at least one byte of data (2.2.20).
  const body = request.reserve(fixedBytes + Math.max(range.length, 1))
  if (range.length > 0 && !Number.isSafeInteger(range.offset)) return request.fail(NtStatus.END_OF_FILE)
  const count = open.handle.read(body.subarray(fixedBytes, fixedBytes + range.length), range.offset)
  if (isPromise(count)) return count.then(arrived => replyRead(request, body, { ...range, arrived, open }))
  return replyRead(request, body, { ...range, arrived: count, open })
}

function replyRead(request: RequestContext, body: Buffer, result: Range & { readonly arrived: number; readonly open: FileOpen }): Outcome {
  const { arrived, minimum, length } = result
  if ((arrived === 0 && length > 0) || arrived < minimum) return request.fail(NtStatus.END_OF_FILE)
  request.transferredBytes = arrived
  result.open.position = BigInt(result.offset + arrived)
  writeReadBody(body, arrived)
  return request.reply(fixedBytes + Math.max(arrived, arrived === 0 ? 1 : 0))
}
