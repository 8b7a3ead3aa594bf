/** CREATE (MS-SMB2 3.3.5.9, MS-FSA 2.1.5.1). */
import { FsError } from '@holdfast/storage'
import type { FileHandle, FileInfo } from '@holdfast/storage'
import { access, mapGenericAccess } from '../../messages/fscc-access-mask.ts'
import { Capability, CreateAction, CreateDisposition, CreateOptions, Dialect, FileAttribute } from '../../messages/constants.ts'
import { SymlinkError } from '../../messages/error.ts'
import { NtStatus } from '../../messages/nt-status.ts'
import {
  accessToCreate,
  dependsOnParent,
  dispositionAccess,
  effectiveAccess,
  grantAccess,
  grantAccessOnCreate,
  mayAssignOwner,
} from '../access/index.ts'
import type { AccessResult, Token } from '../access/index.ts'
import { StatusError } from '../core/handler-api.ts'
import type { Outcome, RequestContext } from '../core/handler-api.ts'
import { notifyFilters } from '../opens/index.ts'
import type { OpenGrant, OpenRequest, OpenResult } from '../opens/index.ts'
import { readCreateRequest } from './create-request.ts'
import type { CreatePlan } from './create-request.ts'
import { replyCreated } from './create-reply.ts'
import { createPipe } from './create-pipe.ts'
import { durableTimeoutMs } from './durable-contexts.ts'
import { reconnect, reconnectByReplay, withSeat } from './reconnect.ts'
import { answerToReplay, isReplay } from './replays.ts'
import type { OpenFace } from './reconnect.ts'
import { FileOpen } from './file-open.ts'
import { publishCreation, publishModification, splitPath } from './notices.ts'
import { isPromise, settled, statusOf } from './opened.ts'
import { symbolicLink } from './ioctl/reparse.ts'
import { filesOf } from './share-files.ts'
import { longPath, mayBeShort } from './short-paths.ts'
import type { ShareFiles } from './share-files.ts'
import { decodeSecurityDescriptor } from '../../messages/security-descriptor.ts'

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

/** What GENERIC_READ stands for (MS-SMB2 2.2.13.1.1). */
const readingAll = mapGenericAccess(access.genericRead)
const readingRights = access.readData | access.execute | access.readEa
const writingRights = access.writeData | access.appendData

