/** A map of flows, for the data thread: keys and values are Buffers that are used again, with fields at `offsetsOf(DirectorEntry)` and `offsetsOf(AgentEntry)`. */

import { BPF_ANY, BPF_EXIST, BPF_NOEXIST } from '@holdfast/posix/bpf'
import type { BpfMap } from '@holdfast/posix/bpf'
import { FlowKey } from './entries.ts'

/** What an update may do. */
export const UpdateMode = { any: BPF_ANY, new: BPF_NOEXIST, existing: BPF_EXIST } as const
/** One of `UpdateMode`. */
export type UpdateMode = (typeof UpdateMode)[keyof typeof UpdateMode]

/** Writes the agent's own fields of an entry, leaves what the program counts, and adds flags to those that it has seen. 0 or -ENOENT. */
export type ChangeEntry = (key: Buffer, value: Buffer) => number

/** Entries by `FlowKey`. */
export class FlowMap {
  readonly keyBytes: number = FlowKey.fixedSize
  readonly valueBytes: number
  readonly maxEntries: number
  readonly #map: BpfMap
  readonly #change: ChangeEntry

  constructor(map: BpfMap, change: ChangeEntry) {
    this.#map = map
    this.#change = change
    this.valueBytes = map.valueBytes
    this.maxEntries = map.maxEntries
  }

  /** Reads an entry to `value`. False: there is none. */
  lookup(key: Buffer, value: Buffer): boolean {
    return this.#map.lookup(key, value) === 0
  }

  /** Writes an entry whole. 0, -EEXIST, -ENOENT, or -E2BIG when the map is full. */
  update(key: Buffer, value: Buffer, mode: UpdateMode = UpdateMode.any): number {
    return this.#map.update(key, value, mode)
  }

  /**
   * Writes the fields of an entry that are the agent's, in one call and where the entry is; what the program counts in it (`packets` to `lastSequenceEnd` of a `DirectorEntry`;
   * `captured` to `synAck` of an `AgentEntry`) stays as it is there: after `lookup`, `update` would lose a FIN that comes in between. `flagsSeen` of a `DirectorEntry` are added to those that are there. 0 or -ENOENT.
   */
  change(key: Buffer, value: Buffer): number {
    return this.#change(key, value)
  }

  /** False: there was none. */
  remove(key: Buffer): boolean {
    return this.#map.remove(key) === 0
  }

  /** Calls `visit` with each entry; both Buffers are used again for the next. What changes meanwhile may be seen or not. Entries may be removed in it. */
  forEach(visit: (key: Buffer, value: Buffer) => void): void {
    this.#map.forEach(visit)
  }
}
