/** CHANGE_NOTIFY (MS-SMB2 3.3.5.19). */
import { access } from '../../messages/fscc-access-mask.ts'
import { ChangeNotifyRequest } from '../../messages/change-notify.ts'
import { ChangeNotifyFlags } from '../../messages/constants.ts'
import { encodeNotifyList } from '../../messages/fscc-notify.ts'
import { headerSize } from '../../messages/header.ts'
import { NtStatus } from '../../messages/nt-status.ts'
import type { CommandHandler } from '../core/handler-api.ts'
import type { NotifyResult } from '../opens/index.ts'
import { fileOpen, needAccess, settled } from './opened.ts'

const fixedBytes = 8

export const changeNotify: CommandHandler = async request => {
  const open = fileOpen(request)
  const asked = ChangeNotifyRequest.decode(request.message, headerSize)
  if (asked.outputBufferLength > request.connection.maxTransactSize) return request.fail(NtStatus.INVALID_PARAMETER)
  if (!open.isFolder) return request.fail(NtStatus.INVALID_PARAMETER)
  needAccess(open, access.listDirectory)
  const answer = open.files.opens.notify.next({
    openId: open.persistentId,
    recursive: (asked.flags & ChangeNotifyFlags.watchTree) !== 0,
    filter: asked.completionFilter,
    maxBytes: asked.outputBufferLength,
  })
  let result: NotifyResult
  if ('status' in answer) result = answer
  else {
    request.releaseBytes()
    // The end of tree or session is the end of the open: NOTIFY_CLEANUP (MS-SMB2 3.3.4.18).
    result = await settled(request, answer, { endsWithOpen: true })
  }
  if (result.status !== 'SUCCESS' && result.status !== 'NOTIFY_ENUM_DIR' && result.status !== 'NOTIFY_CLEANUP') {
    return request.fail(NtStatus[result.status])
  }
  const body = request.reserve(fixedBytes + asked.outputBufferLength)
  const end = result.status === 'SUCCESS' ? encodeNotifyList(result.entries, body, fixedBytes, body.length) : fixedBytes
  body.writeUInt16LE(9, 0)
  body.writeUInt16LE(end === fixedBytes || end === undefined ? 0 : headerSize + fixedBytes, 2)
  body.writeUInt32LE((end ?? fixedBytes) - fixedBytes, 4)
  return request.reply(end ?? fixedBytes, end === undefined ? NtStatus.NOTIFY_ENUM_DIR : NtStatus[result.status])
}
