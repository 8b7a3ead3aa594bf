/** FSCTL_LMR_REQUEST_RESILIENCY (MS-SMB2 2.2.31.3, 3.3.5.15.9). */
import { CreateAction, Dialect } from '../../../messages/constants.ts'
import { NetworkResiliencyRequest } from '../../../messages/fsctl-network.ts'
import { NtStatus } from '../../../messages/nt-status.ts'
import { StatusError } from '../../core/handler-api.ts'
import { must } from '../opened.ts'
import type { Seat } from '../../opens/index.ts'
import type { OpenFace } from '../reconnect.ts'
import { needInput, noOutput } from './answer.ts'
import type { FileIoctl } from './answer.ts'

/** For who leaves it to the server. */
const defaultTimeoutMs = 120_000
/** MaxResiliencyTimeout (3.3.1.5). */
const maxTimeoutMs = 300_000

export const requestResiliency: FileIoctl = async (request, open, asked) => {
  if (request.connection.dialect < Dialect.smb210) throw new StatusError(NtStatus.INVALID_DEVICE_REQUEST)
  const { timeoutMs } = NetworkResiliencyRequest.decode(needInput(asked, NetworkResiliencyRequest.fixedSize))
  if (timeoutMs > maxTimeoutMs) throw new StatusError(NtStatus.INVALID_PARAMETER)
  const face: OpenFace = { createOptions: open.createOptions, action: CreateAction.opened }
  const owner = request.session.user.sid
  const seat: Seat = { session: request.session.id, treeId: request.tree.id, volatileId: open.volatileId }
  const kept = { timeoutMs: timeoutMs === 0 ? defaultTimeoutMs : timeoutMs, owner, face, seat }
  must(await open.files.opens.makeResilient(open.grant, kept))
  open.outlives()
  return noOutput
}
