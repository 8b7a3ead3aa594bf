/** A CREATE's place among the other opens of its file (MS-FSA 2.1.5.1.2, MS-SMB2 3.3.5.9). */
import type { FileHandle, FileInfo } from '@holdfast/storage'
import { Capability, CreateAction, CreateDisposition, CreateOptions, Dialect } from '../../messages/constants.ts'
import { StatusError } from '../core/handler-api.ts'
import type { RequestContext } from '../core/handler-api.ts'
import type { OpenGrant, OpenRequest, OpenResult } from '../opens/index.ts'
import type { CreatePlan } from './create-request.ts'
import { durableTimeoutMs } from './durable-contexts.ts'
import type { OpenFace } from './reconnect.ts'
import { FileOpen } from './file-open.ts'
import { settled, statusOf } from './opened.ts'
import type { ShareFiles } from './share-files.ts'

interface Arbitration {
  readonly info: FileInfo
  readonly path: string
  readonly stream: string
  readonly access: number
  readonly overwrite: boolean
  readonly created: boolean
  readonly endsFormerInstance?: boolean
}

interface Arbitrated {
  readonly grant: OpenGrant
  /** Others had to act first: what was known of the file may be old. */
  readonly hasWaited: boolean
}

/** Asks the open table; undefined when the file has gone meanwhile and the whole shall be tried again. */
export async function arbitrate(request: RequestContext, files: ShareFiles, plan: CreatePlan, what: Arbitration): Promise<Arbitrated | undefined> {
  const answer = files.opens.open({
    volumeId: what.info.volumeId,
    fileId: what.info.id,
    path: what.path,
    stream: what.stream,
    isFolder: what.info.isFolder,
    access: what.access,
    shareAccess: plan.shareAccess,
    overwrite: what.overwrite,
    created: what.created,
    ...(what.info.links > 1 && !what.info.isFolder ? { hasLinks: true } : {}),
    deleteOnClose: (plan.options & CreateOptions.deleteOnClose) !== 0,
    oplockLevel: plan.oplockLevel,
    ...(plan.lease === undefined || (what.info.isFolder && !leasesFolders(request)) ? {} : { lease: plan.lease }),
    clientGuid: request.connection.clientGuid,
    respectsPersistent: request.connection.dialect >= Dialect.smb300,
    ...(plan.contexts.appInstance && { appInstance: plan.contexts.appInstance, endsFormerInstance: what.endsFormerInstance === true }),
    ...durabilityOf(request, plan, what),
  })
  const result: OpenResult = 'status' in answer ? answer : await settled(request, answer)
  if (result.status === 'SUCCESS') return { grant: result, hasWaited: !('status' in answer) && answer.hasWaited }
  if (result.status === 'OBJECT_NAME_NOT_FOUND') return undefined
  throw new StatusError(statusOf(result.status))
}

/** What the arbitration is told of a handle that is to outlive its connection. */
function durabilityOf({ session }: RequestContext, plan: CreatePlan, what: Arbitration): Pick<OpenRequest, 'durable' | 'createGuid'> {
  const { durable } = plan
  if (durable === undefined) return {}
  const { version, persistent, createGuid } = durable
  const face: OpenFace = { createOptions: plan.options, action: actionOf(plan, what) }
  return {
    ...(createGuid === undefined ? {} : { createGuid }),
    durable: { version, persistent, timeoutMs: durableTimeoutMs(durable), owner: session.user.sid, face, ...(plan.seat && { seat: plan.seat }) },
  }
}

/** Who does not announce directory leasing is given no lease on a folder (3.3.5.4, 3.3.5.9.11). */
const leasesFolders = ({ connection }: RequestContext): boolean => (connection.clientCapabilities & Capability.directoryLeasing) !== 0

export function actionOf(plan: CreatePlan, what: Pick<Arbitration, 'overwrite' | 'created'>): number {
  if (what.created) return CreateAction.created
  if (!what.overwrite) return CreateAction.opened
  return plan.disposition === CreateDisposition.supersede ? CreateAction.superseded : CreateAction.overwritten
}

/** The open, which has the handle from here on, also where the session does not take it. */
export function addOpen(
  request: RequestContext,
  files: ShareFiles,
  plan: CreatePlan,
  what: { handle: FileHandle; grant: OpenGrant; isFolder: boolean; access: number },
): FileOpen {
  const open = new FileOpen({ tree: request.tree, files, stream: what.handle.streamName ?? plan.stream, createOptions: plan.options, ...what })
  try {
    request.session.opens.add(open, plan.seat?.volatileId)
  } catch (error) {
    // Its session has ended meanwhile: a durable one waits for its client. Nobody is left to be told what fails.
    open.onGone(request.tree.hasEnded ? 'ended' : 'connection-lost').catch(() => undefined)
    throw error
  }
  request.setOpen(open)
  return open
}
