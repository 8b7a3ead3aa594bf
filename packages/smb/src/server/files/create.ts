/** CREATE (MS-SMB2 3.3.5.9, MS-FSA 2.1.5.1). */
import { FsError } from '@holdfast/storage'
import type { FileHandle, FileInfo } from '@holdfast/storage'
import { access } from '../../messages/fscc-access-mask.ts'
import { CreateAction, CreateDisposition, CreateOptions, FileAttribute } from '../../messages/constants.ts'
import { SymlinkError } from '../../messages/error.ts'
import { NtStatus } from '../../messages/nt-status.ts'
import { dispositionAccess } from '../access/index.ts'
import { StatusError } from '../core/handler-api.ts'
import type { Outcome, RequestContext } from '../core/handler-api.ts'
import { notifyFilters } from '../opens/index.ts'
import type { OpenGrant } from '../opens/index.ts'
import { readCreateRequest } from './create-request.ts'
import type { CreatePlan } from './create-request.ts'
import { replyCreated } from './create-reply.ts'
import { createPipe } from './create-pipe.ts'
import { reconnect, reconnectByReplay, withSeat } from './reconnect.ts'
import { answerToReplay, isReplay } from './replays.ts'
import type { FileOpen } from './file-open.ts'
import { publishModification, splitPath } from './notices.ts'
import { isPromise } from './opened.ts'
import { symbolicLink } from './ioctl/reparse.ts'
import { filesOf } from './share-files.ts'
import { longPath, mayBeShort } from './short-paths.ts'
import type { ShareFiles } from './share-files.ts'
import { actionOf, addOpen, arbitrate } from './create-arbitration.ts'
import { checkOverwrite, fsAccess, grantExisting, readingAll, rightsOn, rightsOnParent } from './create-access.ts'
import { createNew, registerNew } from './create-new.ts'

/** Somebody else may create or remove the file between our steps; after this often the client shall try again. */
const attempts = 10

/** How an open came about, for the response. */
export interface Created {
  readonly open: FileOpen
  readonly action: number
  readonly info: FileInfo
  /** Rights of the user on the file, for the MxAc context. */
  readonly maximal: number
  /** What the response says was granted, where that is not what the open has. */
  readonly granted?: Pick<OpenGrant, 'oplockLevel' | 'lease' | 'durable' | 'persistent'>
}

export async function create(request: RequestContext): Promise<Outcome> {
  if (request.tree.share.type === 'pipe') return createPipe(request)
  const files = filesOf(request.tree)
  if (files.renames.any) await files.renames.settled()
  const asked = readCreateRequest(request, files)
  if (asked.contexts.reconnect !== undefined) return withSeat(request, seat => reconnect(request, files, { ...asked, seat }))
  const plan = mayBeShort(asked.path) ? { ...asked, path: await longPath(files, asked.path) } : asked
  if (plan.durable === undefined) return replyCreated(request, plan, await carryOut(request, files, plan))
  return withSeat(request, async seat => replyCreated(request, plan, await createDurable(request, files, { ...plan, seat })))
}

async function createDurable(request: RequestContext, files: ShareFiles, plan: CreatePlan): Promise<Created> {
  const createGuid = plan.durable?.createGuid
  if (createGuid === undefined) return carryOut(request, files, plan)
  request.goOnWithoutConnection()
  const { clientGuid } = request.connection
  const first = files.replays.begin(request, createGuid)
  if (first !== undefined) return answerToReplay(request, plan, first)
  try {
    const created = (isReplay(request) ? await reconnectByReplay(request, files, plan) : undefined) ?? (await carryOut(request, files, plan))
    files.replays.finished(clientGuid, createGuid, created)
    return created
  } catch (error) {
    files.replays.failed(clientGuid, createGuid)
    throw error
  }
}

async function carryOut(request: RequestContext, files: ShareFiles, plan: CreatePlan): Promise<Created> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const created = (await openExisting(request, files, plan)) ?? (await createNew(request, files, plan))
    if (created !== undefined) return created
  }
  throw new StatusError(NtStatus.SHARING_VIOLATION, 'the file kept changing')
}

/** Opens by name; undefined where there is nothing. With "maximum allowed" a file we may only read is opened for that. */
async function tryOpen(files: ShareFiles, plan: CreatePlan): Promise<FileHandle | undefined> {
  const how = fsAccess(plan)
  try {
    const handle = files.fileSystem.open(plan.path, plan.stream, how)
    return isPromise(handle) ? await handle : handle
  } catch (error) {
    if (!(error instanceof FsError)) throw error
    if (error.code === 'not-found') return undefined
    if (error.code === 'symlink') throw await stoppedOnSymlink(files, plan.path)
    const mayRetry = how.write && (plan.desiredAccess & access.maximumAllowed) !== 0 && (error.code === 'access-denied' || error.code === 'read-only')
    if (mayRetry) return await files.fileSystem.open(plan.path, plan.stream, { ...how, write: false })
    throw error
  }
}

/** The client follows a symbolic link of its making itself (2.2.2.2.1). */
async function stoppedOnSymlink(files: ShareFiles, path: string): Promise<StatusError> {
  const link = await files.fileSystem.open(path, '', { read: false, write: false, noFollow: true })
  try {
    const target = (await link.readLink()) ?? ''
    return new StatusError(NtStatus.STOPPED_ON_SYMLINK, undefined, SymlinkError.toBytes({ unparsedPathLength: 0, ...symbolicLink(target) }))
  } finally {
    await link.close()
  }
}

