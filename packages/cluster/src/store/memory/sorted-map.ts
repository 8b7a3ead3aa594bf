import { compareKeys } from '../keys.ts'
import type { Bounds } from '../keys.ts'
import type { Entry } from '../store.ts'

const fullChunk = 512

/** Entries by key, in the order of keys: a list of short sorted lists. */
export class SortedEntries {
  readonly #entries = new Map<string, Entry>()
  /** Sorted keys; no list is empty. */
  readonly #chunks: string[][] = []

  get(key: string): Entry | undefined {
    return this.#entries.get(key)
  }

  set(entry: Entry): void {
    if (!this.#entries.has(entry.key)) this.#insert(entry.key)
    this.#entries.set(entry.key, entry)
  }

  delete(key: string): void {
    if (!this.#entries.delete(key)) return
    const at = this.#chunkOf(key)
    const chunk = this.#chunks[at]
    chunk.splice(place(chunk, key), 1)
    if (chunk.length === 0) this.#chunks.splice(at, 1)
  }

  scan({ from, to }: Bounds, limit: number): Entry[] {
    const found: Entry[] = []
    for (let at = this.#chunkOf(from); at < this.#chunks.length; at++) {
      const chunk = this.#chunks[at]
      for (let i = place(chunk, from); i < chunk.length; i++) {
        if (found.length >= limit || (to !== undefined && compareKeys(chunk[i], to) >= 0)) return found
        found.push(this.#entries.get(chunk[i]) as Entry) // every key in a list is in the map
      }
    }
    return found
  }

  #insert(key: string): void {
    const at = Math.min(this.#chunkOf(key), this.#chunks.length - 1)
    if (at < 0) {
      this.#chunks.push([key])
      return
    }
    const chunk = this.#chunks[at]
    chunk.splice(place(chunk, key), 0, key)
    if (chunk.length > fullChunk) this.#chunks.splice(at + 1, 0, chunk.splice(fullChunk >> 1))
  }

  /** The first list whose last key is not before this key. */
  #chunkOf(key: string): number {
    let low = 0
    let high = this.#chunks.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (compareKeys(this.#chunks[middle].at(-1) ?? '', key) < 0) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** Where a key is in a sorted list, or would be. */
function place(keys: readonly string[], key: string): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (compareKeys(keys[middle], key) < 0) low = middle + 1
    else high = middle
  }
  return low
}
