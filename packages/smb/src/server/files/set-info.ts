/** SET_INFO (MS-SMB2 3.3.5.21): a table of what can be set. */
import { FileAttribute, InfoType } from '../../messages/constants.ts'
import { FileClass, FileSystemClass } from '../../messages/fscc-classes.ts'
import { fileSetRows, isSettable } from '../../messages/fscc-file-set.ts'
import type { SettableFileClass } from '../../messages/fscc-file-set.ts'
import { DispositionFlags, settableModes } from '../../messages/fscc-file-info.ts'
import { RenameFlags } from '../../messages/fscc-names.ts'
import { headerSize } from '../../messages/header.ts'
import { NtStatus } from '../../messages/nt-status.ts'
import { decodeSecurityDescriptor, encodeSecurityDescriptor } from '../../messages/security-descriptor.ts'
import { SetInfoRequest, SetInfoResponse } from '../../messages/set-info.ts'
import { accessToSetSecurity, changeSecurity, mayAssignOwner } from '../access/index.ts'
import { StatusError } from '../core/handler-api.ts'
import type { CommandHandler, RequestContext } from '../core/handler-api.ts'
import { notifyFilters } from '../opens/index.ts'
import type { FileOpen } from './file-open.ts'
import { restoreFrozen, takeSpecialTimes } from './frozen-times.ts'
import { publishModification } from './notices.ts'
import { fileOpen, must, needAccess, needWritable, settled } from './opened.ts'
import { link, rename } from './rename.ts'

type Setter = (request: RequestContext, open: FileOpen, buffer: Buffer) => Promise<void> | void

const maxFileBytes = 0x7fff_ffff_ffff_ffffn
/** What a client may set of FileAttributes; DIRECTORY must not be claimed for a file. */
const settable =
  FileAttribute.readonly |
  FileAttribute.hidden |
  FileAttribute.system |
  FileAttribute.archive |
  FileAttribute.temporary |
  FileAttribute.offline |
  FileAttribute.notContentIndexed

/** How each class is carried out; what it needs is in `fileSetRows`. */
const fileSetters: Readonly<Partial<Record<SettableFileClass, Setter>>> = {
  [FileClass.basic]: setBasic,
  [FileClass.rename]: (request, open, buffer) => setName(request, open, buffer, rename),
  [FileClass.link]: (request, open, buffer) => setName(request, open, buffer, link),
  [FileClass.renameEx]: (request, open, buffer) => setNameEx(request, open, buffer, rename),
  [FileClass.linkEx]: (request, open, buffer) => setNameEx(request, open, buffer, link),
  [FileClass.disposition]: (request, open, buffer) => setDisposition(request, open, fileSetRows[FileClass.disposition].decode(buffer).deletePending),
  [FileClass.dispositionEx]: setDispositionEx,
  [FileClass.position]: setPosition,
  [FileClass.mode]: setMode,
  [FileClass.fullEa]: setEas,
  [FileClass.allocation]: setAllocation,
  [FileClass.endOfFile]: setEndOfFile,
  [FileClass.validDataLength]: setValidDataLength,
}

export const setInfo: CommandHandler = async request => {
  const open = fileOpen(request)
  const asked = SetInfoRequest.decode(request.message, headerSize)
  if (asked.buffer.length > request.connection.maxTransactSize) return request.fail(NtStatus.INVALID_PARAMETER)
  if (asked.infoType === InfoType.file) await setFile(request, open, asked.fileInfoClass, asked.buffer)
  else if (asked.infoType === InfoType.security) await setSecurity(request, open, asked.additionalInformation, asked.buffer)
  else if (asked.infoType === InfoType.fileSystem) return request.fail(fileSystemStatus(asked.fileInfoClass))
  else return request.fail(asked.infoType === InfoType.quota ? NtStatus.NOT_SUPPORTED : NtStatus.INVALID_PARAMETER)
  const body = request.reserve(SetInfoResponse.fixedSize)
  SetInfoResponse.encode({}, body)
  return request.reply(SetInfoResponse.fixedSize)
}

