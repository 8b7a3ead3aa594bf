import { once } from 'node:events'
import { resolve } from 'node:path'
import { MessageChannel, Worker } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import type { HistoryOptions, KeyRange, Lease, RangeOptions, RangeResult, Store, Txn, TxnResult, WatchBatch, WatchOptions } from '../store.ts'
import { StoreError } from '../errors.ts'
import { thrown } from './messages.ts'
import type { Control, Opened } from './messages.ts'
import { openStorePort } from './port-store.ts'
import type { ThreadOptions } from './thread.ts'

/** Options of `sqliteStore`. */
export interface SqliteStoreOptions {
  /** The database file; made, readable by its owner only, where there is none. Its folder has to exist. */
  readonly path: string
  /** `FULL` (default): what was answered survives a loss of power. `NORMAL`: it survives the death of the process, and is faster. */
  readonly synchronous?: 'FULL' | 'NORMAL'
  /** Largest size of the file in bytes, its write-ahead log not counted; `no-space` beyond (default: as large as the disk). */
  readonly maxBytes?: number
  readonly history?: HistoryOptions
}

/** A store in a database file of this machine. */
export interface SqliteStore extends Store {
  /** Another way to the same store, for another thread: send it there (it is transferable) and call `openStorePort` on it. Throws `closed`. */
  connect(): MessagePort
}

/**
 * Opens a store in a SQLite database, which a thread of its own owns: calls of all clients that come while it writes are committed together, and
 * each is answered when it is on disk.
 *
 * Rejects with `locked` (another process has it open), `folder-missing`, `no-permission`, `not-a-store`, `newer-schema`, `corrupt`, `no-space`; each
 * message says what to do. Should the thread die, everything rejects with `unavailable` from then on: open the store again.
 *
 * @example
 * await using store = await sqliteStore({ path: 'cluster.db' })
 * await store.txn({ success: [{ type: 'put', key: 'nodes/1/addr', value: Buffer.from('192.0.2.1') }] })
 * for await (const { events } of store.watch({ prefix: 'nodes/' }, { fromRevision: 1 })) {
 *   events.map(({ type, key }) => `${type} ${key}`) // => ['put nodes/1/addr']
 *   break
 * }
 */
export async function sqliteStore({ path, synchronous = 'FULL', maxBytes, history }: SqliteStoreOptions): Promise<SqliteStore> {
  const workerData: ThreadOptions = { path: resolve(path), synchronous, maxBytes, history }
  const thread = new Worker(new URL('./thread.ts', import.meta.url), { workerData })
  const [opened] = (await once(thread, 'message')) as [Opened]
  if (opened.type === 'open') return new ThreadStore(thread)
  await thread.terminate()
  throw thrown(opened.error)
}

class ThreadStore implements SqliteStore {
  readonly #thread: Worker
  readonly #exited: Promise<unknown>
  readonly #client: Store
  #closing: Promise<void> | undefined

  constructor(thread: Worker) {
    this.#thread = thread
    this.#exited = new Promise(exited => thread.once('exit', exited))
    // What the thread threw is told by its exit: clients hear of the closed port and reject with `unavailable`.
    thread.on('error', () => {})
    this.#client = openStorePort(this.connect())
  }

  get revision(): number {
    return this.#client.revision
  }

  connect(): MessagePort {
    if (this.#closing !== undefined) throw new StoreError('closed')
    const { port1, port2 } = new MessageChannel()
    this.#control({ type: 'connect', port: port1 }, [port1])
    return port2
  }

  txn(txn: Txn): Promise<TxnResult> {
    return this.#client.txn(txn)
  }

  range(range: KeyRange, options?: RangeOptions): Promise<RangeResult> {
    return this.#client.range(range, options)
  }

  watch(range: KeyRange, options?: WatchOptions): AsyncIterableIterator<WatchBatch, undefined> {
    return this.#client.watch(range, options)
  }

  grantLease(ttlMs: number): Promise<Lease> {
    return this.#client.grantLease(ttlMs)
  }

  keepAlive(lease: number): Promise<Lease> {
    return this.#client.keepAlive(lease)
  }

  revoke(lease: number): Promise<{ readonly revision: number }> {
    return this.#client.revoke(lease)
  }

  compact(revision: number): Promise<void> {
    return this.#client.compact(revision)
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #close(): Promise<void> {
    await this.#client.close()
    this.#control({ type: 'close' })
    await this.#exited
  }

  #control(control: Control, transfer: readonly MessagePort[] = []): void {
    this.#thread.postMessage(control, transfer)
  }
}
