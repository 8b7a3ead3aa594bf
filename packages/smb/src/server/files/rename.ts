/** FileRenameInformation and FileLinkInformation (MS-FSA 2.1.5.14.11, 2.1.5.14.6). */
import { FsError } from '@holdfast/storage'
import type { FileInfo } from '@holdfast/storage'
import { access } from '../../messages/fscc-access-mask.ts'
import { FileAttribute } from '../../messages/constants.ts'
import { NtStatus } from '../../messages/nt-status.ts'
import { accessToCreate, effectiveAccess } from '../access/index.ts'
import { StatusError } from '../core/handler-api.ts'
import type { RequestContext } from '../core/handler-api.ts'
import { parseRenameTarget } from '../naming/index.ts'
import type { ParsedName } from '../naming/index.ts'
import { notifyActions, notifyFilters } from '../opens/index.ts'
import { shownInfo } from './delayed-write-time.ts'
import type { FileOpen } from './file-open.ts'
import { splitPath } from './notices.ts'
import { longPath, mayBeShort } from './short-paths.ts'
import { must, needAccess, needWritable, settled } from './opened.ts'

export interface RenameAsked {
  readonly replaceIfExists: boolean
  /** 0: relative to the share's root; anything else is not allowed over SMB2. */
  readonly rootDirectory: bigint
  readonly name: string
}

/** The folder of the target may be named by 8.3 names; the new name is what it says. */
async function targetPath(open: FileOpen, { path }: ParsedName): Promise<string> {
  const { folder, name } = splitPath(path)
  return mayBeShort(folder) ? `${await longPath(open.files, folder)}/${name}` : path
}

function targetName(name: string): ParsedName {
  const parsed = parseRenameTarget(name)
  if (parsed.status !== NtStatus.SUCCESS) throw new StatusError(parsed.status)
  return parsed
}

/** Whoever opens a file after this was sent finds the new name, or the breaks on their way that the rename waits for. */
export async function rename(request: RequestContext, open: FileOpen, asked: RenameAsked): Promise<void> {
  const begun = open.files.renames.begin()
  try {
    await carryOut(request, open, asked, begun)
  } finally {
    begun()
  }
}

async function carryOut(request: RequestContext, open: FileOpen, asked: RenameAsked, onWaiting: () => void): Promise<void> {
  needWritable(open)
  needAccess(open, access.delete)
  if (asked.rootDirectory !== 0n || asked.name === '') throw new StatusError(NtStatus.INVALID_PARAMETER)
  if (asked.name.startsWith(':')) return renameStream(request, open, asked, onWaiting)
  const target = targetName(asked.name)
  // A stream stays with its file: naming one is opening that, which its own stream's open refuses.
  if (target.stream !== '') throw new StatusError(open.stream === '' ? NtStatus.OBJECT_NAME_INVALID : NtStatus.SHARING_VIOLATION)
  if (open.stream !== '') throw new StatusError(NtStatus.INVALID_PARAMETER)
  const from = open.path
  if (from === '' || target.path === '') throw new StatusError(NtStatus.ACCESS_DENIED)
  const path = await targetPath(open, target)
  await checkTargetFolder(request, open, path)
  const there = await open.files.fileSystem.stat(path, { noFollow: true })
  const replaces = there !== undefined && there.id !== open.handle.id ? there : undefined
  if (replaces !== undefined) checkReplace(asked, replaces)
  const { opens } = open.files
  const answer = opens.prepareRename(open.grant, { path, ...identity(replaces) })
  must('status' in answer ? answer : await settled(request, answer, { onWaiting }))
  const { changedAt: shown } = await shownInfo(open)
  await open.handle.rename({ path }, { replace: replaces !== undefined || there !== undefined })
  await opens.commitRename(open.grant, { path })
  if (!open.isFolder) open.renamed = { changedAt: (await open.handle.info()).changedAt, shown }
  opens.notify.publishRename({ from: splitPath(from), to: splitPath(path), isFolder: open.isFolder, parentKey: open.parentLeaseKey })
}

