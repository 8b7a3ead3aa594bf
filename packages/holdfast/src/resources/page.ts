/** Lists in pages: whatever is listed is in the order of a key, and a page begins after the last key of the one before. */

/** Which page of a list. */
export interface PageRequest {
  /** At most so many items, 1 to 1000; 100 where undefined. */
  readonly limit?: number | undefined
  /** `next` of the page before; the first page where undefined. */
  readonly cursor?: string | undefined
}

/** A page of a list. Items that come and go while it is read may be in it or not; all others are in it once. */
export interface Page<Item> {
  readonly items: readonly Item[]
  /** The cursor of the next page; null for the last. */
  readonly next: string | null
}

const limitDefault = 100
const limitMost = 1000

/** How many items a page has at most. */
export const limitOf = ({ limit = limitDefault }: PageRequest): number => Math.min(Math.max(1, Math.trunc(limit)), limitMost)

/** One page of what is listed, in whatever order it comes. */
export function pageOf<Item>(all: Iterable<Item>, keyOf: (item: Item) => string, page: PageRequest = {}): Page<Item> {
  const limit = limitOf(page)
  const found = new Selection<Item>(limit + 1, page.cursor)
  for (const item of all) found.offer(keyOf(item), item)
  const items = found.items.slice(0, limit)
  return { items, next: found.items.length > limit ? keyOf(items[limit - 1]) : null }
}

/** What several have to be asked for, for one page of all: one more than fits tells whether that is all. */
export const partOf = (page: PageRequest): { readonly limit: number; readonly cursor?: string } => ({
  limit: limitOf(page) + 1,
  ...(page.cursor !== undefined && { cursor: page.cursor }),
})

/** The first items after a cursor: what is offered in order, or nearly, costs a comparison where it is not among them. */
export class Selection<Item, Key extends string | bigint = string> {
  readonly #limit: number
  readonly #after: Key | undefined
  readonly #keys: Key[] = []
  readonly #items: Item[] = []

  constructor(limit: number, after: Key | undefined) {
    this.#limit = limit
    this.#after = after
  }

  /** In the order of their keys. */
  get items(): readonly Item[] {
    return this.#items
  }

  offer(key: Key, item: Item): void {
    if (!this.wants(key)) return
    let low = 0
    let high = this.#keys.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#keys[middle] < key) low = middle + 1
      else high = middle
    }
    this.#keys.splice(low, 0, key)
    this.#items.splice(low, 0, item)
    if (this.#keys.length <= this.#limit) return
    this.#keys.pop()
    this.#items.pop()
  }

  /** Whether something with this key would be among them as things are. */
  wants(key: Key): boolean {
    if (this.#after !== undefined && key <= this.#after) return false
    return this.#keys.length < this.#limit || key < this.#keys[this.#limit - 1]
  }
}
