/** Block cloning (MS-FSCC 2.3.7 – 2.3.10; MS-FSA 2.1.5.9.4). */
import type { FileInfo } from '@holdfast/storage'
import { FileAttribute } from '../../../messages/constants.ts'
import { access } from '../../../messages/fscc-access-mask.ts'
import { DuplicateExtentsData, DuplicateExtentsDataEx } from '../../../messages/fsctl-file.ts'
import { NtStatus } from '../../../messages/nt-status.ts'
import { StatusError } from '../../core/handler-api.ts'
import type { RequestContext } from '../../core/handler-api.ts'
import { notifyFilters } from '../../opens/index.ts'
import { FileOpen } from '../file-open.ts'
import { publishWrite } from '../notices.ts'
import { needAccess, needWritable } from '../opened.ts'
import { needInput, noOutput, safe } from './answer.ts'
import type { FileIoctl } from './answer.ts'

interface Extents {
  readonly sourceFileId: { readonly persistent: bigint; readonly volatile: bigint }
  readonly sourceFileOffset: bigint
  readonly targetFileOffset: bigint
  readonly byteCount: bigint
}

export const duplicateExtents: FileIoctl = async (request, target, asked) => {
  await clone(request, target, DuplicateExtentsData.decode(needInput(asked, DuplicateExtentsData.fixedSize)))
  return noOutput
}

export const duplicateExtentsEx: FileIoctl = async (request, target, asked) => {
  await clone(request, target, DuplicateExtentsDataEx.decode(needInput(asked, DuplicateExtentsDataEx.fixedSize)))
  return noOutput
}

async function clone(request: RequestContext, target: FileOpen, extents: Extents): Promise<void> {
  if (!target.files.fileSystem.features.blockCloning) throw new StatusError(NtStatus.NOT_SUPPORTED)
  const id = Buffer.alloc(16)
  id.writeBigUInt64LE(extents.sourceFileId.persistent, 0)
  id.writeBigUInt64LE(extents.sourceFileId.volatile, 8)
  const source = await request.otherOpen(id)
  if (!(source instanceof FileOpen)) throw new StatusError(NtStatus.INVALID_HANDLE)
  needAccess(source, access.readData | access.execute)
  needAccess(target, access.writeData)
  needWritable(target)
  if (source.files.fileSystem !== target.files.fileSystem) throw new StatusError(NtStatus.NOT_SUPPORTED)
  const from = safe(extents.sourceFileOffset)
  const to = safe(extents.targetFileOffset)
  safe(extents.sourceFileOffset + extents.byteCount)
  safe(extents.targetFileOffset + extents.byteCount)
  const [sourceInfo, targetInfo] = [await source.handle.info(), await target.handle.info()]
  if (from + safe(extents.byteCount) > sourceInfo.sizeBytes) throw new StatusError(NtStatus.NOT_SUPPORTED)
  // It never extends the target: what would lie behind its end is left out, as with Windows.
  const length = Math.min(safe(extents.byteCount), targetInfo.sizeBytes - to)
  if (length <= 0) return
  const overlaps = sameFile(source, target) && Math.abs(from - to) < length
  if (overlaps || (isSparse(sourceInfo) && !isSparse(targetInfo))) throw new StatusError(NtStatus.NOT_SUPPORTED)
  // Byte-range locks do not count here: with Windows blocks change hands below them.
  target.files.opens.contend(target.grant, 'write')
  await target.handle.cloneFrom(source.handle, from, to, length)
  publishWrite(target, notifyFilters.lastWrite)
}

const isSparse = ({ attributes }: FileInfo): boolean => (attributes & FileAttribute.sparseFile) !== 0

const sameFile = (one: FileOpen, other: FileOpen): boolean => one.handle.id === other.handle.id && one.handle.streamName === other.handle.streamName
