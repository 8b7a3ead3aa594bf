/** File information classes of a fixed size (MS-FSCC 2.4), both ways: servers encode what clients decode. Sizes in bytes, times as FILETIME. */
import { bool8, bytes, filetime, reserved, struct, u16, u32, u64, u64n, u8, withDefault, type Infer } from '@holdfast/wire'

/** FileBasicInformation, 40 bytes (2.4.7). When set, a time of 0 means "keep", attributes of 0 as well; see `timeMeaning`. */
export const BasicInformation = struct('FileBasicInformation', {
  createdAt: filetime,
  accessedAt: filetime,
  writtenAt: filetime,
  changedAt: filetime,
  attributes: u32,
  reserved: reserved(u32),
})
export type BasicInformation = Infer<typeof BasicInformation>

/** What a time in a FileBasicInformation being set means (2.4.7): 0, -1 and -2 are not times. Undefined: invalid (any other negative number). */
export function timeMeaning(time: bigint): 'keep' | 'stop-updating' | 'resume-updating' | 'set' | undefined {
  if (time === 0n) return 'keep'
  if (time === 0xffff_ffff_ffff_ffffn) return 'stop-updating'
  if (time === 0xffff_ffff_ffff_fffen) return 'resume-updating'
  return time < 0x8000_0000_0000_0000n ? 'set' : undefined
}

/** FileStandardInformation, 24 bytes (2.4.41). */
export const StandardInformation = struct('FileStandardInformation', {
  allocationBytes: u64n,
  sizeBytes: u64n,
  links: u32,
  deletePending: bool8,
  isFolder: bool8,
  reserved: reserved(u16),
})

/** FileInternalInformation, 8 bytes (2.4.27). */
export const InternalInformation = struct('FileInternalInformation', { id: u64 })
/** FileEaInformation, 4 bytes (2.4.13). */
export const EaInformation = struct('FileEaInformation', { eaSizeBytes: u32 })
/** FileAccessInformation, 4 bytes (2.4.1). */
export const AccessInformation = struct('FileAccessInformation', { grantedAccess: u32 })
/** FilePositionInformation, 8 bytes (2.4.40). */
export const PositionInformation = struct('FilePositionInformation', { position: u64 })
/** FileModeInformation, 4 bytes (2.4.31). */
export const ModeInformation = struct('FileModeInformation', { mode: u32 })
/** The bits that FileModeInformation may have when set; others are STATUS_INVALID_PARAMETER (2.4.31, MS-FSA 2.1.5.15.10). */
export const settableModes = 0x0000_003e
/** FileAlignmentInformation, 4 bytes (2.4.3). */
export const AlignmentInformation = struct('FileAlignmentInformation', { alignment: u32 })
/** FileAllocationInformation, 8 bytes (2.4.4). */
export const AllocationInformation = struct('FileAllocationInformation', { allocationBytes: u64 })
/** FileEndOfFileInformation, 8 bytes (2.4.14). */
export const EndOfFileInformation = struct('FileEndOfFileInformation', { sizeBytes: u64 })
/** FileValidDataLengthInformation, 8 bytes (2.4.50). */
export const ValidDataLengthInformation = struct('FileValidDataLengthInformation', { lengthBytes: u64 })
/** FileDispositionInformation, 1 byte (2.4.11). */
export const DispositionInformation = struct('FileDispositionInformation', { deletePending: bool8 })
/** FileDispositionInformationEx, 4 bytes (2.4.12). */
export const DispositionInformationEx = struct('FileDispositionInformationEx', { flags: u32 })
/** Flags of FileDispositionInformationEx (2.4.12). */
export const DispositionFlags = {
  delete: 0x1,
  posixSemantics: 0x2,
  forceImageSectionCheck: 0x4,
  onClose: 0x8,
  ignoreReadonlyAttribute: 0x10,
} as const

