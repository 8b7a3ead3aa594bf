import { StoreError } from '../store/errors.ts'
import { prefixEnd } from '../store/keys.ts'
import { storeLimits } from '../store/limits.ts'
import type { Entry, Store, Txn } from '../store/store.ts'
import { Group, Wish } from './group.ts'
import { decodeRecord, encodeRecord, ownerOf, ownershipKey } from './ownership.ts'
import type { FoundRecord, OwnershipRecord } from './ownership.ts'

/** What an owner does to a key of its partition. */
export type PartitionOperation =
  | { readonly type: 'put'; readonly key: string; readonly value: Uint8Array }
  | { readonly type: 'delete'; readonly key: string }

/** Who claims what. */
export interface ClaimOptions {
  readonly partition: string
  /** Unique to one run of one node: nobody else ever claims under this name. */
  readonly incarnation: string
  /** Claim only while the record is the one of this revision (0: while there is none); where undefined, whatever it is now. */
  readonly modRevision?: number
}

const pageEntries = 1000
const maxAttempts = 5

/**
 * Becomes the owner of a partition, in the epoch after the last one. From then on the owner before can change nothing any more.
 *
 * Rejects with `not-owner` when somebody else was faster (or the record is not the one of `modRevision`), and as `Store.txn` does. After
 * `unavailable` the partition may have been claimed: claim it again.
 *
 * @example
 * await using store = memoryStore()
 * const partition = await claimPartition(store, { partition: '7', incarnation: 'node1.1' })
 * await partition.batch([{ type: 'put', key: 'h/7/1', value: Buffer.from('a handle') }])
 * const handles = await partition.read('h/7/')
 * handles.map(({ key }) => key) // => ['h/7/1']
 */
export async function claimPartition(store: Store, { partition, incarnation, modRevision }: ClaimOptions): Promise<PartitionStore> {
  const found = await ownerOf(store, partition)
  const seen = found?.modRevision ?? 0
  if (modRevision !== undefined && modRevision !== seen) throw notOwner(partition, found)
  const record = { incarnation, epoch: (found?.epoch ?? 0) + 1 }
  const revision = await writeRecord(store, partition, { seen, record })
  return new PartitionStore(store, { partition, record: { ...record, modRevision: revision } })
}

const isUnavailable = (error: unknown): boolean => error instanceof StoreError && error.code === 'unavailable'

const isOurs = (found: OwnershipRecord, ours: OwnershipRecord): boolean => found.incarnation === ours.incarnation && found.epoch === ours.epoch

function notOwner(partition: string, found: OwnershipRecord | undefined): StoreError {
  const owner = found === undefined ? 'nobody' : `${found.incarnation} in epoch ${found.epoch}`
  return new StoreError('not-owner', `partition ${partition} belongs to ${owner}`)
}

/** Writes a record over the one of revision `seen`; returns the revision of what is written. A record that is there already is as good. */
async function writeRecord(store: Store, partition: string, { seen, record }: { seen: number; record: OwnershipRecord }): Promise<number> {
  const key = ownershipKey(partition)
  const write: Txn = {
    compare: [{ key, modRevision: seen }],
    success: [{ type: 'put', key, value: encodeRecord(record) }],
    failure: [{ type: 'range', key }],
  }
  const { succeeded, revision, results } = await store.txn(write)
  if (succeeded) return revision
  const [entry] = results[0].type === 'range' ? results[0].entries : []
  const found = entry === undefined ? undefined : decodeRecord(entry)
  if (found !== undefined && isOurs(found, record)) return found.modRevision
  throw notOwner(partition, found)
}

/**
 * What the owner of a partition writes. Every transaction compares that the partition's record is still that of this owner, so whoever lost the
 * partition changes nothing. One transaction is under way at a time; what is asked for meanwhile goes into the next one (group commit).
 */
export class PartitionStore implements OwnershipRecord {
  readonly partition: string
  readonly incarnation: string
  readonly epoch: number
  readonly #store: Store
  readonly #maxBytes: number
  #recordRevision: number
  /** In the order of the calls. All but the last are full. */
  #groups: Group[] = []
  #writing: Promise<void> | undefined
  /** The outcome of a transaction is unknown: it may yet happen. */
  #isUncertain = false
  #fencing: Promise<void> | undefined
  /** Why nothing can be written any more. */
  #ended: StoreError | undefined

