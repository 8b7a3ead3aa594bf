/** READ, WRITE and FSCTL_PIPE_TRANSCEIVE on a named pipe (MS-SMB2 3.3.5.12, 3.3.5.13, 3.3.5.15.10). */
import type { PipeRead } from '@holdfast/rpc'
import { headerSize } from '../../messages/header.ts'
import { NtStatus } from '../../messages/nt-status.ts'
import { ReadRequest } from '../../messages/read.ts'
import { MalformedError } from '@holdfast/wire'
import type { Outcome, RequestContext } from '../core/handler-api.ts'
import { must, settled } from './opened.ts'
import type { PipeOpen } from './pipe-open.ts'
import { readFixedBytes, replyWritten, writeReadBody } from './transfers.ts'

export async function readPipe(request: RequestContext, open: PipeOpen): Promise<Outcome> {
  const { length } = ReadRequest.decode(request.message, headerSize)
  if (length > request.connection.maxReadSize) return request.fail(NtStatus.INVALID_PARAMETER)
  let got = await whenWhole(() => open.pipe.read(length))
  // The answer may be asked for before the call.
  while (got === undefined) {
    must(await settled(request, open.nextAnswer()))
    got = await whenWhole(() => open.pipe.read(length))
  }
  if (got === 'broken') return request.fail(NtStatus.PIPE_DISCONNECTED)
  const body = request.reserve(readFixedBytes + Math.max(got.bytes.length, 1))
  got.bytes.copy(body, readFixedBytes)
  writeReadBody(body, got.bytes.length)
  return request.reply(readFixedBytes + Math.max(got.bytes.length, 1), got.more ? NtStatus.BUFFER_OVERFLOW : NtStatus.SUCCESS)
}

export async function writePipe(request: RequestContext, open: PipeOpen, data: Buffer): Promise<Outcome> {
  const done = await whenWhole(() => open.pipe.write(data))
  open.answered()
  return done === 'broken' ? request.fail(NtStatus.PIPE_DISCONNECTED) : replyWritten(request, data.length)
}

/** What the pipe says to a call and its answer. */
export async function transceivePipe(open: PipeOpen, input: Buffer, maxLengthBytes: number): Promise<PipeRead | 'broken' | undefined> {
  const got = await whenWhole(() => open.pipe.transceive(input, maxLengthBytes))
  // Of a long answer there is more to read.
  open.answered()
  return got
}

/** What a client sends that is no DCE/RPC breaks its pipe, not its connection. */
async function whenWhole<T>(action: () => T | Promise<T>): Promise<T | 'broken'> {
  try {
    return await action()
  } catch (error) {
    if (error instanceof MalformedError) return 'broken'
    throw error
  }
}
