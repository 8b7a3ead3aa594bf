/** Records in memory. */
import { VolumeError } from './errors.ts'
import type { VolumeMetadata } from './metadata.ts'
import type { StoredVolume } from './record.ts'

/** What several `memoryVolumeMetadata` share, as several nodes share a store. */
export class VolumeRecords {
  readonly byName = new Map<string, StoredVolume>()
  readonly ownerOf = new Map<string, VolumeMetadata>()
}

/** Records that are gone with the process: for tests, and for those who keep them in a way of their own. */
export const memoryVolumeMetadata = (records: VolumeRecords = new VolumeRecords()): VolumeMetadata => {
  const checkOwner = (name: string): void => {
    if (records.ownerOf.get(name) !== metadata) throw new VolumeError('NOT_OWNER', `volume "${name}" has been claimed by another manager`)
  }
  const metadata: VolumeMetadata = {
    load: async () => [...records.byName.values()],
    claim: async name => {
      records.ownerOf.set(name, metadata)
      return records.byName.get(name)
    },
    save: async record => {
      checkOwner(record.name)
      records.byName.set(record.name, structuredClone(record))
    },
    remove: async name => {
      checkOwner(name)
      records.byName.delete(name)
    },
  }
  return metadata
}