function identity(info: FileInfo | undefined): { replaces?: { volumeId: bigint; fileId: bigint } } {
  return info === undefined ? {} : { replaces: { volumeId: info.volumeId, fileId: info.id } }
}

function checkReplace(asked: RenameAsked, there: FileInfo): void {
  if (!asked.replaceIfExists) throw new StatusError(NtStatus.OBJECT_NAME_COLLISION)
  if (there.isFolder) throw new StatusError(NtStatus.ACCESS_DENIED)
  if ((there.attributes & FileAttribute.readonly) !== 0) throw new StatusError(NtStatus.ACCESS_DENIED)
}

/** The user must be allowed to create the new name where it goes. */
async function checkTargetFolder(request: RequestContext, open: FileOpen, path: string): Promise<void> {
  const { files } = open
  const folder = splitPath(path).folder
  try {
    const handle = await files.fileSystem.open(folder, '', { read: false, write: false })
    try {
      if (!handle.isFolder) throw new StatusError(NtStatus.OBJECT_PATH_NOT_FOUND)
      const descriptor = files.descriptor(await handle.security())
      const effective = effectiveAccess({ descriptor, token: files.tokenOf(request.session) }) & request.tree.maximalAccess
      if ((effective & accessToCreate(open.isFolder)) === 0) throw new StatusError(NtStatus.ACCESS_DENIED)
    } finally {
      await handle.close()
    }
  } catch (error) {
    if (error instanceof FsError && error.code === 'not-found') throw new StatusError(NtStatus.OBJECT_PATH_NOT_FOUND)
    throw error
  }
}

/** `:new` renames the opened stream (MS-FSCC 2.4.37); with `::$DATA` it becomes the file's data (MS-FSA 2.1.5.14.11). */
async function renameStream(request: RequestContext, open: FileOpen, asked: RenameAsked, onWaiting: () => void): Promise<void> {
  const { stream, path: named, streamType } = targetName(asked.name)
  if (streamType !== 'data' || named !== '' || open.stream === '') throw new StatusError(NtStatus.OBJECT_NAME_INVALID)
  const { opens } = open.files
  const { path } = open
  const answer = opens.prepareRename(open.grant, { path, stream })
  must('status' in answer ? answer : await settled(request, answer, { onWaiting }))
  await open.handle.rename({ path, stream }, { replace: asked.replaceIfExists })
  await opens.commitRename(open.grant, { path, stream })
  if (stream === '') return
  const { folder, name } = splitPath(path)
  opens.notify.publish({ folder, name: `${name}:${stream}`, action: notifyActions.addedStream, filter: notifyFilters.streamName })
}

export async function link(request: RequestContext, open: FileOpen, asked: RenameAsked): Promise<void> {
  needWritable(open)
  if (asked.rootDirectory !== 0n || asked.name === '') throw new StatusError(NtStatus.INVALID_PARAMETER)
  if (open.isFolder) throw new StatusError(NtStatus.FILE_IS_A_DIRECTORY)
  const target = targetName(asked.name)
  if (target.stream !== '') throw new StatusError(NtStatus.OBJECT_NAME_INVALID)
  const path = await targetPath(open, target)
  await checkTargetFolder(request, open, path)
  const there = await open.files.fileSystem.stat(path, { noFollow: true })
  if (there !== undefined) checkReplace(asked, there)
  const answer = open.files.opens.prepareRename(open.grant, { path, link: true, ...identity(there) })
  must('status' in answer ? answer : await settled(request, answer))
  await open.handle.link(path, { replace: there !== undefined })
  const { folder, name } = splitPath(path)
  const shown = { listing: true, parentKey: open.parentLeaseKey }
  open.files.opens.notify.publish({ folder, name, action: notifyActions.added, filter: notifyFilters.fileName, ...shown })
}