/** Nothing of the filesystem is set over SMB here: labels, quotas and object ids are the administrator's. */
function fileSystemStatus(fileSystemClass: number): number {
  const known = [FileSystemClass.control, FileSystemClass.objectId, FileSystemClass.label].some(one => one === fileSystemClass)
  return known ? NtStatus.ACCESS_DENIED : NtStatus.INVALID_INFO_CLASS
}

async function setFile(request: RequestContext, open: FileOpen, fileClass: number, buffer: Buffer): Promise<void> {
  if (!isSettable(fileClass)) throw new StatusError(NtStatus.INVALID_INFO_CLASS)
  const setter = fileSetters[fileClass]
  if (setter === undefined) throw new StatusError(NtStatus.NOT_SUPPORTED)
  const needed = fileSetRows[fileClass].access
  if (needed !== 0) needAccess(open, needed)
  await setter(request, open, buffer)
}

async function setBasic(_request: RequestContext, open: FileOpen, buffer: Buffer): Promise<void> {
  needWritable(open)
  const asked = fileSetRows[FileClass.basic].decode(buffer)
  const isDirectory = (asked.attributes & FileAttribute.directory) !== 0
  if (isDirectory && !open.isFolder) throw new StatusError(NtStatus.INVALID_PARAMETER)
  if (open.isFolder && (asked.attributes & FileAttribute.temporary) !== 0) throw new StatusError(NtStatus.INVALID_PARAMETER)
  const times = await takeSpecialTimes(open, asked)
  // Even when nothing is set (MS-FSA 2.1.5.14.2).
  open.delayed?.settle()
  let filter = 0
  if (times.createdAt !== undefined) filter |= notifyFilters.creation
  if (times.accessedAt !== undefined) filter |= notifyFilters.lastAccess
  if (times.writtenAt !== undefined) filter |= notifyFilters.lastWrite
  let change: Parameters<FileOpen['handle']['setInfo']>[0] = times
  if (asked.attributes !== 0) {
    const info = await open.handle.info()
    change = { ...times, attributes: (info.attributes & ~(settable | FileAttribute.normal)) | (asked.attributes & settable) }
    filter |= notifyFilters.attributes
  }
  const changes = Object.keys(change).length > 0
  if (changes) await open.handle.setInfo(change)
  await restoreFrozen(open)
  // Of the change time only the folder's listing tells.
  if (changes) publishModification(open, filter)
}

type NameChange = typeof rename

async function setName(request: RequestContext, open: FileOpen, buffer: Buffer, change: NameChange): Promise<void> {
  const asked = fileSetRows[FileClass.rename].decode(buffer)
  await change(request, open, { ...asked, replaceIfExists: asked.replace })
}

async function setNameEx(request: RequestContext, open: FileOpen, buffer: Buffer, change: NameChange): Promise<void> {
  const asked = fileSetRows[FileClass.renameEx].decode(buffer)
  await change(request, open, { ...asked, replaceIfExists: (asked.flags & RenameFlags.replaceIfExists) !== 0 })
}

async function setDispositionEx(request: RequestContext, open: FileOpen, buffer: Buffer): Promise<void> {
  const { flags } = fileSetRows[FileClass.dispositionEx].decode(buffer)
  await setDisposition(request, open, (flags & DispositionFlags.delete) !== 0, (flags & DispositionFlags.ignoreReadonlyAttribute) !== 0)
}

/** FileDispositionInformation (MS-FSA 2.1.5.14.3). */
async function setDisposition(request: RequestContext, open: FileOpen, on: boolean, ignoreReadOnly = false): Promise<void> {
  if (on) {
    needWritable(open)
    if (open.path === '' && open.stream === '') throw new StatusError(NtStatus.CANNOT_DELETE)
    const info = await open.handle.info()
    if (!ignoreReadOnly && (info.attributes & FileAttribute.readonly) !== 0) throw new StatusError(NtStatus.CANNOT_DELETE)
    if (open.isFolder && !(await isEmpty(open))) throw new StatusError(NtStatus.DIRECTORY_NOT_EMPTY)
  }
  const answer = open.files.opens.setDeletePending(open.grant, on)
  must('status' in answer ? answer : await settled(request, answer))
}

