/** Lists of the store in pages, the newest first. */

import { prefixEnd } from '@holdfast/cluster'
import type { Entry, Store } from '@holdfast/cluster'
import type { Page } from './core.ts'
import { idPattern, newestFirst } from './ids.ts'
import { fromJson, lastOf } from './keys.ts'
import { ManagementError } from './problems.ts'

const limitDefault = 100
const entriesMost = 1000
const readAtOnce = 500
/** What is looked at for one page of a list that leaves things out. */
const pagesMost = 20

/** Entries under a prefix, from a key on, a page at a time, each page as of when it is read. */
export async function* pagesOf(store: Store, prefix: string, from: string = prefix): AsyncGenerator<readonly Entry[], void> {
  for (let begin = from; ;) {
    const { entries, more } = await store.range({ from: begin, to: prefixEnd(prefix) }, { limit: readAtOnce })
    if (entries.length > 0) yield entries
    if (!more) return
    begin = `${entries.at(-1)?.key}\0`
  }
}

/** A page of a list: what `shown` makes of each record; what it leaves out (undefined) is not in it. Rejects with `INVALID` for a cursor that is none. */
export async function listPage<Kept, Item>(
  store: Store,
  options: {
    readonly prefix: string
    readonly keyOf: (id: string) => string
    readonly cursor: string | undefined
    readonly limit: number | undefined
    readonly shown: (record: Kept) => Item | undefined
  },
): Promise<Page<Item>> {
  const { prefix, keyOf, cursor, shown } = options
  if (cursor !== undefined && !idPattern.test(cursor)) throw new ManagementError('INVALID', 'The cursor is not one of this list.')
  const limit = Math.min(Math.max(1, options.limit ?? limitDefault), entriesMost)
  const items: Item[] = []
  let from = cursor === undefined ? prefix : `${keyOf(cursor)}\0`
  for (let pages = 0; pages < pagesMost; pages++) {
    const { entries, more } = await store.range({ from, to: prefixEnd(prefix) }, { limit: Math.min(limit + 1, readAtOnce) })
    for (const [index, { key, value }] of entries.entries()) {
      const item = shown(fromJson<Kept>(value))
      if (item !== undefined) items.push(item)
      const isLast = index === entries.length - 1 && !more
      if (items.length === limit) return { items, next: isLast ? null : newestFirst(lastOf(key)) }
      from = `${key}\0`
    }
    if (!more) return { items, next: null }
  }
  return { items, next: newestFirst(lastOf(from.slice(0, -1))) }
}
