/** Small answers about a file or its volume: compression, integrity, object ids, snapshots. */
import { ChecksumAlgorithm, CompressionState, FileObjectId, IntegrityInformation, SnapshotArray } from '../../../messages/fsctl-file.ts'
import { NtStatus } from '../../../messages/nt-status.ts'
import { StatusError } from '../../core/handler-api.ts'
import { needInput, needOutput, noOutput } from './answer.ts'
import type { FileIoctl } from './answer.ts'

const noGuid = '00000000-0000-0000-0000-000000000000'

export const getCompression: FileIoctl = (_request, _open, asked) => {
  needOutput(asked, CompressionState.fixedSize)
  return { output: CompressionState.toBytes({ compressionState: 0 }) }
}

/** Files are never compressed (MS-FSA 2.1.5.9.30): "none" changes nothing. */
export const setCompression: FileIoctl = (_request, _open, asked) => {
  const { compressionState } = CompressionState.decode(needInput(asked, CompressionState.fixedSize))
  if (compressionState !== 0) throw new StatusError(NtStatus.NOT_SUPPORTED)
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
