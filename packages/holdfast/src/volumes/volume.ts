/** What is said of a volume: to workers that serve it, and to people and scripts that manage it. */

import { createHash } from 'node:crypto'
import type { VolumeRecord } from '@holdfast/storage/block'
import { type VolumeAccess, type VolumeMade, volumeOptionWords } from '../config/volumes.ts'

/** One target per volume, the volume is its LUN 0. */
export const targetNamePrefix = 'iqn.2026-11.io.holdfast:'

/** iSCSI name of a volume's target. */
export const targetNameOf = (volume: string): string => `${targetNamePrefix}${volume}`

/** A volume as every worker of the node knows it. */
export interface ServedVolume extends VolumeAccess {
  /** A UUID, which no other volume ever has. */
  readonly id: string
  readonly name: string
  /** `iqn.2026-11.io.holdfast:NAME` */
  readonly targetName: string
  readonly sizeBytes: number
  readonly blockBytes: 512 | 4096
  /** The unit serial number: 32 letters and digits. */
  readonly serial: string
  /** 16 hexadecimal digits (NAA 3h). */
  readonly naa: string
  /** Index of the worker that has it open. */
  readonly owner: number
}

/** A state that a volume was in, for people and scripts. */
export interface SnapshotView {
  readonly name: string
  readonly sizeBytes: number
  readonly createdAt: string
}

/** A volume for people and scripts: an item of `/v1/volumes`. */
export interface VolumeView {
  readonly name: string
  readonly id: string
  readonly target: string
  readonly sizeBytes: number
  /** What its bytes take on the disk, with its snapshots; left out where it cannot be told. */
  readonly usedBytes?: number
  /** The words that follow a size in `--volume`. */
  readonly options: readonly string[]
  readonly createdAt: string
  readonly snapshots: readonly SnapshotView[]
  /** Why it is not served. */
  readonly problem?: string
}

/** What is asked for in a new volume. */
export interface VolumeRequest extends VolumeMade {
  readonly name: string
  /** The snapshot's size where undefined. */
  readonly sizeBytes?: number
  readonly from?: SnapshotName
  readonly access: VolumeAccess
}

/** `disk0@before-upgrade` */
export interface SnapshotName {
  readonly volume: string
  readonly snapshot: string
}

/** Users only, and no restriction besides. */
export const defaultAccess: VolumeAccess = { readOnly: false, noAuth: false }

/** The worker that a volume belongs to: the same one after every restart with as many workers. */
export const ownerOfVolume = (name: string, workers: number): number => createHash('sha256').update(name).digest().readUInt32BE() % workers

export const servedVolume = (record: VolumeRecord, access: VolumeAccess, owner: number): ServedVolume => ({
  ...access,
  id: record.id,
  name: record.name,
  targetName: targetNameOf(record.name),
  sizeBytes: record.sizeBytes,
  blockBytes: record.options.blockBytes ?? 512,
  serial: record.serial,
  naa: record.naa,
  owner,
})

/** What differs from what a volume is made with if nothing is said. */
export const shownMade = ({ blockBytes, checksums }: { readonly blockBytes?: 512 | 4096; readonly checksums?: boolean }): VolumeMade => ({
  ...(blockBytes === 4096 && { blockBytes }),
  ...(checksums === true && { checksums }),
})

export const volumeView = (
  { name, id, sizeBytes, options, createdAt, snapshots }: VolumeRecord,
  access: VolumeAccess,
  now: { readonly usedBytes?: number; readonly problem?: string },
): VolumeView => ({
  name,
  id,
  target: targetNameOf(name),
  sizeBytes,
  options: volumeOptionWords({ ...access, ...shownMade(options) }),
  createdAt,
  snapshots,
  ...now,
})
