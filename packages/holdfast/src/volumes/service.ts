/** Managing volumes, whoever does it: the node's control socket, a command without a node, and the management API. */

import type { SnapshotView, VolumeRequest, VolumeView } from './volume.ts'

/** Rejects with what has a `code` of `volumeErrorCodes`. */
export interface VolumeService {
  /** By name. */
  list(): Promise<readonly VolumeView[]>
  get(name: string): Promise<VolumeView>
  create(volume: VolumeRequest): Promise<VolumeView>
  resize(name: string, sizeBytes: number): Promise<VolumeView>
  /** Changes who may use it, and for what. */
  setAccess(name: string, access: VolumeRequest['access']): Promise<VolumeView>
  createSnapshot(name: string, snapshot: string): Promise<SnapshotView>
  deleteSnapshot(name: string, snapshot: string): Promise<void>
  delete(name: string): Promise<void>
}
