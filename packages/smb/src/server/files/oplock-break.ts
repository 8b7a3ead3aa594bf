/** OPLOCK_BREAK: acknowledgements in (MS-SMB2 3.3.5.22), notifications out (3.3.4.6, 3.3.4.7). */
import { headerSize } from '../../messages/header.ts'
import {
  LeaseBreakAcknowledgment,
  LeaseBreakNotification,
  LeaseBreakResponse,
  OplockBreakAcknowledgment,
  OplockBreakNotification,
  OplockBreakResponse,
  leaseBreakAckRequired,
} from '../../messages/oplock-break.ts'
import { OplockLevel } from '../../messages/constants.ts'
import { NtStatus } from '../../messages/nt-status.ts'
import type { CommandHandler, Outcome, RequestContext } from '../core/handler-api.ts'
import type { LeaseBreak, OpenTableEvents, OplockBreak as OplockBreakNotice } from '../opens/index.ts'
import type { FileOpen } from './file-open.ts'
import { fileOpen, must } from './opened.ts'
import { filesOf } from './share-files.ts'
import type { ShareFiles } from './share-files.ts'

const leaseForm = 36

export const oplockBreak: CommandHandler = request =>
  request.message.readUInt16LE(headerSize) === leaseForm ? acknowledgeLease(request) : acknowledgeOplock(request)

async function acknowledgeOplock(request: RequestContext): Promise<Outcome> {
  const open = fileOpen(request)
  const { oplockLevel, fileId } = OplockBreakAcknowledgment.decode(request.message, headerSize)
  if (oplockLevel === OplockLevel.lease) return request.fail(NtStatus.INVALID_PARAMETER)
  const answer = await open.files.opens.acknowledgeOplockBreak(open.grant, oplockLevel)
  must(answer)
  const body = request.reserve(OplockBreakResponse.fixedSize)
  OplockBreakResponse.encode({ oplockLevel: answer.oplockLevel, fileId }, body)
  return request.reply(OplockBreakResponse.fixedSize)
}

async function acknowledgeLease(request: RequestContext): Promise<Outcome> {
  const { leaseKey, leaseState } = LeaseBreakAcknowledgment.decode(request.message, headerSize)
  const { opens } = filesOf(request.tree)
  const answer = await opens.acknowledgeLeaseBreak({ clientGuid: request.connection.clientGuid, leaseKey, state: leaseState })
  must(answer)
  const body = request.reserve(LeaseBreakResponse.fixedSize)
  LeaseBreakResponse.encode({ leaseKey, leaseState: answer.state }, body)
  return request.reply(LeaseBreakResponse.fixedSize)
}

/** What the open table tells this worker, sent on to the clients. */
export function breakEvents(files: () => ShareFiles): OpenTableEvents {
  return {
    onOplockBreak: notice => sendOplockBreak(files(), notice),
    onLeaseBreak: notice => sendLeaseBreak(files(), notice),
    onLetGo: openId => files().byId.get(openId)?.letGo(),
  }
}

/** An acknowledgement is waited for. */
const isBreaking = (open: FileOpen): boolean => open.files.opens.cachingOf(open.grant)?.breakingTo !== undefined

function sendOplockBreak(files: ShareFiles, notice: OplockBreakNotice): void {
  const open = files.byId.get(notice.openId)
  if (open === undefined) return
  const fileId = { persistent: open.persistentId, volatile: open.volatileId }
  const body = OplockBreakNotification.toBytes({ oplockLevel: notice.newLevel, fileId })
  const sent = open.tree.session.sendBreak(body, () => isBreaking(open))
  // Nobody is there to acknowledge (3.3.4.6).
  if (!sent && notice.acknowledgementRequired) void files.opens.acknowledgeOplockBreak(open.grant, OplockLevel.none)
}

function sendLeaseBreak(files: ShareFiles, notice: LeaseBreak): void {
  const body = LeaseBreakNotification.toBytes({
    newEpoch: notice.epoch,
    flags: notice.acknowledgementRequired ? leaseBreakAckRequired : 0,
    leaseKey: notice.leaseKey,
    currentLeaseState: notice.currentState,
    newLeaseState: notice.newState,
  })
  for (const id of notice.openIds) {
    const open = files.byId.get(id)
    if (open?.tree.session.sendLeaseBreak(body, () => isBreaking(open)) === true) return
  }
  if (notice.acknowledgementRequired) {
    void files.opens.acknowledgeLeaseBreak({ clientGuid: notice.clientGuid, leaseKey: notice.leaseKey, state: notice.newState })
  }
}
