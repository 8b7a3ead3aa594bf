/** Block cloning (MS-FSCC 2.3.7, 2.3.9; MS-FSA 2.1.5.9.4). */
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
  const source = request.session.opens.at(id, 0)
  if (!(source instanceof FileOpen)) throw new StatusError(NtStatus.INVALID_HANDLE)
  needAccess(source, access.readData | access.execute)
  needAccess(target, access.writeData)
  needWritable(target)
  if (source.files.fileSystem !== target.files.fileSystem) throw new StatusError(NtStatus.NOT_SUPPORTED)
  const from = safe(extents.sourceFileOffset)
  const to = safe(extents.targetFileOffset)
  const length = safe(extents.byteCount)
  const [sourceInfo, targetInfo] = [await source.handle.info(), await target.handle.info()]
  if (from + length > sourceInfo.sizeBytes) throw new StatusError(NtStatus.INVALID_PARAMETER)
  // It never extends the target (MS-FSA 2.1.5.9.4).
  if (to + length > targetInfo.sizeBytes) throw new StatusError(NtStatus.NOT_SUPPORTED)
  const readConflict = await source.files.opens.ioConflict(source.grant, from, length, false)
  const writeConflict = await target.files.opens.ioConflict(target.grant, to, length, true)
  if (readConflict || writeConflict) throw new StatusError(NtStatus.FILE_LOCK_CONFLICT)
  target.files.opens.contend(target.grant, 'write')
  await target.handle.cloneFrom(source.handle, from, to, length)
  publishWrite(target, notifyFilters.lastWrite)
}
