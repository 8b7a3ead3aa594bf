/** CLOSE (MS-SMB2 3.3.5.10) and FLUSH (3.3.5.11). */
import type { FileInfo } from '@holdfast/storage'
import { access } from '../../messages/fscc-access-mask.ts'
import { CloseRequest, CloseResponse } from '../../messages/close.ts'
import { CloseFlags } from '../../messages/constants.ts'
import { FlushResponse } from '../../messages/flush.ts'
import { headerSize } from '../../messages/header.ts'
import type { CommandHandler } from '../core/handler-api.ts'
import { settleAtClose, shownInfo } from './delayed-write-time.ts'
import { fileOpen, isPromise, needAccess } from './opened.ts'
import { PipeOpen } from './pipe-open.ts'
import { wireAttributes } from '../../messages/fscc-directory.ts'

const nothing: Pick<FileInfo, 'createdAt' | 'accessedAt' | 'writtenAt' | 'changedAt' | 'allocationBytes' | 'sizeBytes'> = {
  createdAt: 0n,
  accessedAt: 0n,
  writtenAt: 0n,
  changedAt: 0n,
  allocationBytes: 0,
  sizeBytes: 0,
}

export const close: CommandHandler = async request => {
  const { open } = request
  if (open instanceof PipeOpen) {
    request.session.opens.remove(open)
    open.onGone()
    return replyClosed(request, undefined)
  }
  const file = fileOpen(request)
  if (file.delayed !== undefined) await settleAtClose(file)
  const { flags } = CloseRequest.decode(request.message, headerSize)
  let info: FileInfo | undefined
  if ((flags & CloseFlags.postqueryAttrib) !== 0) {
    const found = shownInfo(file)
    info = isPromise(found) ? await found : found
  }
  request.session.opens.remove(file)
  await file.close()
  return replyClosed(request, info)
}

function replyClosed(request: Parameters<CommandHandler>[0], info: FileInfo | undefined): ReturnType<typeof request.reply> {
  const body = request.reserve(CloseResponse.fixedSize)
  const shown = info ?? nothing
  CloseResponse.encode(
    {
      flags: info === undefined ? 0 : CloseFlags.postqueryAttrib,
      creationTime: shown.createdAt,
      lastAccessTime: shown.accessedAt,
      lastWriteTime: shown.writtenAt,
      changeTime: shown.changedAt,
      allocationSize: shown.allocationBytes,
      endOfFile: shown.sizeBytes,
      fileAttributes: info === undefined ? 0 : wireAttributes(info),
    },
    body,
  )
  return request.reply(CloseResponse.fixedSize)
}

export const flush: CommandHandler = async request => {
  if (!(request.open instanceof PipeOpen)) {
    const file = fileOpen(request)
    needAccess(file, file.isFolder ? access.addFile | access.addSubdirectory : access.writeData | access.appendData)
    await file.handle.flush()
    file.delayed?.settle()
  }
  const body = request.reserve(FlushResponse.fixedSize)
  FlushResponse.encode({}, body)
  return request.reply(FlushResponse.fixedSize)
}
