/** Opens the volumes of a state. */

import type { Store } from '@holdfast/cluster'
import type { WorkerNode } from '@holdfast/engine'
import { type CorruptBlock, openVolumes, recoverVolumes, storeVolumeMetadata, type VolumeManager } from '@holdfast/storage/block'

/** Every worker, and every command, opens its own; what is done to a volume is done by one of them at a time. */
export const openVolumeManager = (folder: string, store: Store, node?: Pick<WorkerNode, 'counters' | 'log'>): Promise<VolumeManager> =>
  openVolumes({ folder, metadata: storeVolumeMetadata(store), ...(node && { onCorrupt: corruptionOn(node) }) })

function corruptionOn(node: Pick<WorkerNode, 'counters' | 'log'>): (found: CorruptBlock) => void {
  const errors = node.counters.counter('holdfast_volume_checksum_errors_total', 'Reads that found a block of a volume without its checksum')
  return found => {
    errors.add()
    node.log('error', 'a block of a volume does not have its checksum: what is below the volume lost what was written, or changed it', { ...found })
  }
}

/** As `openVolumeManager`, for the one who has the state to itself: removes what a crash has left of volumes that were being made or deleted. */
export async function recoverVolumeManager(folder: string, store: Store): Promise<VolumeManager> {
  await recoverVolumes({ folder, metadata: storeVolumeMetadata(store) })
  return openVolumeManager(folder, store)
}
