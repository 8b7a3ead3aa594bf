/** Records in the store of a node or a cluster: each volume is a partition, which its owner claims. */
import { randomUUID } from 'node:crypto'
import { StoreError, claimPartition, prefixEnd } from '@holdfast/cluster'
import type { Entry, PartitionStore, Store } from '@holdfast/cluster'
import { VolumeError } from './errors.ts'
import type { VolumeMetadata } from './metadata.ts'
import type { StoredVolume } from './record.ts'

const partitionOf = (name: string): string => `volume/${name}`
const prefix = 'h/volume/'
const keyOf = (name: string): string => `${prefix}${name}/record`
const version = 1
const pageEntries = 1000
const maxAttempts = 5

const encode = (record: StoredVolume): Uint8Array => Buffer.from(JSON.stringify({ version, ...record }))

const decode = ({ key, value }: Entry): StoredVolume => {
  // What is in the store was written by `encode`, of this version or another.
  const record = JSON.parse(Buffer.from(value).toString()) as StoredVolume & { readonly version: number }
  if (record.version > version) throw new VolumeError('DAMAGED', `the record ${key} was written by a newer version of this program: use that one`)
  return record
}

const translated = async <T>(name: string | undefined, action: () => Promise<T>): Promise<T> => {
  try {
    return await action()
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    if (error.code === 'not-owner') throw new VolumeError('NOT_OWNER', `volume "${name}" has been claimed by somebody else`, { cause: error })
    if (error.code === 'no-space') throw new VolumeError('NO_SPACE', 'there is no space left for the records of the volumes', { cause: error })
    throw new VolumeError('RECORDS_UNAVAILABLE', `the records of the volumes cannot be read or written: ${error.message}`, { cause: error })
  }
}

const readAll = async (store: Store): Promise<Entry[]> => {
  const entries: Entry[] = []
  let revision: number | undefined
  for (let from = prefix; ;) {
    const page = await store.range({ from, to: prefixEnd(prefix) }, { limit: pageEntries, revision })
    revision ??= page.revision
    entries.push(...page.entries)
    if (!page.more) return entries
    from = `${page.entries.at(-1)?.key}\0`
  }
}

/**
 * Keeps the records of volumes in a store. What the store says is a `VolumeError`: `NOT_OWNER`, `NO_SPACE`, `RECORDS_UNAVAILABLE`.
 *
 * @example
 * await using store = await sqliteStore({ path: './records.sqlite' })
 * await using volumes = await openVolumes({ folder: './volumes', metadata: storeVolumeMetadata(store) })
 * await volumes.list() // => []
 */
export const storeVolumeMetadata = (store: Store): VolumeMetadata => {
  const owned = new Map<string, PartitionStore>()
  const ownedBy = (name: string): PartitionStore => {
    const partition = owned.get(name)
    if (partition === undefined) throw new VolumeError('NOT_OWNER', `volume "${name}" has not been claimed`)
    return partition
  }
  return {
    load: () =>
      translated(undefined, async () => {
        for (let attempt = 1; ; attempt++) {
          try {
            return (await readAll(store)).map(decode)
          } catch (error) {
            // Others write so much that the first page's revision is compacted before the last page was read.
            if (!(error instanceof StoreError) || error.code !== 'compacted' || attempt === maxAttempts) throw error
          }
        }
      }),
    claim: name =>
      translated(name, async () => {
        const partition = await claimPartition(store, { partition: partitionOf(name), incarnation: randomUUID() })
        owned.set(name, partition)
        const [entry] = await partition.read(keyOf(name))
        return entry === undefined ? undefined : decode(entry)
      }),
    save: record =>
      translated(record.name, async () => {
        await ownedBy(record.name).batch([{ type: 'put', key: keyOf(record.name), value: encode(record) }])
      }),
    remove: name =>
      translated(name, async () => {
        await ownedBy(name).batch([{ type: 'delete', key: keyOf(name) }])
      }),
  }
}
