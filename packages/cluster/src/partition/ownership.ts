import type { Entry, Store } from '../store/store.ts'

/** Who owns a partition: an incarnation (a node's name and a number that grows with every start of it), for the time of an epoch. */
export interface OwnershipRecord {
  readonly incarnation: string
  /** Grows by one with every claim. */
  readonly epoch: number
}

/** A record as it was read, with the revision that wrote it. */
export interface FoundRecord extends OwnershipRecord {
  readonly modRevision: number
}

/** The key of a partition's record. */
export const ownershipKey = (partition: string): string => `e/${partition}`

/** A record as its value. */
export const encodeRecord = ({ incarnation, epoch }: OwnershipRecord): Uint8Array => Buffer.from(JSON.stringify({ incarnation, epoch }))

/** A record from its entry. */
export function decodeRecord({ value, modRevision }: Entry): FoundRecord {
  const { incarnation, epoch } = JSON.parse(Buffer.from(value).toString()) as OwnershipRecord // written by `encodeRecord` only
  return { incarnation, epoch, modRevision }
}

/**
 * Who owns a partition; undefined when nobody ever claimed it. Rejects as `Store.range` does.
 *
 * @example
 * await using store = memoryStore()
 * await claimPartition(store, { partition: '7', incarnation: 'node1.1' })
 * await ownerOf(store, '7') // => { incarnation: 'node1.1', epoch: 1, modRevision: 1 }
 */
export async function ownerOf(store: Store, partition: string): Promise<FoundRecord | undefined> {
  const { entries } = await store.range({ key: ownershipKey(partition) })
  return entries.length === 0 ? undefined : decodeRecord(entries[0])
}
