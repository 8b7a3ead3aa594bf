/** What persistent opens are is in a store before their clients are told (MS-SMB2 3.3.5.9.10, Open.IsPersistent). */
import { Pending } from './pending.ts'
import type { OpenRecord } from './types.ts'

/** Where the owner of a partition keeps the records of its persistent opens. Others' writes fail once another owner has claimed it. */
export interface OpenStore {
  /** All records, as the last owner left them. */
  load(): Promise<readonly OpenRecord[]>
  /** Resolves when all of it will survive the process, in the order of the calls. Where it rejects, any part of it may: it is written again. */
  write(changes: OpenChanges): Promise<void>
}

/** Records to keep, in place of older ones of the same opens, and ids of opens that have ended. */
export interface OpenChanges {
  readonly put: readonly OpenRecord[]
  readonly remove: readonly bigint[]
}

/** Collects which opens have changed, and has them written before anybody hears of it. */
export class Journal {
  readonly #store: OpenStore
  /** The record of a persistent open; undefined for what is none, or closed. */
  readonly #recordOf: (openId: bigint) => OpenRecord | undefined
  readonly #changed = new Set<bigint>()
  readonly #stored = new Set<bigint>()
  /** All that is on its way to the store. */
  #writing: Promise<void> | undefined

  constructor(store: OpenStore, recordOf: (openId: bigint) => OpenRecord | undefined) {
    this.#store = store
    this.#recordOf = recordOf
  }

  /** Reads what the last owner left. */
  async load(): Promise<readonly OpenRecord[]> {
    const records = await this.#store.load()
    for (const { openId } of records) this.#stored.add(openId)
    return records
  }

  /** The open (if it is persistent) is not what the store has. */
  note(openId: bigint): void {
    if (this.#stored.has(openId) || this.#recordOf(openId) !== undefined) this.#changed.add(openId)
  }

  /**
   * Writes what has changed; undefined where the store has all of it. What somebody else is having written is waited for as well: it may be
   * what the caller has changed. After a failure it is tried again with the next change.
   */
  flush(): Promise<void> | undefined {
    if (this.#changed.size > 0) this.#write()
    return this.#writing
  }

  #write(): void {
    const openIds = [...this.#changed]
    this.#changed.clear()
    const put: OpenRecord[] = []
    const remove: bigint[] = []
    for (const openId of openIds) {
      const record = this.#recordOf(openId)
      if (record !== undefined) put.push(record)
      else if (this.#stored.has(openId)) remove.push(openId)
    }
    for (const { openId } of put) this.#stored.add(openId)
    for (const openId of remove) this.#stored.delete(openId)
    if (put.length + remove.length === 0) return
    const write = this.#store.write({ put, remove }).catch((error: unknown) => {
      for (const openId of remove) this.#stored.add(openId)
      for (const openId of openIds) this.#changed.add(openId)
      throw error
    })
    const writing = Promise.all([this.#writing, write])
      .then(() => undefined)
      .finally(() => {
        if (this.#writing === writing) this.#writing = undefined
      })
    this.#writing = writing
  }
}

/** The result, once what has changed is written; at once where nothing has. */
export function afterFlush<T>(journal: Journal | undefined, result: T): T | Promise<T> {
  const flushed = journal?.flush()
  return flushed === undefined ? result : flushed.then(() => result)
}

/** The same for a result that may be pending. `failed` undoes what was granted and could not be written. */
export function pendingAfterFlush<T>(
  journal: Journal | undefined,
  result: T | Pending<T>,
  { noted, failed }: { readonly noted?: (result: T) => void; readonly failed: (result: T, error: unknown) => T },
): T | Pending<T> {
  if (journal === undefined) return result
  if (!(result instanceof Pending)) {
    noted?.(result)
    const flushed = journal.flush()
    if (flushed === undefined) return result
    const pending = new Pending<T>({ waiting: false })
    flushed.then(
      () => pending.settle(result),
      (error: unknown) => pending.settle(failed(result, error)),
    )
    return pending
  }
  const outer = new Pending<T>({ waiting: false, cancel: () => result.cancel() })
  result.onWaiting(() => outer.markWaiting())
  void result.promise.then(async settled => {
    noted?.(settled)
    try {
      await journal.flush()
      outer.settle(settled)
    } catch (error) {
      outer.settle(failed(settled, error))
    }
  })
  return outer
}
