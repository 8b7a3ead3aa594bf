/** What FSCTLs about a file's data carry (MS-SMB2 2.2.31, 2.2.32; MS-FSCC 2.3). Offsets and lengths are bytes. */
import {
  array,
  bool8,
  bytes,
  codec,
  countOf,
  emptyBytes,
  fixed,
  guid,
  lengthOf,
  data,
  reserved,
  rest,
  struct,
  u16,
  u16be,
  u32,
  u32be,
  u64,
  u8,
  withDefault,
} from '@holdfast/wire'
import type { Codec, Infer } from '@holdfast/wire'
import { FileId } from './file-id.ts'

/** SRV_COPYCHUNK (MS-SMB2 2.2.31.1.1), 24 bytes. */
export const SrvCopychunk = struct('SRV_COPYCHUNK', { sourceOffset: u64, targetOffset: u64, length: u32, reserved: reserved(u32) })
export type SrvCopychunk = Infer<typeof SrvCopychunk>

/** SRV_COPYCHUNK_COPY (MS-SMB2 2.2.31.1). */
export const SrvCopychunkCopy = struct('SRV_COPYCHUNK_COPY', {
  /** The resume key of the source's open. */
  sourceKey: bytes(24),
  chunkCount: countOf('chunks', u32),
  reserved: reserved(u32),
  chunks: array(SrvCopychunk),
})
export type SrvCopychunkCopy = Infer<typeof SrvCopychunkCopy>

/** SRV_COPYCHUNK_RESPONSE (MS-SMB2 2.2.32.1). With INVALID_PARAMETER: the server's limits (chunks, bytes per chunk, bytes in all). */
export const SrvCopychunkResponse = struct('SRV_COPYCHUNK_RESPONSE', { chunksWritten: u32, chunkBytesWritten: u32, totalBytesWritten: u32 })
export type SrvCopychunkResponse = Infer<typeof SrvCopychunkResponse>

/** SRV_REQUEST_RESUME_KEY response (MS-SMB2 2.2.32.3), 32 bytes with the empty context's padding. */
export const SrvRequestResumeKeyResponse = struct(
  'SRV_REQUEST_RESUME_KEY response',
  { resumeKey: bytes(24), contextLength: lengthOf('context', u32), context: withDefault(data(), emptyBytes) },
  { minTailBytes: 4 },
)
export type SrvRequestResumeKeyResponse = Infer<typeof SrvRequestResumeKeyResponse>

/** FILE_ZERO_DATA_INFORMATION (MS-FSCC 2.3): the bytes from `fileOffset` up to, not including, `beyondFinalZero`. */
export const FileZeroDataInformation = struct('FILE_ZERO_DATA_INFORMATION', { fileOffset: u64, beyondFinalZero: u64 })
export type FileZeroDataInformation = Infer<typeof FileZeroDataInformation>

/** FILE_ALLOCATED_RANGE_BUFFER (MS-FSCC 2.3), 16 bytes: the request, and each element of the reply. */
export const FileAllocatedRange = struct('FILE_ALLOCATED_RANGE_BUFFER', { fileOffset: u64, length: u64 })
export type FileAllocatedRange = Infer<typeof FileAllocatedRange>

/** FSCTL_QUERY_ALLOCATED_RANGES reply. */
export const QueryAllocatedRangesReply = struct('FSCTL_QUERY_ALLOCATED_RANGES reply', { ranges: array(FileAllocatedRange, { rest: true }) })
export type QueryAllocatedRangesReply = Infer<typeof QueryAllocatedRangesReply>

/** Usage of a file region (MS-FSCC 2.3). */
export const FileRegionUsage = { validCachedData: 1, validNoncachedData: 2 } as const

/** FSCTL_QUERY_FILE_REGIONS request (MS-FSCC 2.3); may be absent altogether. */
export const QueryFileRegionsRequest = struct('FILE_REGION_INPUT', { fileOffset: u64, length: u64, desiredUsage: u32, reserved: reserved(u32) })
export type QueryFileRegionsRequest = Infer<typeof QueryFileRegionsRequest>

/** FILE_REGION_INFO (MS-FSCC 2.3). */
export const FileRegionInfo = struct('FILE_REGION_INFO', { fileOffset: u64, length: u64, usage: u32, reserved: reserved(u32) })
export type FileRegionInfo = Infer<typeof FileRegionInfo>

/** FSCTL_QUERY_FILE_REGIONS reply (MS-FSCC 2.3). */
export const QueryFileRegionsReply = struct('FILE_REGION_OUTPUT', {
  flags: reserved(u32),
  totalRegionEntryCount: u32,
  regionEntryCount: countOf('regions', u32),
  reserved: reserved(u32),
  regions: array(FileRegionInfo),
})
export type QueryFileRegionsReply = Infer<typeof QueryFileRegionsReply>