function fsAccess(plan: CreatePlan): { read: boolean; write: boolean; noFollow: boolean; stopAtLink: boolean; writeThrough: boolean } {
  const desired = mapGenericAccess(plan.desiredAccess)
  const all = (desired & access.maximumAllowed) !== 0
  return {
    read: all || (desired & readingRights) !== 0,
    write: !plan.readOnlyShare && (all || (desired & writingRights) !== 0 || dispositionAccess(plan.disposition) !== 0),
    noFollow: (plan.options & CreateOptions.openReparsePoint) !== 0,
    stopAtLink: true,
    writeThrough: plan.writeThrough,
  }
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
    checkKind(plan, info)
    if (plan.disposition === CreateDisposition.create) throw new StatusError(NtStatus.OBJECT_NAME_COLLISION)
    const rights = await rightsOn(files, plan, handle, plan.token)
    const granted = grantExisting(plan, info, rights)
    const overwrite = dispositionAccess(plan.disposition) !== 0
    if (overwrite) checkOverwrite(plan, info)
    const stored = { path: handle.path ?? storedPath(plan, info), stream: handle.streamName ?? plan.stream }
    const endsFormerInstance = (rights.effective & readingAll) === readingAll
    const arbitrated = await arbitrate(request, files, plan, { info, ...stored, access: granted, overwrite, created: false, endsFormerInstance })
    if (arbitrated === undefined) return undefined
    const { grant, hasWaited } = arbitrated
    const open = addOpen(request, files, plan, { handle, grant, isFolder: info.isFolder, access: granted })
    kept = true
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

/** As far as it is known: the last component is. */
function storedPath({ path, stream }: CreatePlan, info: FileInfo): string {
  const { folder, name } = splitPath(path)
  const stored = stream === '' ? info.name : name
  return folder === '' ? stored : `${folder}/${stored}`
}

function checkKind(plan: CreatePlan, info: FileInfo): void {
  if (info.isFolder && plan.stream === '') {
    if ((plan.options & CreateOptions.nonDirectoryFile) !== 0) throw new StatusError(NtStatus.FILE_IS_A_DIRECTORY)
    if (plan.streamOfFolder) throw new StatusError(NtStatus.FILE_IS_A_DIRECTORY)
    const { disposition } = plan
    const replaces =
      disposition === CreateDisposition.overwrite || disposition === CreateDisposition.overwriteIf || disposition === CreateDisposition.supersede
    if (replaces)
      throw new StatusError((plan.options & CreateOptions.directoryFile) !== 0 ? NtStatus.INVALID_PARAMETER : NtStatus.FILE_IS_A_DIRECTORY)
  } else if ((plan.options & CreateOptions.directoryFile) !== 0) {
    throw new StatusError(plan.disposition === CreateDisposition.create ? NtStatus.OBJECT_NAME_COLLISION : NtStatus.NOT_A_DIRECTORY)
  }
}

interface Rights {
  readonly effective: number
  /** Known only where the decision needs it. */
  readonly parentEffective: number | undefined
  readonly fromParent: number
}

async function rightsOn(files: ShareFiles, plan: CreatePlan, handle: FileHandle, token: Token): Promise<Rights> {
  const stored = handle.security()
  const descriptor = files.descriptor(isPromise(stored) ? await stored : stored)
  const effective = effectiveAccess({ descriptor, token, backupIntent: (plan.options & CreateOptions.openForBackupIntent) !== 0 })
  const wanted = plan.desiredAccess | (plan.contexts.maximalAccess ? access.maximumAllowed : 0)
  if (plan.path === '' || !dependsOnParent(wanted, effective)) return { effective, parentEffective: undefined, fromParent: 0 }
  const parentEffective = await rightsOnParent(files, plan)
  const { deleteChild, listDirectory } = access
  const fromParent =
    ((parentEffective & deleteChild) === 0 ? 0 : access.delete) | ((parentEffective & listDirectory) === 0 ? 0 : access.readAttributes)
  return { effective, parentEffective, fromParent }
}

async function rightsOnParent(files: ShareFiles, { path, token }: CreatePlan): Promise<number> {
  return effectiveAccess({ descriptor: await parentDescriptor(files, path), token })
}

async function parentDescriptor(files: ShareFiles, path: string): Promise<ReturnType<ShareFiles['descriptor']>> {
  const handle = await openParent(files, path)
  try {
    const stored = handle.security()
    return files.descriptor(isPromise(stored) ? await stored : stored)
  } finally {
    await handle.close()
  }
}

async function openParent(files: ShareFiles, path: string): Promise<FileHandle> {
  try {
    const handle = await files.fileSystem.open(splitPath(path).folder, '', { read: false, write: false })
    if (handle.isFolder) return handle
    await handle.close()
    throw new StatusError(NtStatus.OBJECT_PATH_NOT_FOUND)
  } catch (error) {
    if (error instanceof FsError && error.code === 'not-found') throw new StatusError(NtStatus.OBJECT_PATH_NOT_FOUND)
    throw error
  }
}

function granted(result: AccessResult): number {
  if (result.granted !== undefined) return result.granted
  throw new StatusError(result.denied === 'privilege-not-held' ? NtStatus.PRIVILEGE_NOT_HELD : NtStatus.ACCESS_DENIED)
}

function grantExisting(plan: CreatePlan, info: FileInfo, rights: Rights): number {
  const readOnlyFile = !info.isFolder && (info.attributes & FileAttribute.readonly) !== 0
  const mask = granted(
    grantAccess({
      desired: plan.desiredAccess,
      required: dispositionAccess(plan.disposition),
      effective: rights.effective,
      parentEffective: rights.parentEffective ?? 0,
      limit: plan.limit,
      readOnlyFile,
      token: plan.token,
    }),
  )
  if ((plan.options & CreateOptions.deleteOnClose) !== 0) {
    if ((info.attributes & FileAttribute.readonly) !== 0) throw new StatusError(NtStatus.CANNOT_DELETE)
    if ((mask & access.delete) === 0) throw new StatusError(NtStatus.ACCESS_DENIED)
    if (plan.path === '') throw new StatusError(NtStatus.CANNOT_DELETE)
  }
  return mask
}

/** A hidden or system file is replaced only by one that says it is one, too (MS-FSA 2.1.5.1.2). */
function checkOverwrite(plan: CreatePlan, info: FileInfo): void {
  const special = FileAttribute.hidden | FileAttribute.system
  if (plan.stream === '' && (info.attributes & special & ~plan.attributes) !== 0) throw new StatusError(NtStatus.ACCESS_DENIED)
  if ((info.attributes & FileAttribute.readonly) !== 0) throw new StatusError(NtStatus.ACCESS_DENIED)
}

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
async function arbitrate(request: RequestContext, files: ShareFiles, plan: CreatePlan, what: Arbitration): Promise<Arbitrated | undefined> {
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

function actionOf(plan: CreatePlan, what: Pick<Arbitration, 'overwrite' | 'created'>): number {
  if (what.created) return CreateAction.created
  if (!what.overwrite) return CreateAction.opened
  return plan.disposition === CreateDisposition.supersede ? CreateAction.superseded : CreateAction.overwritten
}

function addOpen(
  request: RequestContext,
  files: ShareFiles,
  plan: CreatePlan,
  what: { handle: FileHandle; grant: OpenGrant; isFolder: boolean; access: number },
): FileOpen {
  const open = new FileOpen({ tree: request.tree, files, stream: what.handle.streamName ?? plan.stream, createOptions: plan.options, ...what })
  try {
    request.session.opens.add(open, plan.seat?.volatileId)
  } catch (error) {
    // Its session has ended meanwhile: a durable one waits for its client.
    void open.onGone('connection-lost')
    throw error
  }
  request.setOpen(open)
  return open
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

/** Undefined when somebody else was faster. */
async function createNew(request: RequestContext, files: ShareFiles, plan: CreatePlan): Promise<Created | undefined> {
  if (plan.disposition === CreateDisposition.open || plan.disposition === CreateDisposition.overwrite) return undefined
  if (plan.readOnlyShare) throw new StatusError(NtStatus.ACCESS_DENIED)
  if ((plan.options & CreateOptions.deleteOnClose) !== 0 && (plan.attributes & FileAttribute.readonly) !== 0) {
    throw new StatusError(NtStatus.CANNOT_DELETE)
  }
  // Before there is anything: it may be refused.
  accessToNew(plan)
  const isFolder = (plan.options & CreateOptions.directoryFile) !== 0
  const parent = await parentDescriptor(files, plan.path)
  const parentEffective = effectiveAccess({ descriptor: parent, token: plan.token })
  if ((parentEffective & accessToCreate(isFolder) & plan.limit) === 0) throw new StatusError(NtStatus.ACCESS_DENIED)
  checkOwner(plan)
  if (plan.stream !== '' && !(await ensureBase(files, plan, parent))) return undefined
  const handle = await createObject(files, plan, parent, isFolder)
  return handle === undefined ? undefined : registerNew(request, files, plan, { handle, parentEffective, isRepeated: false })
}

function accessToNew(plan: CreatePlan): number {
  const mask = granted(grantAccessOnCreate({ desired: plan.desiredAccess, limit: plan.limit, token: plan.token }))
  if ((plan.options & CreateOptions.deleteOnClose) !== 0 && (mask & access.delete) === 0) throw new StatusError(NtStatus.ACCESS_DENIED)
  return mask
}

/** The open of what has just been made, or (`isRepeated`) of what the same CREATE has made before. The handle is taken over. */
async function registerNew(
  request: RequestContext,
  files: ShareFiles,
  plan: CreatePlan,
  { handle, parentEffective, isRepeated }: { readonly handle: FileHandle; readonly parentEffective: number; readonly isRepeated: boolean },
): Promise<Created | undefined> {
  let kept = false
  try {
    const info = await handle.info()
    const mask = accessToNew(plan)
    const at = { path: handle.path ?? plan.path, stream: plan.stream }
    const arbitrated = await arbitrate(request, files, plan, { info, ...at, access: mask, overwrite: false, created: true })
    if (arbitrated === undefined) return undefined
    const open = addOpen(request, files, plan, { handle, grant: arbitrated.grant, isFolder: info.isFolder, access: mask })
    kept = true
    publishCreation(files, { ...at, isFolder: info.isFolder, parentKey: open.parentLeaseKey })
    // The creator's own rights come from the new descriptor; the parent's matter only where DELETE would be missing.
    const maximal = plan.contexts.maximalAccess ? await maximalOfNew(files, handle, plan, parentEffective) : mask
    return { open, action: CreateAction.created, info, maximal }
  } finally {
    if (!kept) await (isRepeated ? handle.close() : discardNew(handle))
  }
}

async function discardNew(handle: FileHandle): Promise<void> {
  try {
    await handle.remove()
  } finally {
    await handle.close()
  }
}

async function maximalOfNew(files: ShareFiles, handle: FileHandle, plan: CreatePlan, parentEffective: number): Promise<number> {
  const effective = effectiveAccess({ descriptor: files.descriptor(await handle.security()), token: plan.token })
  return (effective | ((parentEffective & access.deleteChild) === 0 ? 0 : access.delete)) & plan.limit
}

function checkOwner(plan: CreatePlan): void {
  const { security } = plan.contexts
  if (security === undefined) return
  const { owner } = decodeSecurityDescriptor(security)
  if (owner !== undefined && !mayAssignOwner(plan.token, owner)) throw new StatusError(NtStatus.INVALID_OWNER)
}

/** A stream of a file that isn't there makes the file, too. False when the name appeared meanwhile. */
async function ensureBase(files: ShareFiles, plan: CreatePlan, parent: ReturnType<ShareFiles['descriptor']>): Promise<boolean> {
  if ((await files.fileSystem.stat(plan.path)) !== undefined) return true
  const base = await createObject(files, { ...plan, stream: '', allocationBytes: 0 }, parent, false)
  if (base === undefined) return false
  publishCreation(files, { path: plan.path, stream: '', isFolder: false, parentKey: plan.lease?.parentKey })
  await base.close()
  return true
}

async function createObject(
  files: ShareFiles,
  plan: CreatePlan,
  parent: ReturnType<ShareFiles['descriptor']>,
  isFolder: boolean,
): Promise<FileHandle | undefined> {
  const { features } = files.fileSystem
  const base = plan.stream === ''
  const attributes = (plan.attributes & ~FileAttribute.normal) | (isFolder ? FileAttribute.directory : FileAttribute.archive)
  const eas = plan.contexts.extendedAttributes
  const { durable } = plan
  try {
    const handle = files.fileSystem.create(plan.path, plan.stream, {
      folder: isFolder,
      attributes,
      ...(base && features.securityDescriptors
        ? { security: files.inherit({ parent, explicit: plan.contexts.security, token: plan.token, isFolder }) }
        : {}),
      ...(base && eas.length > 0 ? { extendedAttributes: eas } : {}),
      ...(durable?.persistent === true && durable.createGuid !== undefined && !isFolder ? { creationToken: durable.createGuid } : {}),
      ...(base && (plan.options & CreateOptions.noCompression) !== 0 ? { uncompressed: true } : {}),
      ...(plan.allocationBytes > 0 && !isFolder ? { allocationBytes: plan.allocationBytes } : {}),
      access: { ...fsAccess(plan), read: true, write: !isFolder },
    })
    return isPromise(handle) ? await handle : handle
  } catch (error) {
    if (error instanceof FsError && error.code === 'exists') return undefined
    throw error
  }
}
