import { systemTimers } from '../../time.ts'
import type { Clock, Timers } from '../../time.ts'
import { StoreCore } from '../core.ts'
import type { StoreMethods } from '../core.ts'
import { StoreError } from '../errors.ts'
import { boundsOf } from '../keys.ts'
import type { HistoryOptions, KeyRange, Lease, RangeOptions, RangeResult, Store, Txn, TxnResult, WatchBatch, WatchOptions } from '../store.ts'
import { WatchQueue } from '../watch-queue.ts'
import { MemoryState } from './memory-state.ts'

/** Options of `memoryStore`. */
export interface MemoryStoreOptions {
  /** For leases and the age of history (default: the system's monotonic clock). */
  readonly clock?: Clock
  /** For leases (default: the system's). */
  readonly timers?: Timers
  readonly history?: HistoryOptions
}

/**
 * A store in memory: for tests, and for a simulator, as nothing happens in it but by its clock, its timers and the order of calls.
 *
 * @example
 * await using store = memoryStore()
 * const made = await store.txn({
 *   compare: [{ key: 'e/7', absent: true }],
 *   success: [{ type: 'put', key: 'e/7', value: Buffer.from('node1') }],
 *   failure: [{ type: 'range', key: 'e/7' }],
 * })
 * made.succeeded // => true
 * const { entries } = await store.range({ prefix: 'e/' })
 * entries.map(({ key, modRevision }) => [key, modRevision]) // => [['e/7', made.revision]]
 */
export function memoryStore(options: MemoryStoreOptions = {}): Store {
  return new MemoryStore(options)
}

class MemoryStore implements Store {
  readonly #core: StoreCore
  #closed = false

  constructor({ clock = () => performance.now(), timers = systemTimers, history }: MemoryStoreOptions) {
    const state = new MemoryState({ clock, history })
    this.#core = new StoreCore(state, { clock, timers, onExpired: leases => this.#now('expire', leases) })
  }

  get revision(): number {
    return this.#core.revision
  }

  txn(txn: Txn): Promise<TxnResult> {
    return this.#call('txn', copied(txn))
  }

  range(range: KeyRange, options: RangeOptions = {}): Promise<RangeResult> {
    return this.#call('range', { range, ...options })
  }

  watch(range: KeyRange, { fromRevision, signal }: WatchOptions = {}): AsyncIterableIterator<WatchBatch, undefined> {
    if (this.#closed) throw new StoreError('closed')
    boundsOf(range)
    const { watchers } = this.#core
    let id: number | undefined
    const queue = new WatchQueue({
      signal,
      onTaken: batches => id !== undefined && watchers.took(id, batches),
      onEnd: () => id !== undefined && watchers.remove(id),
    })
    if (!queue.ended) id = watchers.add(range, fromRevision, queue)
    return queue
  }

  grantLease(ttlMs: number): Promise<Lease> {
    return this.#call('grantLease', ttlMs)
  }

  keepAlive(lease: number): Promise<Lease> {
    return this.#call('keepAlive', lease)
  }

  revoke(lease: number): Promise<{ readonly revision: number }> {
    return this.#call('revoke', lease)
  }

  compact(revision: number): Promise<void> {
    return this.#call('compact', revision)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#core.close(new StoreError('closed'))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #call<Name extends keyof StoreMethods>(name: Name, argument: Parameters<StoreMethods[Name]>[0]): Promise<ReturnType<StoreMethods[Name]>> {
    if (this.#closed) throw new StoreError('closed')
    return this.#now(name, argument)
  }

  #now<Name extends keyof StoreMethods>(name: Name, argument: Parameters<StoreMethods[Name]>[0]): ReturnType<StoreMethods[Name]> {
    const method = this.#core[name] as (argument: Parameters<StoreMethods[Name]>[0]) => ReturnType<StoreMethods[Name]> // by the name's type
    try {
      return method.call(this.#core, argument)
    } finally {
      this.#core.committed()
    }
  }
}

/** The store keeps what it is given; the caller's buffer may be used again. */
function copied(txn: Txn): Txn {
  const own = (list: Txn['success']): Txn['success'] =>
    list?.map(operation => (operation.type === 'put' ? { ...operation, value: new Uint8Array(operation.value) } : operation))
  return { ...txn, success: own(txn.success), failure: own(txn.failure) }
}
