/** Small answers about a file or its volume: compression, integrity, object ids, snapshots. */
import { FileAttribute } from '../../../messages/constants.ts'
import { access } from '../../../messages/fscc-access-mask.ts'
import {
  ChecksumAlgorithm,
  CompressionFormat,
  CompressionState,
  FileObjectId,
  IntegrityInformation,
  SnapshotArray,
} from '../../../messages/fsctl-file.ts'
import { NtStatus } from '../../../messages/nt-status.ts'
import { StatusError } from '../../core/handler-api.ts'
import { notifyFilters } from '../../opens/index.ts'
import { restoreFrozen } from '../frozen-times.ts'
import { publishModification } from '../notices.ts'
import { needAccess, needWritable } from '../opened.ts'
import { needInput, needOutput, noOutput } from './answer.ts'
import type { FileIoctl } from './answer.ts'

const noGuid = '00000000-0000-0000-0000-000000000000'

/** Who has it open may know (MS-FSA 2.1.5.9.8). */
export const getCompression: FileIoctl = async (_request, open, asked) => {
  needOutput(asked, CompressionState.fixedSize)
  const { attributes } = await open.handle.info()
  const isCompressed = (attributes & FileAttribute.compressed) !== 0
  return { output: CompressionState.toBytes({ compressionState: isCompressed ? CompressionFormat.lznt1 : CompressionFormat.none }) }
}

/** (MS-FSA 2.1.5.9.30) Where the filesystem has no compression, "none" changes nothing. */
export const setCompression: FileIoctl = async (_request, open, asked) => {
  needAccess(open, access.writeData)
  needWritable(open)
  const { compressionState } = CompressionState.decode(needInput(asked, CompressionState.fixedSize))
  const isKnown = Object.values<number>(CompressionFormat).includes(compressionState)
  const on = compressionState !== CompressionFormat.none
  const { handle, files } = open
  if (files.fileSystem.features.compression !== true || handle.setCompressed === undefined) {
    if (on) throw new StatusError(NtStatus.NOT_SUPPORTED)
    return noOutput
  }
  if (!isKnown) throw new StatusError(NtStatus.INVALID_PARAMETER)
  await handle.setCompressed(on)
  await restoreFrozen(open)
  publishModification(open, notifyFilters.attributes)
  return noOutput
}

export const getIntegrity: FileIoctl = async (_request, open, asked) => {
  needOutput(asked, IntegrityInformation.fixedSize)
  const { allocationUnitBytes } = await open.files.fileSystem.volume()
  const none = { checksumAlgorithm: ChecksumAlgorithm.none, flags: 0, checksumChunkSizeInBytes: 0, clusterSizeInBytes: allocationUnitBytes }
  return { output: IntegrityInformation.toBytes(none) }
}

/** The object id is the file's id with its volume's (MS-FSCC 2.1.3). */
export const getObjectId: FileIoctl = async (_request, open, asked) => {
  needOutput(asked, FileObjectId.fixedSize)
  const { id, volumeId } = await open.handle.info()
  const volume = guidOf(volumeId, 0n)
  return {
    output: FileObjectId.toBytes({ objectId: guidOf(id, volumeId), birthVolumeId: volume, birthObjectId: guidOf(id, volumeId), domainId: noGuid }),
  }
}

function guidOf(low: bigint, high: bigint): string {
  const hex = (value: bigint) => (value & 0xffff_ffff_ffff_ffffn).toString(16).padStart(16, '0')
  const digits = hex(low) + hex(high)
  return [digits.slice(0, 8), digits.slice(8, 12), digits.slice(12, 16), digits.slice(16, 20), digits.slice(20)].join('-')
}

/** There are no snapshots of a share yet (MS-SMB2 3.3.5.15.1). */
export const enumerateSnapshots: FileIoctl = (_request, _open, asked) => {
  needOutput(asked, 16)
  const none = { numberOfSnapShots: 0, snapShotArraySize: 0, snapShots: [] }
  const output = Buffer.alloc(SnapshotArray.encodedLength(none))
  SnapshotArray.encode(none, output, 0)
  return { output }
}
