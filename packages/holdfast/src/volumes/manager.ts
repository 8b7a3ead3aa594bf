/** Opens the volumes of a state. */

import type { Store } from '@holdfast/cluster'
import { openVolumes, recoverVolumes, storeVolumeMetadata, type VolumeManager } from '@holdfast/storage/block'

/** Every worker, and every command, opens its own; what is done to a volume is done by one of them at a time. */
export const openVolumeManager = (folder: string, store: Store): Promise<VolumeManager> =>
  openVolumes({ folder, metadata: storeVolumeMetadata(store) })

/** As `openVolumeManager`, for the one who has the state to itself: removes what a crash has left of volumes that were being made or deleted. */
export async function recoverVolumeManager(folder: string, store: Store): Promise<VolumeManager> {
  await recoverVolumes({ folder, metadata: storeVolumeMetadata(store) })
  return openVolumeManager(folder, store)
}
