/** Named pipes' control codes (MS-SMB2 3.3.5.15.10, MS-FSCC 2.3.45 – 2.3.50). */
import { NamedPipeState, PipePeekReply, PipeWaitRequest } from '../../../messages/fsctl-network.ts'
import { NtStatus } from '../../../messages/nt-status.ts'
import { StatusError } from '../../core/handler-api.ts'
import { transceivePipe } from '../pipe-io.ts'
import { PipeServices } from '../pipe-services.ts'
import { needInput, needOutput, noOutput } from './answer.ts'
import type { OpenlessIoctl, PipeIoctl } from './answer.ts'

export const transceive: PipeIoctl = async (open, asked) => {
  const got = await transceivePipe(open, asked.input, asked.maxOutputResponse)
  if (got === 'broken') throw new StatusError(NtStatus.PIPE_DISCONNECTED)
  if (got === undefined) throw new StatusError(NtStatus.PIPE_EMPTY)
  return { output: got.bytes, status: got.more ? NtStatus.BUFFER_OVERFLOW : NtStatus.SUCCESS }
}

export const peekPipe: PipeIoctl = (open, asked) => {
  needOutput(asked, PipePeekReply.fixedSize)
  const { totalBytes, messageBytes, messages } = open.pipe.available
  const reply = { namedPipeState: NamedPipeState.connected, readDataAvailable: totalBytes, numberOfMessages: messages, messageLength: messageBytes }
  return { output: PipePeekReply.toBytes({ ...reply, data: Buffer.alloc(0) }) }
}

/** Pipes are always there, or never. */
export const waitForPipe: OpenlessIoctl = (request, asked) => {
  const { extension } = request.tree.share
  const { name } = PipeWaitRequest.decode(needInput(asked, PipeWaitRequest.fixedSize))
  if (!(extension instanceof PipeServices)) throw new StatusError(NtStatus.INVALID_DEVICE_REQUEST)
  if (!extension.services.has(name.toLowerCase())) throw new StatusError(NtStatus.OBJECT_NAME_NOT_FOUND)
  return noOutput
}
