/** WRITE (MS-SMB2 3.3.5.13): the payload is written from where it arrived in shared memory. */
import { access } from '../../messages/fscc-access-mask.ts'
import { Channel, WriteFlags } from '../../messages/constants.ts'
import { headerSize } from '../../messages/header.ts'
import { NtStatus } from '../../messages/nt-status.ts'
import { WriteRequest } from '../../messages/write.ts'
import type { CommandHandler, Outcome, RequestContext } from '../core/handler-api.ts'
import { notifyFilters } from '../opens/index.ts'
import type { FileOpen } from './file-open.ts'
import { restoreFrozen } from './frozen-times.ts'
import { publishWrite } from './notices.ts'
import { fileOpen, isPromise, needWritable } from './opened.ts'
import { writePipe } from './pipe-io.ts'
import { PipeOpen } from './pipe-open.ts'
import { checkRange, replyWritten } from './transfers.ts'

/** Offset that means "at the end of the file" for an open with append access only (MS-FSA 2.1.5.3). */
const appendOffset = 0xffff_ffff_ffff_ffffn

export const write: CommandHandler = request => {
  const asked = WriteRequest.decode(request.message, headerSize)
  if (request.open instanceof PipeOpen) return writePipe(request, request.open, asked.data)
  const open = fileOpen(request)
  const { data } = asked
  if (data.length > request.connection.maxWriteSize) return request.fail(NtStatus.INVALID_PARAMETER)
  if (open.isFolder) return request.fail(NtStatus.INVALID_DEVICE_REQUEST)
  if (!open.may(access.writeData | access.appendData)) return request.fail(NtStatus.ACCESS_DENIED)
  if (asked.channel !== Channel.none && asked.channel !== undefined) return request.fail(NtStatus.INVALID_PARAMETER)
  needWritable(open)
  if (asked.offset === appendOffset && !open.may(access.writeData)) return appendData(request, open, data)
  const offset = checkRange(asked.offset, data.length)
  if (data.length === 0) return replyWritten(request, 0)
  const conflict = open.files.opens.ioConflict(open.grant, offset, data.length, true)
  const what = { offset, data, through: (asked.flags & WriteFlags.writeThrough) !== 0 }
  if (isPromise(conflict)) return conflict.then(refused => (refused ? request.fail(NtStatus.FILE_LOCK_CONFLICT) : writeData(request, open, what)))
  if (conflict) return request.fail(NtStatus.FILE_LOCK_CONFLICT)
  return writeData(request, open, what)
}

interface Piece {
  readonly offset: number
  readonly data: Buffer
  readonly through: boolean
}

async function appendData(request: RequestContext, open: FileOpen, data: Buffer): Promise<Outcome> {
  const { sizeBytes } = await open.handle.info()
  if (await open.files.opens.ioConflict(open.grant, sizeBytes, data.length, true)) return request.fail(NtStatus.FILE_LOCK_CONFLICT)
  return writeData(request, open, { offset: sizeBytes, data, through: false })
}

function writeData(request: RequestContext, open: FileOpen, piece: Piece): Outcome | Promise<Outcome> {
  open.files.opens.contend(open.grant, 'write')
  const noted = open.delayed?.beforeWrite(() => open.handle.info())
  return isPromise(noted) ? noted.then(() => putData(request, open, piece)) : putData(request, open, piece)
}

function putData(request: RequestContext, open: FileOpen, piece: Piece): Outcome | Promise<Outcome> {
  const done = open.handle.write(piece.data, piece.offset)
  if (!isPromise(done) && !piece.through && open.frozen === undefined) return written(request, open, piece)
  return finishSlowly(request, open, piece, done)
}

async function finishSlowly(request: RequestContext, open: FileOpen, piece: Piece, done: void | Promise<void>): Promise<Outcome> {
  await done
  if (piece.through) await open.handle.flush()
  await restoreFrozen(open)
  return written(request, open, piece)
}

function written(request: RequestContext, open: FileOpen, piece: Piece): Outcome {
  request.transferredBytes = piece.data.length
  open.position = BigInt(piece.offset + piece.data.length)
  publishWrite(open, notifyFilters.size | notifyFilters.lastWrite)
  return replyWritten(request, piece.data.length)
}
