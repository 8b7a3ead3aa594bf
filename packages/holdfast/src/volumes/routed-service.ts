/** Managing volumes from anywhere in a node: each is asked for where it belongs. */

import type { VolumeOwner, VolumeOwnerMethod } from './owner.ts'
import type { VolumeService } from './service.ts'
import { ownerOfVolume } from './volume.ts'

/** Calls a method of a worker's `VolumeOwner`. */
export type CallOwner = <Method extends VolumeOwnerMethod>(
  worker: number,
  method: Method,
  argument: Parameters<VolumeOwner[Method]>[0],
) => ReturnType<VolumeOwner[Method]>

/** The service of a node with so many workers. */
export function routedVolumeService(workers: number, call: CallOwner): VolumeService {
  const owner = (name: string): number => ownerOfVolume(name, workers)
  return {
    async list() {
      const views = await Promise.all(Array.from({ length: workers }, (_, worker) => call(worker, 'views', undefined)))
      return views.flat().sort((a, b) => (a.name < b.name ? -1 : 1))
    },
    get: name => call(owner(name), 'view', name),
    create: volume => call(owner(volume.name), 'create', volume),
    resize: (name, sizeBytes) => call(owner(name), 'resize', { name, sizeBytes }),
    setAccess: (name, access) => call(owner(name), 'setAccess', { name, access }),
    createSnapshot: (name, snapshot) => call(owner(name), 'createSnapshot', { name, snapshot }),
    deleteSnapshot: (name, snapshot) => call(owner(name), 'deleteSnapshot', { name, snapshot }),
    delete: name => call(owner(name), 'delete', name),
  }
}