async function isEmpty(open: FileOpen): Promise<boolean> {
  for (const entry of await open.handle.entries()) if ((await entry) !== undefined) return false
  return true
}

function setPosition(_request: RequestContext, open: FileOpen, buffer: Buffer): void {
  const { position } = fileSetRows[FileClass.position].decode(buffer)
  if (position > maxFileBytes) throw new StatusError(NtStatus.INVALID_PARAMETER)
  open.position = position
}

function setMode(_request: RequestContext, open: FileOpen, buffer: Buffer): void {
  const { mode } = fileSetRows[FileClass.mode].decode(buffer)
  if ((mode & ~settableModes) !== 0) throw new StatusError(NtStatus.INVALID_PARAMETER)
  open.mode = mode
}

async function setEas(_request: RequestContext, open: FileOpen, buffer: Buffer): Promise<void> {
  needWritable(open)
  if (!open.files.fileSystem.features.extendedAttributes) throw new StatusError(NtStatus.EAS_NOT_SUPPORTED)
  await open.handle.setExtendedAttributes(fileSetRows[FileClass.fullEa].decode(buffer))
  publishModification(open, notifyFilters.ea)
}

function sizeOf(value: bigint): number {
  if (value > maxFileBytes) throw new StatusError(NtStatus.INVALID_PARAMETER)
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new StatusError(NtStatus.DISK_FULL)
  return Number(value)
}

async function setAllocation(_request: RequestContext, open: FileOpen, buffer: Buffer): Promise<void> {
  needWritable(open)
  if (open.isFolder) throw new StatusError(NtStatus.INVALID_PARAMETER)
  const { allocationBytes } = fileSetRows[FileClass.allocation].decode(buffer)
  open.files.opens.contend(open.grant, 'setAllocation')
  await open.handle.setAllocation(sizeOf(allocationBytes))
  open.delayed?.settle()
  await restoreFrozen(open)
  publishModification(open, notifyFilters.size)
}

async function setEndOfFile(_request: RequestContext, open: FileOpen, buffer: Buffer): Promise<void> {
  needWritable(open)
  if (open.isFolder) throw new StatusError(NtStatus.INVALID_PARAMETER)
  const { sizeBytes } = fileSetRows[FileClass.endOfFile].decode(buffer)
  open.files.opens.contend(open.grant, 'setEof')
  await open.handle.setSize(sizeOf(sizeBytes))
  open.delayed?.settle()
  await restoreFrozen(open)
  publishModification(open, notifyFilters.size)
}

/** Everything below the end of file is valid here already; only what could not be is refused (MS-FSA 2.1.5.14.15). */
async function setValidDataLength(_request: RequestContext, open: FileOpen, buffer: Buffer): Promise<void> {
  const { lengthBytes } = fileSetRows[FileClass.validDataLength].decode(buffer)
  const { sizeBytes } = await open.handle.info()
  if (sizeOf(lengthBytes) > sizeBytes) throw new StatusError(NtStatus.INVALID_PARAMETER)
}

/** SET_INFO of security (3.3.5.21.3). */
async function setSecurity(request: RequestContext, open: FileOpen, information: number, buffer: Buffer): Promise<void> {
  const needed = accessToSetSecurity(information)
  if ((open.access & needed) >>> 0 !== needed) throw new StatusError(NtStatus.ACCESS_DENIED)
  needWritable(open)
  if (!open.files.fileSystem.features.securityDescriptors) throw new StatusError(NtStatus.NOT_SUPPORTED)
  const change = decodeSecurityDescriptor(buffer)
  const token = open.files.tokenOf(request.session)
  const { owner } = change
  if ((information & 1) !== 0 && owner !== undefined && !mayAssignOwner(token, owner)) throw new StatusError(NtStatus.INVALID_OWNER)
  const current = open.files.descriptor(await open.handle.security())
  await open.handle.setSecurity(encodeSecurityDescriptor(changeSecurity({ current, change, information })))
  publishModification(open, notifyFilters.security)
}
