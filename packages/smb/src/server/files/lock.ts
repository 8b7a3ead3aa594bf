/** LOCK (MS-SMB2 3.3.5.14). */
import { Dialect } from '../../messages/constants.ts'
import { LockResponse } from '../../messages/lock.ts'
import { NtStatus } from '../../messages/nt-status.ts'
import { headerSize } from '../../messages/header.ts'
import { StatusError } from '../core/handler-api.ts'
import type { CommandHandler, RequestContext } from '../core/handler-api.ts'
import type { LockElement, LockSequence } from '../opens/index.ts'
import type { FileOpen } from './file-open.ts'
import { fileOpen, must, settled } from './opened.ts'

/** Elements of one request; each holds memory at the owner. */
const maxElements = 1024
const elementBytes = 24
const fixedBytes = 24

function readElements(message: Buffer): LockElement[] {
  const count = message.readUInt16LE(headerSize + 2)
  if (count === 0) throw new StatusError(NtStatus.INVALID_PARAMETER)
  if (count > maxElements || message.length < headerSize + fixedBytes + count * elementBytes) throw new StatusError(NtStatus.INVALID_PARAMETER)
  const elements: LockElement[] = []
  for (let i = 0, at = headerSize + fixedBytes; i < count; i++, at += elementBytes) {
    elements.push({ offset: message.readBigUInt64LE(at), length: message.readBigUInt64LE(at + 8), flags: message.readUInt32LE(at + 16) })
  }
  return elements
}

/** LockSequenceNumber in the low 4 bits, LockSequenceIndex above (2.2.26). Before 3.x only opens that outlive their connection have them. */
function sequenceOf(request: RequestContext, open: FileOpen): LockSequence | undefined {
  const { dialect } = request.connection
  if (dialect === Dialect.smb202 || (dialect === Dialect.smb210 && open.grant.durable !== true)) return undefined
  const both = request.message.readUInt32LE(headerSize + 4)
  return { number: both & 0xf, index: both >>> 4 }
}

export const lock: CommandHandler = async request => {
  const open = fileOpen(request)
  if (open.isFolder) return request.fail(NtStatus.INVALID_DEVICE_REQUEST)
  const elements = readElements(request.message)
  const answer = open.files.opens.lock(open.grant, elements, sequenceOf(request, open))
  // When tree or session end, the end of the opens answers: granted by that of another, or RANGE_NOT_LOCKED (MS-SMB2 3.3.4.18).
  must('status' in answer ? answer : await settled(request, answer, { endsWithOpen: true }))
  const body = request.reserve(LockResponse.fixedSize)
  LockResponse.encode({}, body)
  return request.reply(LockResponse.fixedSize)
}
