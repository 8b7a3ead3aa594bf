/** THE tables of filesystem information classes (InfoType FILESYSTEM): queried and set (MS-FSCC 2.5, MS-FSA 2.1.5.13, 2.1.5.16). */
import type { Input, Struct } from '@holdfast/wire'
import { access } from './fscc-access-mask.ts'
import { FileSystemClass } from './fscc-classes.ts'
import {
  AttributeInformation,
  ControlInformation,
  DeviceInformation,
  diskDevice,
  DriverPathInformation,
  FileSystemAttribute,
  FileSystemObjectIdInformation,
  FullSizeInformation,
  SectorSizeInformation,
  SizeInformation,
  VolumeInformation,
  type FileSystemQuery,
} from './fscc-filesystem.ts'
import type { QueryRow } from './fscc-query.ts'

type Row = QueryRow<FileSystemQuery>

/** A class is a struct, how its value is had, and the least buffer Windows accepts. */
function row<S extends Struct<unknown, never>>(layout: S, value: (query: FileSystemQuery) => Input<S>, minBytes: number = layout.fixedSize): Row {
  const encode = layout.encode as (value: Input<S>, into: Buffer, at: number) => number
  const encodedLength = layout.encodedLength as (value: Input<S>) => number
  return Object.freeze({
    name: layout.name,
    minBytes,
    access: 0,
    needs: ['volume'] as const,
    dialect: 0,
    overflow: 'cut' as const,
    lengthBytes: (query: FileSystemQuery) => encodedLength(value(query)),
    write: (query: FileSystemQuery, target: Buffer, at: number) => encode(value(query), target, at),
  })
}

const noLimit = 0xffff_ffff_ffff_ffffn
const sectorsPerUnit = ({ volume }: FileSystemQuery): number => Math.max(1, Math.floor(volume.allocationUnitBytes / volume.sectorBytes))

/** SSINFO_FLAGS_ALIGNED_DEVICE and SSINFO_FLAGS_PARTITION_ALIGNED_ON_DEVICE (2.5.7). */
const alignedDevice = 0x3
/** SSINFO_FLAGS_TRIM_ENABLED: FSCTL_FILE_LEVEL_TRIM gives space back. */
const trimEnabled = 0x8

/** By information class. */
export const fileSystemQueryRows: ReadonlyMap<number, Row> = new Map<number, Row>([
  [
    FileSystemClass.volume,
    row(
      VolumeInformation,
      ({ volume }) => ({ createdAt: volume.createdAt, serialNumber: volume.serialNumber, supportsObjects: false, label: volume.label }),
      24,
    ),
  ],
  [
    FileSystemClass.size,
    row(SizeInformation, query => ({
      totalUnits: query.volume.totalUnits,
      availableUnits: query.volume.availableUnits,
      sectorsPerUnit: sectorsPerUnit(query),
      sectorBytes: query.volume.sectorBytes,
    })),
  ],
  [
    FileSystemClass.device,
    row(DeviceInformation, ({ attributes }) => ({
      deviceType: diskDevice.deviceType,
      characteristics: diskDevice.mounted | ((attributes & FileSystemAttribute.readOnlyVolume) === 0 ? 0 : diskDevice.readOnly),
    })),
  ],
  [
    FileSystemClass.attribute,
    row(AttributeInformation, ({ volume, attributes, fileSystemName }) => ({ attributes, maxNameLength: volume.maxNameLength, fileSystemName }), 16),
  ],
  [
    FileSystemClass.control,
    row(ControlInformation, () => ({
      freeSpaceStartFiltering: 0n,
      freeSpaceThreshold: 0n,
      freeSpaceStopFiltering: 0n,
      defaultQuotaThreshold: noLimit,
      defaultQuotaLimit: noLimit,
      flags: 0,
    })),
  ],
  [
    FileSystemClass.fullSize,
    row(FullSizeInformation, query => ({
      totalUnits: query.volume.totalUnits,
      callerAvailableUnits: query.volume.availableUnits,
      freeUnits: query.volume.freeUnits,
      sectorsPerUnit: sectorsPerUnit(query),
      sectorBytes: query.volume.sectorBytes,
    })),
  ],
  [FileSystemClass.objectId, row(FileSystemObjectIdInformation, ({ objectId }) => ({ objectId, extendedInfo: new Uint8Array(48) }))],
  [FileSystemClass.driverPath, row(DriverPathInformation, () => ({ driverInPath: false, driverName: '' }))],
  [
    FileSystemClass.sectorSize,
    row(SectorSizeInformation, ({ volume, attributes }) => ({
      logicalSectorBytes: volume.sectorBytes,
      physicalSectorBytesForAtomicity: volume.sectorBytes,
      physicalSectorBytesForPerformance: volume.allocationUnitBytes,
      effectivePhysicalSectorBytesForAtomicity: volume.sectorBytes,
      flags: alignedDevice | ((attributes & FileSystemAttribute.supportsSparseFiles) !== 0 ? trimEnabled : 0),
      sectorAlignmentOffset: 0,
      partitionAlignmentOffset: 0,
    })),
  ],
])

/** What can be set: the least buffer, and the granted access that it needs (MS-FSA 2.1.5.16). */
export const fileSystemSetRows: ReadonlyMap<number, { readonly name: string; readonly minBytes: number; readonly access: number }> = new Map([
  [FileSystemClass.label, { name: 'FileFsLabelInformation', minBytes: 4, access: access.writeData }],
  [FileSystemClass.control, { name: 'FileFsControlInformation', minBytes: 48, access: access.writeData }],
  [FileSystemClass.objectId, { name: 'FileFsObjectIdInformation', minBytes: 64, access: access.writeData }],
])
