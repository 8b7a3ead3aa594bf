/** A client comes back to an open that has outlived its connection (MS-SMB2 3.3.5.9.7, 3.3.5.9.12). */
import { FsError } from '@holdfast/storage'
import type { FileHandle } from '@holdfast/storage'
import { CreateAction } from '../../messages/constants.ts'
import { access } from '../../messages/fscc-access-mask.ts'
import { NtStatus } from '../../messages/nt-status.ts'
import { StatusError } from '../core/handler-api.ts'
import type { Outcome, RequestContext, TreeContext } from '../core/handler-api.ts'
import type { OpenRecord, Reconnected, Seat } from '../opens/index.ts'
import type { Created } from './create.ts'
import type { CreatePlan } from './create-request.ts'
import { replyCreated } from './create-reply.ts'
import { closeWithoutFile, FileOpen } from './file-open.ts'
import { statusOf } from './opened.ts'
import type { ShareFiles } from './share-files.ts'

/** What a worker needs of a durable open beyond its record; plain data. */
export interface OpenFace {
  readonly createOptions: number
  /** CreateAction of its CREATE, for a replay of that. */
  readonly action: number
}

/** With a place in the session for the open, of which the open table can tell a successor of this worker. */
export async function withSeat<T>(request: RequestContext, action: (seat: Seat) => Promise<T>): Promise<T> {
  const { session, tree } = request
  const volatileId = session.opens.reserve()
  try {
    return await action({ session: session.id, treeId: tree.id, volatileId })
  } finally {
    session.opens.giveBack(volatileId)
  }
}

export async function reconnect(request: RequestContext, files: ShareFiles, plan: CreatePlan): Promise<Outcome> {
  const result = await files.opens.reconnect({
    ...plan.contexts.reconnect!,
    clientGuid: request.connection.clientGuid,
    leaseKey: plan.contexts.lease?.key,
    owner: request.session.user.sid,
    path: plan.path,
    ...(plan.seat && { seat: plan.seat }),
  })
  if (result.status !== 'SUCCESS') throw new StatusError(statusOf(result.status))
  return replyCreated(request, plan, await takeUp(request, files, plan, result))
}

/** The replay of a CREATE whose answer was lost together with its connection; undefined where there is none that waits for its client. */
export async function reconnectByReplay(request: RequestContext, files: ShareFiles, plan: CreatePlan): Promise<Created | undefined> {
  const { version, persistent, createGuid } = plan.durable!
  const { clientGuid } = request.connection
  const { sid: owner } = request.session.user
  const asked = { version, persistent, createGuid, clientGuid, leaseKey: plan.lease?.key, owner, path: plan.path }
  const ask = { ...asked, openId: undefined, ...(plan.seat && { seat: plan.seat }) }
  const result = await files.opens.reconnect(ask)
  if (result.status === 'OBJECT_NAME_NOT_FOUND') return undefined
  if (result.status !== 'SUCCESS') throw new StatusError(statusOf(result.status))
  const created = await takeUp(request, files, plan, result)
  return { ...created, action: (result.record.durable!.face as OpenFace).action }
}

async function takeUp(request: RequestContext, files: ShareFiles, plan: CreatePlan, found: Reconnected): Promise<Created> {
  const open = await goOnWith(request.tree, files, found)
  if (open === undefined) throw new StatusError(NtStatus.OBJECT_NAME_NOT_FOUND)
  try {
    const { opens } = request.session
    const { seat } = found.record.durable!
    if (seat !== undefined && opens.isFree(seat.volatileId)) opens.restore(open, seat.volatileId)
    else opens.add(open, plan.seat?.volatileId)
  } catch (error) {
    await open.onGone(request.tree.hasEnded ? 'ended' : 'connection-lost')
    throw error
  }
  request.setOpen(open)
  return { open, action: CreateAction.opened, info: await open.handle.info(), maximal: open.access }
}

/** The open as this worker goes on with it; undefined where its file has gone behind our back. */
export async function goOnWith(tree: TreeContext, files: ShareFiles, { record, ...grant }: Reconnected): Promise<FileOpen | undefined> {
  const kept = files.byId.get(grant.openId)
  const handle = kept?.takeHandle() ?? (await reopen(files, record))
  if (handle === undefined) {
    await closeWithoutFile(files, grant)
    return undefined
  }
  const { createOptions } = record.durable!.face as OpenFace
  const { stream, isFolder } = record
  const open = new FileOpen({ tree, files, handle, grant, stream, isFolder, access: record.access, createOptions })
  if (kept !== undefined) open.resume(kept)
  // Nobody has noted whether its key was asked for, and a copy may be under way with it (3.3.5.15.5).
  open.hasResumeKey = true
  return open
}

/** The file of an open that another worker, or another process, has served; undefined where it is not there any more. */
async function reopen(files: ShareFiles, record: OpenRecord): Promise<FileHandle | undefined> {
  const handle = await reopenAt(files, record, record.path)
  if (handle !== undefined || record.otherPath === undefined) return handle
  const renamed = await reopenAt(files, record, record.otherPath)
  // Its rename was done, and nobody lived to say so.
  if (renamed !== undefined) await files.opens.commitRename(record, { path: record.otherPath })
  return renamed
}

async function reopenAt(files: ShareFiles, record: OpenRecord, path: string): Promise<FileHandle | undefined> {
  const write = (record.access & (access.writeData | access.appendData)) !== 0
  try {
    const handle = await files.fileSystem.open(path, record.stream, {
      read: true,
      write,
      noFollow: true,
      writeThrough: files.options.writeThrough,
    })
    if (handle.id === record.fileId) return handle
    await handle.close()
    return undefined
  } catch (error) {
    if (error instanceof FsError) return undefined
    throw error
  }
}
