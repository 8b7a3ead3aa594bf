/** Filesystem information classes (MS-FSCC 2.5). */
import type { Features, VolumeInfo } from '@holdfast/storage'
import { bool8, bytes, filetime, lengthOf, reserved, struct, u32, u64, u64n, u8, utf16 } from '@holdfast/wire'

/** FileFsVolumeInformation, 18 bytes and the label (2.5.9). */
export const VolumeInformation = struct('FileFsVolumeInformation', {
  createdAt: filetime,
  serialNumber: u32,
  labelLengthBytes: lengthOf('label', u32),
  supportsObjects: bool8,
  reserved: reserved(u8),
  label: utf16(),
})
/** FileFsLabelInformation, 4 bytes and the label; only set (2.5.5). */
export const LabelInformation = struct('FileFsLabelInformation', { labelLengthBytes: lengthOf('label', u32), label: utf16() })
/** FileFsSizeInformation, 24 bytes (2.5.8). */
export const SizeInformation = struct('FileFsSizeInformation', { totalUnits: u64n, availableUnits: u64n, sectorsPerUnit: u32, sectorBytes: u32 })
/** FileFsDeviceInformation, 8 bytes (2.5.10). */
export const DeviceInformation = struct('FileFsDeviceInformation', { deviceType: u32, characteristics: u32 })
/** FileFsAttributeInformation, 12 bytes and the name (2.5.1). */
export const AttributeInformation = struct('FileFsAttributeInformation', {
  attributes: u32,
  maxNameLength: u32,
  nameLengthBytes: lengthOf('fileSystemName', u32),
  fileSystemName: utf16(),
})
/** FileFsControlInformation, 48 bytes (2.5.2). */
export const ControlInformation = struct('FileFsControlInformation', {
  freeSpaceStartFiltering: u64,
  freeSpaceThreshold: u64,
  freeSpaceStopFiltering: u64,
  defaultQuotaThreshold: u64,
  defaultQuotaLimit: u64,
  flags: u32,
  padding: reserved(u32),
})
/** FileFsFullSizeInformation, 32 bytes (2.5.4). */
export const FullSizeInformation = struct('FileFsFullSizeInformation', {
  totalUnits: u64n,
  callerAvailableUnits: u64n,
  freeUnits: u64n,
  sectorsPerUnit: u32,
  sectorBytes: u32,
})
/** FileFsObjectIdInformation, 64 bytes (2.5.6). */
export const FileSystemObjectIdInformation = struct('FileFsObjectIdInformation', { objectId: bytes(16), extendedInfo: bytes(48) })
/** FileFsSectorSizeInformation, 28 bytes (2.5.7). */
export const SectorSizeInformation = struct('FileFsSectorSizeInformation', {
  logicalSectorBytes: u32,
  physicalSectorBytesForAtomicity: u32,
  physicalSectorBytesForPerformance: u32,
  effectivePhysicalSectorBytesForAtomicity: u32,
  flags: u32,
  sectorAlignmentOffset: u32,
  partitionAlignmentOffset: u32,
})
/** FileFsDriverPathInformation, 8 bytes and the name (2.5.3). */
export const DriverPathInformation = struct('FileFsDriverPathInformation', {
  driverInPath: bool8,
  reserved: reserved(bytes(3)),
  nameLengthBytes: lengthOf('driverName', u32),
  driverName: utf16(),
})

/** FileSystemAttributes (2.5.1). */
export const FileSystemAttribute = {
  caseSensitiveSearch: 0x0000_0001,
  casePreservedNames: 0x0000_0002,
  unicodeOnDisk: 0x0000_0004,
  persistentAcls: 0x0000_0008,
  fileCompression: 0x0000_0010,
  volumeQuotas: 0x0000_0020,
  supportsSparseFiles: 0x0000_0040,
  supportsReparsePoints: 0x0000_0080,
  supportsObjectIds: 0x0001_0000,
  namedStreams: 0x0004_0000,
  readOnlyVolume: 0x0008_0000,
  supportsHardLinks: 0x0040_0000,
  supportsExtendedAttributes: 0x0080_0000,
  supportsOpenByFileId: 0x0100_0000,
  supportsBlockRefcounting: 0x0800_0000,
} as const

const featureAttributes: readonly (readonly [keyof Features, number])[] = [
  ['readOnly', FileSystemAttribute.readOnlyVolume],
  ['namedStreams', FileSystemAttribute.namedStreams],
  ['extendedAttributes', FileSystemAttribute.supportsExtendedAttributes],
  ['securityDescriptors', FileSystemAttribute.persistentAcls],
  ['sparseFiles', FileSystemAttribute.supportsSparseFiles],
  ['symlinks', FileSystemAttribute.supportsReparsePoints],
  ['hardLinks', FileSystemAttribute.supportsHardLinks],
  ['compression', FileSystemAttribute.fileCompression],
  ['blockCloning', FileSystemAttribute.supportsBlockRefcounting],
]

/** FileSystemAttributes of a filesystem: names keep their case, are Unicode, and are looked up without regard to case. */
export function fileSystemAttributes(features: Features): number {
  // Windows says "case-sensitive search" of NTFS, too: it can be asked for there, and clients do not take it for more.
  let attributes = FileSystemAttribute.caseSensitiveSearch | FileSystemAttribute.casePreservedNames | FileSystemAttribute.unicodeOnDisk
  for (const [feature, attribute] of featureAttributes) if (features[feature] === true) attributes |= attribute
  return attributes >>> 0
}

/** FILE_DEVICE_DISK, and FILE_DEVICE_IS_MOUNTED (2.5.10). */
export const diskDevice = { deviceType: 0x0000_0007, mounted: 0x0000_0020, readOnly: 0x0000_0002 } as const

/** What a query of a filesystem class is answered from. */
export interface FileSystemQuery {
  readonly volume: VolumeInfo
  /** `fileSystemAttributes`. */
  readonly attributes: number
  /** `NTFS` unless a client must be told otherwise. */
  readonly fileSystemName: string
  /** 16 bytes that tell this volume from all others. */
  readonly objectId: Uint8Array
}
