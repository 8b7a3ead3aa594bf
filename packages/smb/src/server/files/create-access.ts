/** What a CREATE is allowed (MS-SMB2 3.3.5.9, MS-FSA 2.1.5.1.2.1). */
import { FsError } from '@holdfast/storage'
import type { FileHandle, FileInfo } from '@holdfast/storage'
import { access, mapGenericAccess } from '../../messages/fscc-access-mask.ts'
import { CreateOptions, FileAttribute } from '../../messages/constants.ts'
import { NtStatus } from '../../messages/nt-status.ts'
import { dependsOnParent, dispositionAccess, effectiveAccess, grantAccess, grantAccessOnCreate, mayAssignOwner } from '../access/index.ts'
import type { AccessResult, Token } from '../access/index.ts'
import { StatusError } from '../core/handler-api.ts'
import type { CreatePlan } from './create-request.ts'
import { splitPath } from './notices.ts'
import { isPromise } from './opened.ts'
import type { ShareFiles } from './share-files.ts'
import { decodeSecurityDescriptor } from '../../messages/security-descriptor.ts'

/** What GENERIC_READ stands for (MS-SMB2 2.2.13.1.1). */
export const readingAll = mapGenericAccess(access.genericRead)
const readingRights = access.readData | access.execute | access.readEa
const writingRights = access.writeData | access.appendData

export function fsAccess(plan: CreatePlan): { read: boolean; write: boolean; noFollow: boolean; stopAtLink: boolean; writeThrough: boolean } {
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

interface Rights {
  readonly effective: number
  /** Known only where the decision needs it. */
  readonly parentEffective: number | undefined
  readonly fromParent: number
}

export async function rightsOn(files: ShareFiles, plan: CreatePlan, handle: FileHandle, token: Token): Promise<Rights> {
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

export async function rightsOnParent(files: ShareFiles, { path, token }: CreatePlan): Promise<number> {
  return effectiveAccess({ descriptor: await parentDescriptor(files, path), token })
}

export async function parentDescriptor(files: ShareFiles, path: string): Promise<ReturnType<ShareFiles['descriptor']>> {
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

export function granted(result: AccessResult): number {
  if (result.granted !== undefined) return result.granted
  throw new StatusError(result.denied === 'privilege-not-held' ? NtStatus.PRIVILEGE_NOT_HELD : NtStatus.ACCESS_DENIED)
}

export function grantExisting(plan: CreatePlan, info: FileInfo, rights: Rights): number {
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
export function checkOverwrite(plan: CreatePlan, info: FileInfo): void {
  const special = FileAttribute.hidden | FileAttribute.system
  if (plan.stream === '' && (info.attributes & special & ~plan.attributes) !== 0) throw new StatusError(NtStatus.ACCESS_DENIED)
  if ((info.attributes & FileAttribute.readonly) !== 0) throw new StatusError(NtStatus.ACCESS_DENIED)
}

export function accessToNew(plan: CreatePlan): number {
  const mask = granted(grantAccessOnCreate({ desired: plan.desiredAccess, limit: plan.limit, token: plan.token }))
  if ((plan.options & CreateOptions.deleteOnClose) !== 0 && (mask & access.delete) === 0) throw new StatusError(NtStatus.ACCESS_DENIED)
  return mask
}

export function checkOwner(plan: CreatePlan): void {
  const { security } = plan.contexts
  if (security === undefined) return
  const { owner } = decodeSecurityDescriptor(security)
  if (owner !== undefined && !mayAssignOwner(plan.token, owner)) throw new StatusError(NtStatus.INVALID_OWNER)
}
