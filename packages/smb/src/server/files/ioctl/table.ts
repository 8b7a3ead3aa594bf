/** IOCTL (MS-SMB2 3.3.5.15): control code -> how it is carried out. */
import { IoctlFlags } from '../../../messages/constants.ts'
import { Fsctl } from '../../../messages/fsctl.ts'
import { headerSize } from '../../../messages/header.ts'
import { IoctlRequest } from '../../../messages/ioctl.ts'
import { NtStatus } from '../../../messages/nt-status.ts'
import type { CommandHandler } from '../../core/handler-api.ts'
import { FileOpen } from '../file-open.ts'
import { PipeOpen } from '../pipe-open.ts'
import type { FileIoctl, OpenlessIoctl, PipeIoctl } from './answer.ts'
import { failIoctl, sendAnswer } from './answer.ts'
import { duplicateExtents, duplicateExtentsEx } from './clone.ts'
import { copyChunks, requestResumeKey } from './copychunk.ts'
import { queryNetworkInterfaces } from './network.ts'
import { peekPipe, transceive, waitForPipe } from './pipe.ts'
import { deleteReparsePoint, getReparsePoint, setReparsePoint } from './reparse.ts'
import { requestResiliency } from './resiliency.ts'
import { fileLevelTrim, queryAllocatedRanges, queryFileRegions, setSparse, setZeroData } from './sparse.ts'
import { enumerateSnapshots, getCompression, getIntegrity, getObjectId, setCompression } from './volume.ts'

const onFiles: ReadonlyMap<number, FileIoctl> = new Map([
  [Fsctl.srvRequestResumeKey, requestResumeKey],
  [Fsctl.srvCopychunk, copyChunks],
  [Fsctl.srvCopychunkWrite, copyChunks],
  [Fsctl.srvEnumerateSnapshots, enumerateSnapshots],
  [Fsctl.setSparse, setSparse],
  [Fsctl.setZeroData, setZeroData],
  [Fsctl.queryAllocatedRanges, queryAllocatedRanges],
  [Fsctl.queryFileRegions, queryFileRegions],
  [Fsctl.fileLevelTrim, fileLevelTrim],
  [Fsctl.duplicateExtentsToFile, duplicateExtents],
  [Fsctl.duplicateExtentsToFileEx, duplicateExtentsEx],
  [Fsctl.getCompression, getCompression],
  [Fsctl.setCompression, setCompression],
  [Fsctl.getIntegrityInformation, getIntegrity],
  [Fsctl.getObjectId, getObjectId],
  [Fsctl.createOrGetObjectId, getObjectId],
  [Fsctl.getReparsePoint, getReparsePoint],
  [Fsctl.setReparsePoint, setReparsePoint],
  [Fsctl.deleteReparsePoint, deleteReparsePoint],
  [Fsctl.lmrRequestResiliency, requestResiliency],
])

const onPipes: ReadonlyMap<number, PipeIoctl> = new Map([
  [Fsctl.pipeTransceive, transceive],
  [Fsctl.pipePeek, peekPipe],
])

const withoutOpen: ReadonlyMap<number, OpenlessIoctl> = new Map([
  [Fsctl.queryNetworkInterfaceInfo, queryNetworkInterfaces],
  [Fsctl.pipeWait, waitForPipe],
])

/** DFS is somebody else's (3.3.5.15.2). */
const dfsCodes: readonly number[] = [Fsctl.dfsGetReferrals, Fsctl.dfsGetReferralsEx]

export const ioctl: CommandHandler = async request => {
  const asked = IoctlRequest.decode(request.message, headerSize)
  const { connection, open } = request
  if ((asked.flags & IoctlFlags.isFsctl) === 0) return request.fail(NtStatus.NOT_SUPPORTED)
  const largest = Math.max(asked.input.length, asked.output.length, asked.maxOutputResponse, asked.maxInputResponse)
  if (largest > connection.maxTransactSize) return request.fail(NtStatus.INVALID_PARAMETER)
  if (dfsCodes.includes(asked.ctlCode)) return request.fail(NtStatus.FS_DRIVER_REQUIRED)
  const openless = withoutOpen.get(asked.ctlCode)
  if (openless !== undefined) return sendAnswer(request, asked, await openless(request, asked))
  if (open instanceof PipeOpen) {
    const action = onPipes.get(asked.ctlCode)
    return action === undefined ? failIoctl(request) : sendAnswer(request, asked, await action(open, asked, request))
  }
  if (open instanceof FileOpen) {
    const action = onFiles.get(asked.ctlCode)
    return action === undefined ? failIoctl(request) : sendAnswer(request, asked, await action(request, open, asked))
  }
  return request.fail(NtStatus.FILE_CLOSED)
}
