/** A CREATE of what is not there yet (MS-FSA 2.1.5.1.1). */
import { FsError } from '@holdfast/storage'
import type { FileHandle } from '@holdfast/storage'
import { access } from '../../messages/fscc-access-mask.ts'
import { CreateAction, CreateDisposition, CreateOptions, FileAttribute } from '../../messages/constants.ts'
import { NtStatus } from '../../messages/nt-status.ts'
import { accessToCreate, effectiveAccess } from '../access/index.ts'
import { StatusError } from '../core/handler-api.ts'
import type { RequestContext } from '../core/handler-api.ts'
import type { CreatePlan } from './create-request.ts'
import { publishCreation } from './notices.ts'
import { isPromise } from './opened.ts'
import type { ShareFiles } from './share-files.ts'
import type { Created } from './create.ts'
import { accessToNew, checkOwner, fsAccess, parentDescriptor } from './create-access.ts'
import { addOpen, arbitrate } from './create-arbitration.ts'

/** Undefined when somebody else was faster. */
export async function createNew(request: RequestContext, files: ShareFiles, plan: CreatePlan): Promise<Created | undefined> {
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

/** The open of what has just been made, or (`isRepeated`) of what the same CREATE has made before. The handle is taken over. */
export async function registerNew(
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
    kept = true
    const open = addOpen(request, files, plan, { handle, grant: arbitrated.grant, isFolder: info.isFolder, access: mask })
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
