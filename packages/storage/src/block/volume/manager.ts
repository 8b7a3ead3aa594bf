/** The volumes in a folder: made, listed, changed, opened, deleted. */
import type { BlockDevice } from '../block-device.ts'
import type { VolumeMetadata } from './metadata.ts'
import type { SnapshotRecord, VolumeOptions, VolumeRecord } from './record.ts'

/** Where volumes are, and their records. */
export interface VolumeManagerOptions {
  /** Made if it is not there. A folder for each volume is made in it, named with its id. */
  readonly folder: string
  readonly metadata: VolumeMetadata
  /** Called before each step that leaves a trace on the disk, with what it is, and waited for. Tests end the process there. */
  readonly onStep?: StepHook
  /** Hears of each read that finds a block which is not what was written (`checksums`); whoever reads gets the error `CORRUPT`. */
  readonly onCorrupt?: (found: CorruptBlock) => void
}

/** A block that does not have its checksum. */
export interface CorruptBlock {
  readonly volume: string
  /** Of the volume, in bytes. */
  readonly offset: number
}

/** Hears of a step that is about to be done. */
export type StepHook = (step: string) => void | Promise<void>

/** A volume to be. */
export interface NewVolume {
  /** 1 to 63 of a–z, 0–9, '-' and '.', beginning and ending with a letter or digit: it becomes part of an iSCSI name. */
  readonly name: string
  /** A multiple of 4096. May be left out with `from`; no less than the snapshot's size then. */
  readonly sizeBytes?: number
  /** The content to begin with: a snapshot's. */
  readonly from?: { readonly volume: string; readonly snapshot: string }
  readonly options?: VolumeOptions
  /** What a bitmap covers and a merge moves at a time: a power of two from 64 KiB to 1 GiB. 4 MiB as a rule. */
  readonly pageBytes?: number
  /** How much of the volume is in one file: a multiple of `pageBytes`. 64 GiB as a rule. */
  readonly partitionBytes?: number
}

/** A device that `VolumeManager.open` gives. */
export interface VolumeDevice extends BlockDevice {
  readonly record: VolumeRecord
}

/**
 * The volumes in a folder. Everything rejects with `VolumeError`; names that are wrong with `INVALID_NAME`, `UNKNOWN_VOLUME`,
 * `UNKNOWN_SNAPSHOT`, and once it is closed with `CLOSED`. What is done to one volume is done one after the other.
 *
 * Several managers, in several threads, may share a folder: whoever opens or changes a volume claims it.
 *
 * @example
 * await using volumes = await openVolumes({ folder: './volumes', metadata: memoryVolumeMetadata() })
 * await volumes.create({ name: 'disk1', sizeBytes: 1 << 30 })
 * const device = await volumes.open('disk1')
 * await device.write([Buffer.alloc(4096, 'x')], 0, { isDurable: true })
 * await volumes.resize('disk1', 2 ** 31)
 * device.sizeBytes // => 2147483648
 * await volumes.delete('disk1')
 */
export interface VolumeManager extends AsyncDisposable {
  /** `VOLUME_EXISTS`, `INVALID_SIZE`, `INVALID_OPTION`, `NO_SPACE`, `FOLDER_UNUSABLE`. */
  create(volume: NewVolume): Promise<VolumeRecord>
  /** By name. */
  list(): Promise<readonly VolumeRecord[]>
  get(name: string): Promise<VolumeRecord>
  /** Grows, also while it is in use. `SIZE_TOO_SMALL`, `INVALID_SIZE`, `NO_SPACE`. */
  resize(name: string, sizeBytes: number): Promise<VolumeRecord>
  /** Keeps what the volume holds now, durably, also while it is in use. `SNAPSHOT_EXISTS`, `SNAPSHOTS_UNSUPPORTED`, `NO_SPACE`. */
  snapshot(name: string, snapshotName: string): Promise<SnapshotRecord>
  /** Resolves when its space has come back (or the volume is released: then the rest of it when it is opened again). Devices of it are `GONE`. */
  deleteSnapshot(name: string, snapshotName: string): Promise<void>
  /** With its snapshots. Devices of it are `GONE`. */
  delete(name: string): Promise<void>
  /** The same device until the volume is released. `DAMAGED`. */
  open(name: string): Promise<VolumeDevice>
  /** Read-only. */
  openSnapshot(name: string, snapshotName: string): Promise<BlockDevice>
  /** Flushes and closes a volume, so that another manager may open it. Its devices are `GONE`. */
  release(name: string): Promise<void>
  /** Releases all volumes. */
  close(): Promise<void>
}
