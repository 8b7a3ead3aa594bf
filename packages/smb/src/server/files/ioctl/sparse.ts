/** Sparse files (MS-FSCC 2.3.55 – 2.3.58, 2.3.69 – 2.3.72; MS-FSA 2.1.5.9). */
import type { ByteRange } from '@holdfast/storage'
import { FileAttribute } from '../../../messages/constants.ts'
import { access } from '../../../messages/fscc-access-mask.ts'
import {
  FileAllocatedRange,
  FileLevelTrim,
  FileLevelTrimOutput,
  FileRegionUsage,
  FileZeroDataInformation,
  QueryAllocatedRangesReply,
  QueryFileRegionsReply,
  QueryFileRegionsRequest,
} from '../../../messages/fsctl-file.ts'
import { NtStatus } from '../../../messages/nt-status.ts'
import { StatusError } from '../../core/handler-api.ts'
import { notifyFilters } from '../../opens/index.ts'
import type { FileOpen } from '../file-open.ts'
import { restoreFrozen } from '../frozen-times.ts'
import { publishModification, publishWrite } from '../notices.ts'
import { needAccess, needWritable } from '../opened.ts'
import { needInput, needOutput, noOutput, safe } from './answer.ts'
import type { FileIoctl } from './answer.ts'

function needFile(open: FileOpen): void {
  if (open.isFolder) throw new StatusError(NtStatus.INVALID_PARAMETER)
}

export const setSparse: FileIoctl = async (_request, open, asked) => {
  needAccess(open, access.writeData | access.appendData | access.writeAttributes)
  needFile(open)
  needWritable(open)
  // No input means "sparse" (MS-FSCC 2.3.69).
  const on = asked.input.length === 0 || asked.input[0] !== 0
  const { attributes } = await open.handle.info()
  const changed = on ? attributes | FileAttribute.sparseFile : attributes & ~FileAttribute.sparseFile
  if (changed !== attributes) {
    if (!on) await fillHoles(open)
    await open.handle.setInfo({ attributes: changed })
    publishModification(open, notifyFilters.attributes)
  }
  return noOutput
}

/** A file that is sparse no longer has no holes. */
async function fillHoles(open: FileOpen): Promise<void> {
  const { sizeBytes } = await open.handle.info()
  if (sizeBytes > 0) await open.handle.setAllocation(sizeBytes)
}

export const setZeroData: FileIoctl = async (_request, open, asked) => {
  needAccess(open, access.writeData)
  needFile(open)
  needWritable(open)
  const { fileOffset, beyondFinalZero } = FileZeroDataInformation.decode(needInput(asked, FileZeroDataInformation.fixedSize))
  const from = safe(fileOffset)
  const end = safe(beyondFinalZero)
  if (from > end) throw new StatusError(NtStatus.INVALID_PARAMETER)
  const { sizeBytes } = await open.handle.info()
  const length = Math.min(end, sizeBytes) - from
  if (await open.files.opens.ioConflict(open.grant, from, end - from, true)) throw new StatusError(NtStatus.FILE_LOCK_CONFLICT)
  if (length <= 0) return noOutput
  open.files.opens.contend(open.grant, 'zeroData')
  await open.handle.zeroRange({ offset: from, length })
  await restoreFrozen(open)
  publishWrite(open, notifyFilters.lastWrite)
  return noOutput
}

export const queryAllocatedRanges: FileIoctl = async (_request, open, asked) => {
  needAccess(open, access.readData)
  needFile(open)
  const range = FileAllocatedRange.decode(needInput(asked, FileAllocatedRange.fixedSize))
  const offset = safe(range.fileOffset)
  const length = safe(range.length)
  safe(range.fileOffset + range.length)
  const { sizeBytes, attributes } = await open.handle.info()
  const visible = Math.min(length, Math.max(0, sizeBytes - offset))
  if (visible === 0) return noOutput
  // A file that isn't sparse is allocated throughout (MS-FSA 2.1.5.9.27).
  const isSparse = (attributes & FileAttribute.sparseFile) !== 0
  const found = isSparse ? await open.handle.allocatedRanges({ offset, length: visible }) : [{ offset, length: visible }]
  if (found.length === 0) return noOutput
  const room = Math.floor(asked.maxOutputResponse / FileAllocatedRange.fixedSize)
  if (room === 0) throw new StatusError(NtStatus.BUFFER_TOO_SMALL)
  const ranges = found.slice(0, room).map(one => ({ fileOffset: BigInt(one.offset), length: BigInt(one.length) }))
  return { output: QueryAllocatedRangesReply.toBytes({ ranges }), status: found.length > room ? NtStatus.BUFFER_OVERFLOW : NtStatus.SUCCESS }
}

/** Everything up to the end of file is valid data here (MS-FSA 2.1.5.9.28). */
export const queryFileRegions: FileIoctl = async (_request, open, asked) => {
  needAccess(open, access.readData)
  needFile(open)
  const { sizeBytes } = await open.handle.info()
  const whole = { fileOffset: 0n, length: BigInt(sizeBytes) }
  const range = asked.input.length === 0 ? whole : QueryFileRegionsRequest.decode(needInput(asked, QueryFileRegionsRequest.fixedSize))
  const from = safe(range.fileOffset)
  const length = Math.max(0, Math.min(safe(range.length), sizeBytes - from))
  const usage = FileRegionUsage.validCachedData | FileRegionUsage.validNoncachedData
  const regions = length === 0 ? [] : [{ fileOffset: BigInt(from), length: BigInt(length), usage }]
  const output = QueryFileRegionsReply.toBytes({ totalRegionEntryCount: regions.length, regions })
  needOutput(asked, output.length, NtStatus.BUFFER_TOO_SMALL)
  return { output }
}

/** The ranges' content may be forgotten (MS-FSCC 2.3.14, MS-FSA 2.1.5.9.13): what they take goes back, where the filesystem has holes. */
export const fileLevelTrim: FileIoctl = async (_request, open, asked) => {
  needAccess(open, access.writeData)
  needFile(open)
  needWritable(open)
  const trim = FileLevelTrim.decode(needInput(asked, 8))
  if (trim.key !== 0) throw new StatusError(NtStatus.INVALID_PARAMETER)
  const ranges = trim.ranges.map(({ offset, length }) => ({ offset: safe(offset), length: safe(offset + length) - safe(offset) }))
  const processed = await forget(open, ranges.slice(0, trimmedRangesMax))
  return { output: asked.maxOutputResponse < 4 ? Buffer.alloc(0) : FileLevelTrimOutput.toBytes({ numRangesProcessed: processed }) }
}

/** Ranges of one request; the client is told how many have been dealt with. */
const trimmedRangesMax = 1024

/** What somebody has locked stays: it is a hint. Returns how many ranges have been dealt with. */
async function forget(open: FileOpen, ranges: readonly ByteRange[]): Promise<number> {
  const { handle, files } = open
  if (!files.fileSystem.features.sparseFiles) return ranges.length
  const { sizeBytes } = await handle.info()
  for (const { offset, length: asked } of ranges) {
    const length = Math.min(asked, sizeBytes - offset)
    if (length <= 0 || (await files.opens.ioConflict(open.grant, offset, length, true))) continue
    files.opens.contend(open.grant, 'zeroData')
    await handle.zeroRange({ offset, length })
  }
  await restoreFrozen(open)
  return ranges.length
}