/** FILE_LEVEL_TRIM_RANGE (MS-FSCC 2.3). */
export const FileLevelTrimRange = struct('FILE_LEVEL_TRIM_RANGE', { offset: u64, length: u64 })
export type FileLevelTrimRange = Infer<typeof FileLevelTrimRange>

/** FSCTL_FILE_LEVEL_TRIM request (MS-FSCC 2.3). */
export const FileLevelTrim = struct('FILE_LEVEL_TRIM', {
  key: withDefault(u32, 0),
  numRanges: countOf('ranges', u32),
  ranges: array(FileLevelTrimRange),
})
export type FileLevelTrim = Infer<typeof FileLevelTrim>

/** FSCTL_FILE_LEVEL_TRIM reply (MS-FSCC 2.3). */
export const FileLevelTrimOutput = struct('FILE_LEVEL_TRIM_OUTPUT', { numRangesProcessed: u32 })
export type FileLevelTrimOutput = Infer<typeof FileLevelTrimOutput>

/** SMB2_DUPLICATE_EXTENTS_DATA (MS-FSCC 2.3), 40 bytes. */
export const DuplicateExtentsData = struct('SMB2_DUPLICATE_EXTENTS_DATA', {
  sourceFileId: FileId,
  sourceFileOffset: u64,
  targetFileOffset: u64,
  byteCount: u64,
})
export type DuplicateExtentsData = Infer<typeof DuplicateExtentsData>

/** Flags of `DuplicateExtentsDataEx`. */
export const DuplicateExtentsFlags = { sourceAtomic: 0x0000_0001 } as const

/** SMB2_DUPLICATE_EXTENTS_DATA_EX (MS-FSCC 2.3). */
export const DuplicateExtentsDataEx = struct('SMB2_DUPLICATE_EXTENTS_DATA_EX', {
  structureSize: fixed(u64, 0x30n, { tolerate: true }),
  sourceFileId: FileId,
  sourceFileOffset: u64,
  targetFileOffset: u64,
  byteCount: u64,
  /** `DuplicateExtentsFlags`. */
  flags: withDefault(u32, 0),
  reserved: reserved(u32),
})
export type DuplicateExtentsDataEx = Infer<typeof DuplicateExtentsDataEx>

/** TokenType values with a meaning of their own (MS-FSCC 2.3). */
export const OffloadTokenType = { zero: 0xffff_0001 } as const

/** Bytes of a token, with its head. */
export const offloadTokenSize = 512

/** STORAGE_OFFLOAD_TOKEN (MS-FSCC 2.3), 512 bytes; its head is big-endian. */
export const StorageOffloadToken = struct('STORAGE_OFFLOAD_TOKEN', {
  tokenType: u32be,
  reserved: reserved(u16),
  tokenIdLength: u16be,
  tokenId: bytes(504),
})
export type StorageOffloadToken = Infer<typeof StorageOffloadToken>

/** FSCTL_OFFLOAD_READ_INPUT (MS-FSCC 2.3), 32 bytes. */
export const OffloadReadInput = struct('FSCTL_OFFLOAD_READ_INPUT', {
  size: fixed(u32, 32),
  flags: reserved(u32),
  /** 0: as the server likes. */
  tokenTimeToLiveMs: u32,
  reserved: reserved(u32),
  fileOffset: u64,
  copyLength: u64,
})
export type OffloadReadInput = Infer<typeof OffloadReadInput>

/** Flags of an OFFLOAD_READ reply (MS-FSCC 2.3). */
export const OffloadReadFlags = { allZeroBeyondCurrentRange: 0x0000_0001 } as const

/** FSCTL_OFFLOAD_READ_OUTPUT (MS-FSCC 2.3), 528 bytes. */
export const OffloadReadOutput = struct('FSCTL_OFFLOAD_READ_OUTPUT', {
  size: fixed(u32, 528),
  /** `OffloadReadFlags`. */
  flags: withDefault(u32, 0),
  transferLength: u64,
  token: bytes(offloadTokenSize),
})
export type OffloadReadOutput = Infer<typeof OffloadReadOutput>

/** FSCTL_OFFLOAD_WRITE_INPUT (MS-FSCC 2.3), 544 bytes. */
export const OffloadWriteInput = struct('FSCTL_OFFLOAD_WRITE_INPUT', {
  size: fixed(u32, 544),
  flags: reserved(u32),
  fileOffset: u64,
  copyLength: u64,
  /** Where in what the token stands for. */
  transferOffset: u64,
  token: bytes(offloadTokenSize),
})
export type OffloadWriteInput = Infer<typeof OffloadWriteInput>

/** FSCTL_OFFLOAD_WRITE_OUTPUT (MS-FSCC 2.3), 16 bytes. */
export const OffloadWriteOutput = struct('FSCTL_OFFLOAD_WRITE_OUTPUT', { size: fixed(u32, 16), flags: reserved(u32), lengthWritten: u64 })
export type OffloadWriteOutput = Infer<typeof OffloadWriteOutput>

