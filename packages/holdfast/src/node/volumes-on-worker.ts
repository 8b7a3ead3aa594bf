/** The volumes of a node on one of its workers: which there are, and the devices of those that this worker owns. */

import type { BlockDevice } from '@holdfast/storage/block'
import type { ReservationStore } from '@holdfast/iscsi/scsi'
import type { ServedVolume } from '../volumes/volume.ts'

export type { ServedVolume } from '../volumes/volume.ts'

/** What has become of a volume. `changed`: its size, or who may use it. */
export interface VolumeChange {
  readonly kind: 'added' | 'changed' | 'removed'
  readonly volume: ServedVolume
}

/** A volume on the worker that owns it. */
export interface OpenVolume {
  readonly volume: ServedVolume
  /** `isReadOnly` where the volume says so. */
  readonly device: BlockDevice
  /** What persistent reservations leave behind (APTPL). */
  readonly reservations: ReservationStore
}

/** What serves volumes on a worker is given. */
export interface WorkerVolumes {
  /** All volumes of the node, by name. */
  list(): readonly ServedVolume[]
  /** By the name of its target; undefined where there is none. */
  find(targetName: string): ServedVolume | undefined
  /**
   * On its owner only: the same object until the volume is removed. Undefined where it is gone, belongs to another worker or could not be opened, which the
   * log says.
   */
  open(targetName: string): OpenVolume | undefined
  /**
   * Called after `list` has changed; a volume that is `added` can be opened, one that is `removed` is closed when the listener has returned (or
   * what it returns has resolved). Returns what stops it.
   */
  onChange(listener: (change: VolumeChange) => void | Promise<void>): () => void
}
