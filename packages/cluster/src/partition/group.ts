import { StoreError } from '../store/errors.ts'
import { checkKey } from '../store/keys.ts'
import { sizeOf, storeLimits } from '../store/limits.ts'
import type { PartitionOperation } from './partition.ts'

/** What one caller wants done: each key once, the last operation of a key. Throws `invalid-key`, `too-many-operations`, `too-large`. */
export class Wish {
  readonly operations: ReadonlyMap<string, PartitionOperation>

  constructor(operations: readonly PartitionOperation[], maxBytes: number) {
    for (const { key } of operations) checkKey(key)
    this.operations = new Map(operations.map(operation => [operation.key, operation]))
    const count = this.operations.size
    if (count > storeLimits.maxOperations) {
      throw new StoreError('too-many-operations', `${count} keys in one call, at most ${storeLimits.maxOperations} may be`)
    }
    const bytes = [...this.operations.values()].reduce((sum, operation) => sum + sizeOf(operation), 0)
    if (bytes > maxBytes) throw new StoreError('too-large', `${bytes} bytes in one call, at most ${maxBytes} may be`)
  }
}

/** The wishes of several callers on their way into one transaction. Of two operations on a key the later one counts. */
export class Group {
  readonly #maxBytes: number
  readonly #operations = new Map<string, PartitionOperation>()
  readonly #callers: PromiseWithResolvers<number>[] = []
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get operations(): readonly PartitionOperation[] {
    return [...this.#operations.values()]
  }

  /** Takes all of a caller's operations, or none: undefined when there is no room. Resolves to the revision of the transaction. */
  join({ operations }: Wish): Promise<number> | undefined {
    let count = this.#operations.size
    let bytes = this.#bytes
    for (const [key, operation] of operations) {
      const replaced = this.#operations.get(key)
      if (replaced === undefined) count++
      bytes += sizeOf(operation) - (replaced === undefined ? 0 : sizeOf(replaced))
    }
    if (count > storeLimits.maxOperations || bytes > this.#maxBytes) return undefined
    for (const [key, operation] of operations) this.#operations.set(key, operation)
    this.#bytes = bytes
    const caller = Promise.withResolvers<number>()
    this.#callers.push(caller)
    return caller.promise
  }

  resolve(revision: number): void {
    for (const caller of this.#callers) caller.resolve(revision)
  }

  reject(error: unknown): void {
    for (const caller of this.#callers) caller.reject(error)
  }
}