  /** For `claimPartition`: the record has just been written. */
  constructor(store: Store, { partition, record }: { partition: string; record: FoundRecord }) {
    this.#store = store
    this.partition = partition
    this.incarnation = record.incarnation
    this.epoch = record.epoch
    this.#recordRevision = record.modRevision
    this.#maxBytes = storeLimits.maxBytes - Buffer.byteLength(ownershipKey(partition))
  }

  /**
   * Puts and deletes keys, all of them or none, after everything that was asked for before; resolves to the revision when it is on disk. Several
   * calls may share a transaction; of two operations on a key the later one counts. Values must not change before the answer.
   *
   * Rejects with `not-owner` when the partition has another owner (and so does everything later), `closed`, `too-many-operations` (100 keys),
   * `too-large` (1 MiB), `invalid-key`, `no-space`. After `unavailable` it may have happened; once a later call is answered it is certain:
   * what had not happened until then never will, and `read` tells.
   */
  async batch(operations: readonly PartitionOperation[]): Promise<number> {
    if (this.#ended !== undefined) throw this.#ended
    const wish = new Wish(operations, this.#maxBytes)
    if (operations.length === 0) return this.#store.revision
    const joined = this.#groups.at(-1)?.join(wish) ?? this.#newGroup().join(wish)
    this.#writing ??= this.#write()
    return joined as Promise<number> // what one wish may hold, an empty group has room for
  }

  /** All entries with a prefix, as of one revision, with all that was answered before. Rejects as `Store.range` does. */
  async read(prefix: string): Promise<Entry[]> {
    if (this.#isUncertain) await this.#fence()
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#readPages(prefix)
      } catch (error) {
        // Others write so much that the first page's revision is compacted before the last page was read.
        if (!(error instanceof StoreError) || error.code !== 'compacted' || attempt === maxAttempts) throw error
      }
    }
  }

  /** Writes what has been asked for, and nothing that is asked for later (`closed`). The record stays. */
  async close(): Promise<void> {
    this.#ended ??= new StoreError('closed', `partition ${this.partition} is closed`)
    await this.#writing
  }

  async #readPages(prefix: string): Promise<Entry[]> {
    const to = prefixEnd(prefix)
    const entries: Entry[] = []
    let revision: number | undefined
    for (let from = prefix; ;) {
      const page = await this.#store.range({ from, to }, { limit: pageEntries, revision })
      revision ??= page.revision
      entries.push(...page.entries)
      if (!page.more) return entries
      from = `${page.entries.at(-1)?.key}\0`
    }
  }

  #newGroup(): Group {
    const group = new Group(this.#maxBytes)
    this.#groups.push(group)
    return group
  }

  async #write(): Promise<void> {
    // Calls of this turn join the first group.
    await Promise.resolve()
    for (let group = this.#groups.shift(); group !== undefined; group = this.#groups.shift()) await this.#commit(group)
    this.#writing = undefined
  }

  async #commit(group: Group): Promise<void> {
    try {
      if (this.#isUncertain) await this.#fence()
      const compare = [{ key: ownershipKey(this.partition), modRevision: this.#recordRevision }]
      const { succeeded, revision } = await this.#store.txn({ compare, success: group.operations })
      if (!succeeded) throw notOwner(this.partition, await ownerOf(this.#store, this.partition))
      group.resolve(revision)
    } catch (error) {
      // The group's callers hear of it.
      if (isUnavailable(error)) this.#isUncertain = true
      group.reject(error)
      if (error instanceof StoreError && error.code === 'not-owner') this.#lose(error)
    }
  }

  /**
   * Writes the record anew, so that a transaction whose outcome is unknown fails its compare if it comes later. Whoever else claims in between
   * wins.
   */
  #fence(): Promise<void> {
    return (this.#fencing ??= this.#writeFence().finally(() => (this.#fencing = undefined)))
  }

  async #writeFence(): Promise<void> {
    this.#recordRevision = await writeRecord(this.#store, this.partition, { seen: this.#recordRevision, record: this })
    this.#isUncertain = false
  }

  #lose(error: StoreError): void {
    this.#ended ??= error
    for (const group of this.#groups.splice(0)) group.reject(error)
  }
}