/** ChecksumAlgorithm (MS-FSCC 2.3). */
export const ChecksumAlgorithm = { none: 0x0000, crc32: 0x0001, crc64: 0x0002, unchanged: 0xffff } as const

/** FSCTL_GET_INTEGRITY_INFORMATION reply (MS-FSCC 2.3). */
export const IntegrityInformation = struct('FSCTL_GET_INTEGRITY_INFORMATION_BUFFER', {
  /** `ChecksumAlgorithm`. */
  checksumAlgorithm: u16,
  reserved: reserved(u16),
  /** 1: checksums are not enforced. */
  flags: u32,
  checksumChunkSizeInBytes: u32,
  clusterSizeInBytes: u32,
})
export type IntegrityInformation = Infer<typeof IntegrityInformation>

/** FSCTL_SET_INTEGRITY_INFORMATION request (MS-FSCC 2.3). */
export const SetIntegrityInformation = struct('FSCTL_SET_INTEGRITY_INFORMATION_BUFFER', {
  checksumAlgorithm: u16,
  reserved: reserved(u16),
  flags: u32,
})
export type SetIntegrityInformation = Infer<typeof SetIntegrityInformation>

/** COMPRESSION_FORMAT_* (MS-FSCC 2.3.67). */
export const CompressionFormat = { none: 0, default: 1, lznt1: 2 } as const

/** FSCTL_GET_COMPRESSION reply and FSCTL_SET_COMPRESSION request (MS-FSCC 2.3.18, 2.3.67). */
export const CompressionState = struct('COMPRESSION_STATE', { compressionState: u16 })
export type CompressionState = Infer<typeof CompressionState>

/** FILE_SET_SPARSE_BUFFER (MS-FSCC 2.3); no bytes at all mean true. */
export const FileSetSparse = struct('FILE_SET_SPARSE_BUFFER', { setSparse: bool8 })
export type FileSetSparse = Infer<typeof FileSetSparse>

/** FILE_OBJECTID_BUFFER (MS-FSCC 2.1.3), 64 bytes. */
export const FileObjectId = struct('FILE_OBJECTID_BUFFER', { objectId: guid, birthVolumeId: guid, birthObjectId: guid, domainId: guid })
export type FileObjectId = Infer<typeof FileObjectId>

const SnapshotTable = struct('SRV_SNAPSHOT_ARRAY', {
  numberOfSnapShots: u32,
  numberOfSnapShotsReturned: u32,
  snapShotArraySize: u32,
  snapShots: rest(),
})

/** Versions of a file (MS-SMB2 2.2.32.2). */
export interface SnapshotArray {
  /** How many there are, whether or not they are listed. */
  readonly numberOfSnapShots: number
  /** Bytes that a list of all needs. */
  readonly snapShotArraySize: number
  /** `@GMT-YYYY.MM.DD-HH.MM.SS` each; empty when the client's buffer is too small. */
  readonly snapShots: readonly string[]
}

/** Bytes of the list: each string with its NUL, and a NUL at the end. */
const snapshotBytes = (names: readonly string[]): Buffer =>
  names.length === 0 ? emptyBytes : Buffer.from(`${names.map(name => `${name}\0`).join('')}\0`, 'utf16le')

/** SRV_SNAPSHOT_ARRAY (MS-SMB2 2.2.32.2). At least 16 bytes are written. */
export const SnapshotArray: Codec<SnapshotArray> = codec<SnapshotArray>({
  name: 'SRV_SNAPSHOT_ARRAY',
  decode(b, at, end) {
    const { numberOfSnapShots, snapShotArraySize, snapShots } = SnapshotTable.decode(b, at, end)
    const names = snapShots.toString('utf16le').split('\0')
    return { numberOfSnapShots, snapShotArraySize, snapShots: names.filter(name => name !== '') }
  },
  encodedLength: ({ snapShots }) => Math.max(16, SnapshotTable.fixedSize + snapshotBytes(snapShots).length),
  encode(value, into, at) {
    const list = snapshotBytes(value.snapShots)
    const end = SnapshotTable.encode({ ...value, numberOfSnapShotsReturned: value.snapShots.length, snapShots: list }, into, at)
    if (end - at >= 16) return end
    into.fill(0, end, at + 16)
    return at + 16
  },
})

/** FSCTL_SET_INTEGRITY_INFORMATION_EX request (MS-FSCC 2.3). */
export const SetIntegrityInformationEx = struct('FSCTL_SET_INTEGRITY_INFORMATION_BUFFER_EX', {
  enableIntegrity: u8,
  keepIntegrityStateUnchanged: u8,
  reserved: reserved(u16),
  flags: u32,
  version: fixed(u8, 1, { tolerate: true }),
  reserved2: reserved(bytes(7)),
})
export type SetIntegrityInformationEx = Infer<typeof SetIntegrityInformationEx>
