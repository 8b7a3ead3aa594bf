/** Thin volumes: disks in sparse files. */
export { VolumeError, volumeErrorCodes } from './errors.ts'
export type { VolumeErrorCode } from './errors.ts'
export type { NewVolume, VolumeDevice, VolumeManager, VolumeManagerOptions } from './manager.ts'
export type { VolumeMetadata } from './metadata.ts'
export type { SnapshotRecord, StoredSnapshot, StoredVolume, VolumeOptions, VolumeRecord } from './record.ts'
