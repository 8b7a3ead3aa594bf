/** What is kept for a time, or up to a number, goes when it is over: one worker sees to it for all. */

import type { Entry, Store } from '@holdfast/cluster'
import type { KeyRecord } from '../operations/operations.ts'
import type { OperationRecord } from '../operations/record.ts'
import { isEnded } from '../operations/states.ts'
import type { CoreLimits } from './core.ts'
import { idsFrom, newestFirst } from './ids.ts'
import type { Journal } from './journal.ts'
import { fromJson, keys, lastOf } from './keys.ts'
import { pagesOf } from './pages.ts'
import type { Writes } from './writes.ts'

/** What pruning needs. */
export interface PruneOptions {
  readonly store: Store
  readonly journal: Journal
  readonly nowMs: number
  readonly limits: Pick<CoreLimits, 'operations' | 'operationsMs' | 'audit' | 'idempotencyMs'>
}

/** Deletes at once, so that others come between. */
const atOnce = 40

/** Prunes operations, the audit log and idempotency keys. Rejects as the store and the journal do. */
export async function prune(options: PruneOptions): Promise<void> {
  const { nowMs, limits } = options
  const oldest = newestFirst(idsFrom(nowMs - limits.operationsMs))
  await pruneWhere(options, keys.operations, {
    isOver: ({ key, value }, index) => (index >= limits.operations || lastOf(key) > oldest) && isEnded(fromJson<OperationRecord>(value).shown.state),
    remove(writes, { key, value }) {
      const { shown } = fromJson<OperationRecord>(value)
      writes.delete(key)
      writes.delete(keys.operationOf(shown.session, shown.id))
    },
  })
  await pruneWhere(options, keys.audit, { isOver: (_, index) => index >= limits.audit })
  await pruneWhere(options, keys.idempotencyKeys, { isOver: ({ value }) => fromJson<KeyRecord>(value).atMs + limits.idempotencyMs <= nowMs })
}

interface Rule {
  readonly isOver: (entry: Entry, index: number) => boolean
  readonly remove?: (writes: Writes, entry: Entry) => void
}

async function pruneWhere(
  { store, journal }: PruneOptions,
  prefix: string,
  { isOver, remove = (writes, { key }) => writes.delete(key) }: Rule,
): Promise<void> {
  let index = 0
  for await (const entries of pagesOf(store, prefix)) {
    const over = entries.filter(entry => isOver(entry, index++))
    for (let at = 0; at < over.length; at += atOnce) {
      const write = (writes: Writes): void => {
        for (const entry of over.slice(at, at + atOnce)) remove(writes, entry)
      }
      await journal.write({ write })
    }
  }
}
