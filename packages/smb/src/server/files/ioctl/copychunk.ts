/** Server-side copy (MS-SMB2 3.3.5.15.5, 3.3.5.15.6). */
import { access } from '../../../messages/fscc-access-mask.ts'
import { Fsctl } from '../../../messages/fsctl.ts'
import { SrvCopychunk, SrvCopychunkCopy, SrvCopychunkResponse, SrvRequestResumeKeyResponse } from '../../../messages/fsctl-file.ts'
import { NtStatus } from '../../../messages/nt-status.ts'
import { StatusError } from '../../core/handler-api.ts'
import type { RequestContext } from '../../core/handler-api.ts'
import { notifyFilters } from '../../opens/index.ts'
import { FileOpen } from '../file-open.ts'
import { restoreFrozen } from '../frozen-times.ts'
import { publishWrite } from '../notices.ts'
import { needAccess, needWritable } from '../opened.ts'
import { needInput, needOutput, safe } from './answer.ts'
import type { FileIoctl, IoctlAnswer } from './answer.ts'

/** ServerSideCopyMaxNumberofChunks, …ChunkSize, …DataSize (3.3.3); what Windows has. */
const limits = { chunks: 256, chunkBytes: 1 << 20, totalBytes: 16 << 20 }
const keyBytes = 24
const headBytes = 32

export const requestResumeKey: FileIoctl = (_request, open, asked) => {
  needOutput(asked, 32)
  const resumeKey = Buffer.alloc(keyBytes)
  open.tree.session.opens.writeFileId(open, resumeKey, 0)
  open.hasResumeKey = true
  return { output: SrvRequestResumeKeyResponse.toBytes({ resumeKey }) }
}

export const copyChunks: FileIoctl = async (request, target, asked) => {
  needOutput(asked, SrvCopychunkResponse.fixedSize)
  const input = needInput(asked, headBytes)
  const count = input.readUInt32LE(keyBytes)
  if (count > limits.chunks) return limitsExceeded()
  needInput(asked, headBytes + count * SrvCopychunk.fixedSize)
  const copy = SrvCopychunkCopy.decode(input)
  const source = await sourceOf(request, copy.sourceKey)
  checkAccess(source, target, asked.ctlCode)
  const total = copy.chunks.reduce((sum, chunk) => sum + chunk.length, 0)
  if (total > limits.totalBytes || copy.chunks.some(chunk => chunk.length > limits.chunkBytes || chunk.length === 0)) return limitsExceeded()
  const { sizeBytes } = await source.handle.info()
  const done = { chunksWritten: 0, chunkBytesWritten: 0, totalBytesWritten: 0 }
  let status: number = NtStatus.SUCCESS
  try {
    for (const chunk of copy.chunks) {
      const piece = { from: safe(chunk.sourceOffset), to: safe(chunk.targetOffset), length: chunk.length }
      if (piece.from + piece.length > sizeBytes) throw new StatusError(NtStatus.INVALID_VIEW_SIZE)
      await copyPiece(source, target, piece)
      done.chunksWritten++
      done.totalBytesWritten += piece.length
    }
  } catch (error) {
    // What was copied before is told with the failure (3.3.5.15.6).
    if (!(error instanceof StatusError)) throw error
    status = error.status
  }
  if (done.chunksWritten > 0) {
    await restoreFrozen(target)
    publishWrite(target, notifyFilters.size | notifyFilters.lastWrite)
  }
  return { status, output: SrvCopychunkResponse.toBytes(done) }
}

/** A request above the limits is told what they are (3.3.5.15.6.2). */
function limitsExceeded(): IoctlAnswer {
  return {
    status: NtStatus.INVALID_PARAMETER,
    output: SrvCopychunkResponse.toBytes({
      chunksWritten: limits.chunks,
      chunkBytesWritten: limits.chunkBytes,
      totalBytesWritten: limits.totalBytes,
    }),
  }
}

/** The key is the FileId, and holds as long as that: also through the end of the process where the open does (3.3.5.15.5). */
async function sourceOf(request: RequestContext, key: Uint8Array): Promise<FileOpen> {
  const source = await request.otherOpen(Buffer.from(key))
  if (!(source instanceof FileOpen) || !source.hasResumeKey) throw new StatusError(NtStatus.OBJECT_NAME_NOT_FOUND)
  return source
}

function checkAccess(source: FileOpen, target: FileOpen, ctlCode: number): void {
  if (source.isFolder || target.isFolder) throw new StatusError(NtStatus.INVALID_DEVICE_REQUEST)
  needAccess(source, access.readData | access.execute)
  needAccess(target, access.writeData | access.appendData)
  // Whoever may write but not read the target uses the _WRITE form.
  if (ctlCode === Fsctl.srvCopychunk) needAccess(target, access.readData)
  needWritable(target)
}

async function copyPiece(source: FileOpen, target: FileOpen, piece: { from: number; to: number; length: number }): Promise<void> {
  const readConflict = await source.files.opens.ioConflict(source.grant, piece.from, piece.length, false)
  const writeConflict = await target.files.opens.ioConflict(target.grant, piece.to, piece.length, true)
  if (readConflict || writeConflict) throw new StatusError(NtStatus.FILE_LOCK_CONFLICT)
  target.files.opens.contend(target.grant, 'write')
  if (source.files.fileSystem === target.files.fileSystem) {
    const copied = await target.handle.copyFrom(source.handle, piece.from, piece.to, piece.length)
    if (copied < piece.length) throw new StatusError(NtStatus.INVALID_VIEW_SIZE)
    return
  }
  const bytes = Buffer.allocUnsafe(piece.length)
  const count = await source.handle.read(bytes, piece.from)
  if (count < piece.length) throw new StatusError(NtStatus.INVALID_VIEW_SIZE)
  await target.handle.write(bytes, piece.to)
}
