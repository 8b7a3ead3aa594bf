/** The map of openings, for the data thread: keys and values are Buffers that are used again, with fields at `offsetsOf(OpeningEntry)`. */

import type { BpfMap } from '@holdfast/posix/bpf'
import { FlowKey, OpeningEntry } from './entries.ts'

/** Entries by `FlowKey`, client → VIP. When it is full, those that nobody has heard of for the longest time make room for new ones. */
export class OpeningMap {
  readonly keyBytes: number = FlowKey.fixedSize
  readonly valueBytes: number = OpeningEntry.fixedSize
  readonly #map: BpfMap

  constructor(map: BpfMap) {
    this.#map = map
  }

  /** Reads an opening to `value` and removes it: from then on the program knows nothing of it. False: there is none. */
  take(key: Buffer, value: Buffer): boolean {
    return this.#map.take(key, value) === 0
  }

  /** Puts back what was taken. 0 or -errno. */
  put(key: Buffer, value: Buffer): number {
    return this.#map.update(key, value)
  }

  /** Reads an opening to `value`. False: there is none. */
  lookup(key: Buffer, value: Buffer): boolean {
    return this.#map.lookup(key, value) === 0
  }

  /** How many there are: all are counted, so this is for tests and measurements. */
  get count(): number {
    let count = 0
    this.#map.forEach(() => count++)
    return count
  }
}