/** FilePipeInformation, 8 bytes (2.4.36). */
export const PipeInformation = struct('FilePipeInformation', { readMode: u32, completionMode: u32 })
/** FilePipeLocalInformation, 40 bytes (2.4.37). */
export const PipeLocalInformation = struct('FilePipeLocalInformation', {
  type: u32,
  configuration: u32,
  maximumInstances: u32,
  currentInstances: u32,
  inboundQuota: u32,
  readDataAvailable: u32,
  outboundQuota: u32,
  writeQuotaAvailable: u32,
  state: u32,
  end: u32,
})
/** FilePipeRemoteInformation, 16 bytes (2.4.38). */
export const PipeRemoteInformation = struct('FilePipeRemoteInformation', {
  collectDataTime: u64,
  maximumCollectionCount: u32,
  reserved: reserved(u32),
})

/** FileCompressionInformation, 16 bytes (2.4.9). */
export const CompressionInformation = struct('FileCompressionInformation', {
  compressedBytes: u64n,
  format: u16,
  unitShift: u8,
  chunkShift: u8,
  clusterShift: u8,
  reserved: reserved(bytes(3)),
})

/** FileNetworkOpenInformation, 56 bytes (2.4.34). */
export const NetworkOpenInformation = struct('FileNetworkOpenInformation', {
  createdAt: filetime,
  accessedAt: filetime,
  writtenAt: filetime,
  changedAt: filetime,
  allocationBytes: u64n,
  sizeBytes: u64n,
  attributes: u32,
  reserved: reserved(u32),
})

/** FileAttributeTagInformation, 8 bytes (2.4.6). */
export const AttributeTagInformation = struct('FileAttributeTagInformation', { attributes: u32, reparseTag: u32 })
/** FileReparsePointInformation, 16 bytes (2.4.44). */
export const ReparsePointInformation = struct('FileReparsePointInformation', { id: u64, reparseTag: u32, reserved: reserved(u32) })
/** FileStandardLinkInformation, 12 bytes (2.4.42). */
export const StandardLinkInformation = struct('FileStandardLinkInformation', {
  accessibleLinks: u32,
  links: u32,
  deletePending: bool8,
  isFolder: bool8,
  reserved: reserved(u16),
})
/** FileIdInformation, 24 bytes (2.4.26): the 128-bit id's upper half is 0 where ids have 64 bits. */
export const IdInformation = struct('FileIdInformation', { volumeId: u64, id: u64, idHigh: withDefault(u64, 0n) })
/** FileObjectIdInformation of the first type, 64 bytes (2.4.35.1). */
export const ObjectIdInformation = struct('FileObjectIdInformation', {
  objectId: bytes(16),
  birthVolumeId: bytes(16),
  birthObjectId: bytes(16),
  domainId: bytes(16),
})

/** FileStatInformation, 72 bytes (2.4.47 of later revisions; FILE_STAT_INFORMATION). */
export const StatInformation = struct('FileStatInformation', {
  id: u64,
  createdAt: filetime,
  accessedAt: filetime,
  writtenAt: filetime,
  changedAt: filetime,
  allocationBytes: u64n,
  sizeBytes: u64n,
  attributes: u32,
  reparseTag: u32,
  links: u32,
  effectiveAccess: u32,
})
/** FileCaseSensitiveInformation, 4 bytes: bit 0 says that names in the folder are told apart by case. */
export const CaseSensitiveInformation = struct('FileCaseSensitiveInformation', { flags: u32 })

/** FileRemoteProtocolInformation, 116 bytes (2.4.45 of later revisions). */
export const RemoteProtocolInformation = struct('FileRemoteProtocolInformation', {
  structureVersion: u16,
  structureSize: u16,
  protocol: u32,
  major: u16,
  minor: u16,
  revision: u16,
  reserved: reserved(u16),
  flags: u32,
  genericReserved: reserved(bytes(32)),
  protocolSpecific: bytes(64),
})

/** The fixed part of FileAllInformation, 96 bytes (2.4.2): the name (length and text) follows. */
export const AllInformationFixed = struct('FileAllInformation', {
  basic: BasicInformation,
  standard: StandardInformation,
  id: u64,
  eaSizeBytes: u32,
  grantedAccess: u32,
  position: u64,
  mode: u32,
  alignment: u32,
})
