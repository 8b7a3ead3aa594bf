/** What is known of a volume besides its bytes. */

/** What somebody who makes a volume may choose for good. */
export interface VolumeOptions {
  /** Logical blocks, in bytes: 512 as a rule. */
  readonly blockBytes?: 512 | 4096
  /** It takes no writes. */
  readonly isReadOnly?: boolean
  /** Each 4 KiB has a checksum (CRC32C) beside it, and is read only where it is true. `false` is as good as nothing. */
  readonly checksums?: boolean
}

/** A state of a volume that stays. */
export interface SnapshotRecord {
  readonly name: string
  /** Of the volume when the snapshot was made. */
  readonly sizeBytes: number
  /** ISO 8601, UTC. */
  readonly createdAt: string
}

/** A volume, as everybody may know it. */
export interface VolumeRecord {
  /** A UUID, which no other volume ever has. */
  readonly id: string
  readonly name: string
  readonly sizeBytes: number
  /** ISO 8601, UTC. */
  readonly createdAt: string
  /** The unit serial number (SPC-4 7.8.16): 32 letters and digits, that never change. */
  readonly serial: string
  /** 16 hexadecimal digits: a locally assigned name (NAA 3h, SPC-4 7.8.6.6.4) that never changes. */
  readonly naa: string
  readonly options: VolumeOptions
  /** Oldest first. */
  readonly snapshots: readonly SnapshotRecord[]
}

/** How snapshots are made: clones of the files, layers over them, or not at all. */
export type SnapshotKind = 'clones' | 'layers' | 'none'

/** A snapshot, and which layer of the volume's files it ends with. */
export interface StoredSnapshot extends SnapshotRecord {
  readonly layer: number
}

/**
 * A record as it is kept. What `state` says is under way is finished, or undone, by whoever claims the volume next:
 * - `creating`: its files may be there; it never was.
 * - `deleting`: it is not there any more; its files may be.
 */
export interface StoredVolume extends VolumeRecord {
  readonly state: 'creating' | 'ready' | 'deleting'
  /** A partition is a contiguous range of the volume; the last one may be smaller. */
  readonly partitionBytes: number
  /** What is merged at a time, and has a bitmap of its own. */
  readonly pageBytes: number
  /** What a layer has or has not: 4096, more where the filesystem's blocks are larger. */
  readonly physicalBlockBytes: number
  readonly snapshotKind: SnapshotKind
  /** The layers that the volume is read through, lowest first. The last one is written to. */
  readonly layers: readonly number[]
  /** The number of the next layer. */
  readonly nextLayer: number
  /** This layer of `layers` (not the lowest) is being merged into the one beneath it. */
  readonly mergingLayer?: number
  readonly snapshots: readonly StoredSnapshot[]
}

/** All layers that have files. A snapshot that is a clone has one of its own. */
export const allLayers = ({ layers, snapshots }: Pick<StoredVolume, 'layers' | 'snapshots'>): readonly number[] => [
  ...new Set([...layers, ...snapshots.map(({ layer }) => layer)]),
]

/** The sizes of a volume's partitions. */
export const partitionSizes = ({ sizeBytes, partitionBytes }: { readonly sizeBytes: number; readonly partitionBytes: number }): readonly number[] =>
  Array.from({ length: Math.ceil(sizeBytes / partitionBytes) }, (_, index) => Math.min(partitionBytes, sizeBytes - index * partitionBytes))

/** What everybody may know of a volume. */
export const publicRecord = ({ id, name, sizeBytes, createdAt, serial, naa, options, snapshots }: StoredVolume): VolumeRecord => ({
  id,
  name,
  sizeBytes,
  createdAt,
  serial,
  naa,
  options,
  snapshots: snapshots.map(snapshot => ({ name: snapshot.name, sizeBytes: snapshot.sizeBytes, createdAt: snapshot.createdAt })),
})