/** Undefined where nothing exists and the caller shall create it. */
async function openExisting(request: RequestContext, files: ShareFiles, plan: CreatePlan): Promise<Created | undefined> {
  const handle = await tryOpen(files, plan)
  if (handle === undefined) {
    if (plan.disposition === CreateDisposition.open || plan.disposition === CreateDisposition.overwrite) {
      throw new StatusError(NtStatus.OBJECT_NAME_NOT_FOUND)
    }
    return undefined
  }
  let kept = false
  try {
    if (await isOwnCreation(request, plan, handle)) {
      kept = true
      return await registerNew(request, files, plan, { handle, parentEffective: await rightsOnParent(files, plan), isRepeated: true })
    }
    const info = await handle.info()
    checkKind(request, plan, info)
    if (plan.disposition === CreateDisposition.create) throw new StatusError(collision(request, plan))
    const rights = await rightsOn(files, plan, handle, plan.token)
    const granted = grantExisting(plan, info, rights)
    const overwrite = dispositionAccess(plan.disposition) !== 0
    if (overwrite) checkOverwrite(plan, info)
    const stored = { path: handle.path ?? storedPath(plan, info), stream: handle.streamName ?? plan.stream }
    const endsFormerInstance = (rights.effective & readingAll) === readingAll
    const arbitrated = await arbitrate(request, files, plan, { info, ...stored, access: granted, overwrite, created: false, endsFormerInstance })
    if (arbitrated === undefined) return undefined
    const { grant, hasWaited } = arbitrated
    kept = true
    const open = addOpen(request, files, plan, { handle, grant, isFolder: info.isFolder, access: granted })
    const maximal = rights.effective | (rights.parentEffective === undefined ? 0 : rights.fromParent)
    // Whoever had to give its caching up has written what it had meanwhile.
    if (!overwrite) return { open, action: CreateAction.opened, info: hasWaited ? await handle.info() : info, maximal }
    await replaceContent(plan, open)
    return { open, action: actionOf(plan, { overwrite, created: false }), info: await handle.info(), maximal }
  } finally {
    if (!kept) await handle.close()
  }
}

/** The file is what this very CREATE has made: its process died before the open was in the store, and the client says it again. */
async function isOwnCreation(request: RequestContext, plan: CreatePlan, handle: FileHandle): Promise<boolean> {
  if (plan.durable?.persistent !== true || plan.disposition === CreateDisposition.open || !isReplay(request)) return false
  return (await handle.creationToken?.()) === plan.durable.createGuid
}

/**
 * What a CREATE that must not find its name hears when it does. One that a worker died with may have made it itself, and without a token in
 * the file nobody knows.
 */
const collision = (request: RequestContext, plan: CreatePlan): number =>
  request.orphaned && plan.durable?.persistent !== true ? NtStatus.FILE_NOT_AVAILABLE : NtStatus.OBJECT_NAME_COLLISION

/** As far as it is known: the last component is. */
function storedPath({ path, stream }: CreatePlan, info: FileInfo): string {
  const { folder, name } = splitPath(path)
  const stored = stream === '' ? info.name : name
  return folder === '' ? stored : `${folder}/${stored}`
}

function checkKind(request: RequestContext, plan: CreatePlan, info: FileInfo): void {
  if (info.isFolder && plan.stream === '') {
    if ((plan.options & CreateOptions.nonDirectoryFile) !== 0) throw new StatusError(NtStatus.FILE_IS_A_DIRECTORY)
    if (plan.streamOfFolder) throw new StatusError(NtStatus.FILE_IS_A_DIRECTORY)
    const { disposition } = plan
    const replaces =
      disposition === CreateDisposition.overwrite || disposition === CreateDisposition.overwriteIf || disposition === CreateDisposition.supersede
    if (replaces)
      throw new StatusError((plan.options & CreateOptions.directoryFile) !== 0 ? NtStatus.INVALID_PARAMETER : NtStatus.FILE_IS_A_DIRECTORY)
  } else if ((plan.options & CreateOptions.directoryFile) !== 0) {
    throw new StatusError(plan.disposition === CreateDisposition.create ? collision(request, plan) : NtStatus.NOT_A_DIRECTORY)
  }
}

async function replaceContent(plan: CreatePlan, open: FileOpen): Promise<void> {
  const { handle } = open
  await handle.setSize(0)
  if (plan.stream === '') {
    const info = await handle.info()
    const kept = plan.disposition === CreateDisposition.supersede ? 0 : info.attributes & ~FileAttribute.normal
    await handle.setInfo({ attributes: kept | plan.attributes | FileAttribute.archive })
    if (plan.disposition === CreateDisposition.supersede) {
      const old = await handle.extendedAttributes()
      if (old.length > 0) await handle.setExtendedAttributes(old.map(({ name }) => ({ name, value: new Uint8Array(0), flags: 0 })))
    }
    if (plan.contexts.extendedAttributes.length > 0) await handle.setExtendedAttributes(plan.contexts.extendedAttributes)
  }
  if (plan.allocationBytes > 0) await handle.setAllocation(plan.allocationBytes)
  publishModification(open, notifyFilters.size | notifyFilters.lastWrite | notifyFilters.attributes)
}
