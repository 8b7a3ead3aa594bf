/** From a response to the value that somebody waits for. */
import { headerSize, NtStatus } from '../messages/index.ts'
import type { Pending } from './batches.ts'
import { SmbError } from './errors.ts'
import type { Incoming } from './incoming.ts'
import { operations } from './requests.ts'
import type { AnyRecord } from './requests.ts'

/** Gives a response to whoever waits for it. What is malformed rejects the request, and is thrown as well. */
export function answer(pending: Pending, incoming: Incoming): void {
  const { record, abandoned } = pending
  const { status } = incoming
  pending.isDone = true
  record.message?.release()
  record.observe?.received(incoming.message, status)
  let value: unknown
  if (status === NtStatus.SUCCESS || record.operation.partial.includes(status)) {
    if (abandoned && record.abandoned === undefined) return
    try {
      value = decode(record, incoming)
    } catch (error) {
      pending.reject(new SmbError('MALFORMED', `the answer to ${record.operation.name} is malformed`, { path: record.path, cause: error }))
      throw error
    }
  }
  if (!abandoned) pending.resolve({ status, value })
  else if (value !== undefined) record.abandoned?.(value)
}

function decode({ operation, receive }: AnyRecord, incoming: Incoming): unknown {
  // An error with a body of its own form is told by its size (2.2.2); those commands that have 9 too send no such status.
  const isError = incoming.status !== NtStatus.SUCCESS && incoming.structureSize === 9 && operation === operations.ioctl
  if (isError) return undefined
  if (receive !== undefined) return receive(incoming)
  return operation.response.decode(incoming.own(), headerSize)
}
