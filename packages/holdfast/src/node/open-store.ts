/** Keeps the persistent opens of a share in the node's store (`@holdfast/cluster`), as the partition that the share is. */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { claimPartition, sqliteStore } from '@holdfast/cluster'
import type { PartitionOperation, PartitionStore, SqliteStore, Store } from '@holdfast/cluster'
import type { WorkerNode } from '@holdfast/engine'
import type { OpenStore } from '@holdfast/smb/server'
import { decodeOpenRecord, encodeOpenRecord } from './open-record.ts'

/** Nobody watches what becomes of opens; and a share reads its own at one revision while others may write. */
const history = { revisions: 1000, bytes: 512 * 1024 }

/** The file of the store of a node that runs on this state. */
export const nodeStoreOf = (stateDir: string): string => join(stateDir, 'store.sqlite')

/** The store of a node, in a file. */
export const openNodeStore = (path: string): Promise<SqliteStore> => sqliteStore({ path, history })

/** The store takes 100 operations in a transaction; one of them compares the owner. */
const mostAtOnce = 90

const partitionOf = (share: string): string => `share/${share.toLowerCase()}`

/** What the keys of a share's persistent opens begin with. */
export const openPrefixOf = (share: string): string => `h/${partitionOf(share)}/`

/** `node` is the worker that arbitrates; it claims the partition when it loads. */
export function openStoreOf(store: Store, share: string, node: Pick<WorkerNode, 'beginAsync' | 'endAsync'>): OpenStore {
  const partition = partitionOf(share)
  const prefix = openPrefixOf(share)
  const keyOf = (openId: bigint): string => prefix + openId.toString(16).padStart(16, '0')
  let owned: PartitionStore | undefined
  /** The store answers by the event loop. */
  const attentively = async <T>(action: () => Promise<T>): Promise<T> => {
    node.beginAsync()
    try {
      return await action()
    } finally {
      node.endAsync()
    }
  }
  return {
    load: () =>
      attentively(async () => {
        owned = await claimPartition(store, { partition, incarnation: randomUUID() })
        return (await owned.read(prefix)).map(({ value }) => decodeOpenRecord(value))
      }),
    write: ({ put, remove }) =>
      attentively(async () => {
        if (owned === undefined) throw new Error(`the partition ${partition} has not been claimed`)
        const operations: PartitionOperation[] = [
          ...put.map(record => ({ type: 'put' as const, key: keyOf(record.openId), value: encodeOpenRecord(record) })),
          ...remove.map(openId => ({ type: 'delete' as const, key: keyOf(openId) })),
        ]
        const batches: Promise<number>[] = []
        for (let at = 0; at < operations.length; at += mostAtOnce) batches.push(owned.batch(operations.slice(at, at + mostAtOnce)))
        await Promise.all(batches)
      }),
  }
}
