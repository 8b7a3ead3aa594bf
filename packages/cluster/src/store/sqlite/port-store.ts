import type { MessagePort } from 'node:worker_threads'
import type { StoreMethods } from '../core.ts'
import { StoreError } from '../errors.ts'
import { boundsOf } from '../keys.ts'
import type { KeyRange, Lease, RangeOptions, RangeResult, Store, Txn, TxnResult, WatchBatch, WatchOptions } from '../store.ts'
import { WatchQueue } from '../watch-queue.ts'
import { thrown, ValuePacker } from './messages.ts'
import type { CallName, Replies, Reply, Request } from './messages.ts'

/**
 * The store behind a port that `SqliteStore.connect` gave, in whatever thread the port was sent to. Calls of one turn of the event loop travel in
 * one message. Closing it closes the port, and nothing else.
 *
 * @example
 * await using store = await sqliteStore({ path: 'ports.db' })
 * await using other = openStorePort(store.connect()) // usually in a worker thread, which was sent the port
 * await other.txn({ success: [{ type: 'put', key: 'a', value: Buffer.from('1') }] })
 * const { entries } = await store.range({ key: 'a' })
 * entries.length // => 1
 */
export function openStorePort(port: MessagePort): StorePort {
  return new PortStore(port)
}

/** A store behind a port. */
export interface StorePort extends Store {
  /** Calls without an answer yet, which comes by the event loop: a thread that sleeps by other means must not while there are any. */
  readonly pending: number
}

class PortStore implements StorePort {
  readonly #port: MessagePort
  readonly #packer = new ValuePacker()
  readonly #pending = new Map<number, PromiseWithResolvers<unknown>>()
  readonly #watches = new Map<number, WatchQueue>()
  #requests: Request[] = []
  #isFlushing = false
  #ids = 0
  #revision = 0
  #ended: StoreError | undefined
  #idle: (() => void) | undefined

  constructor(port: MessagePort) {
    this.#port = port
    port.on('message', (replies: Replies) => this.#receive(replies))
    port.on('close', () => this.#end(new StoreError('unavailable', "the store's thread has ended")))
  }

  get revision(): number {
    return this.#revision
  }

  get pending(): number {
    return this.#pending.size
  }

  txn(txn: Txn): Promise<TxnResult> {
    return this.#call('txn', txn)
  }

  range(range: KeyRange, options: RangeOptions = {}): Promise<RangeResult> {
    return this.#call('range', { range, ...options })
  }

  watch(range: KeyRange, { fromRevision, signal }: WatchOptions = {}): AsyncIterableIterator<WatchBatch, undefined> {
    if (this.#ended !== undefined) throw this.#ended
    boundsOf(range)
    const id = ++this.#ids
    const queue = new WatchQueue({
      signal,
      onTaken: batches => this.#send({ type: 'took', id, batches }),
      onEnd: () => this.#watches.delete(id) && this.#send({ type: 'unwatch', id }),
    })
    if (queue.ended) return queue
    this.#watches.set(id, queue)
    this.#send({ type: 'watch', id, range, fromRevision })
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
    if (this.#ended !== undefined) return
    this.#ended = new StoreError('closed')
    if (this.#pending.size > 0) await new Promise<void>(resolve => (this.#idle = resolve))
    for (const watch of this.#watches.values()) watch.fail(this.#ended)
    this.#port.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #call<Name extends CallName>(name: Name, argument: Parameters<StoreMethods[Name]>[0]): Promise<ReturnType<StoreMethods[Name]>> {
    if (this.#ended !== undefined) throw this.#ended
    const answer = Promise.withResolvers<unknown>()
    const id = ++this.#ids
    this.#pending.set(id, answer)
    this.#send({ type: 'call', id, name, argument: name === 'txn' ? this.#packer.add(argument as Txn) : argument })
    return answer.promise as Promise<ReturnType<StoreMethods[Name]>> // the thread calls the method of that name
  }

  #send(request: Request): void {
    this.#requests.push(request)
    if (this.#isFlushing) return
    this.#isFlushing = true
    setImmediate(() => this.#flush())
  }

  #flush(): void {
    this.#isFlushing = false
    const arena = this.#packer.pack()
    this.#port.postMessage(this.#requests, arena === undefined ? [] : [arena])
    this.#requests = []
  }

  #receive({ revision, replies }: Replies): void {
    this.#revision = Math.max(this.#revision, revision)
    for (const reply of replies) this.#take(reply)
    if (this.#pending.size === 0) this.#idle?.()
  }

  #take(reply: Reply): void {
    switch (reply.type) {
      case 'result':
        return this.#answered(reply.id)?.resolve(reply.value)
      case 'error':
        return this.#answered(reply.id)?.reject(thrown(reply.error))
      case 'batch':
        return this.#watches.get(reply.id)?.batch(reply.batch)
      case 'failed': {
        const watch = this.#watches.get(reply.id)
        this.#watches.delete(reply.id)
        return watch?.fail(thrown(reply.error))
      }
      case 'closed':
        return this.#end(new StoreError('closed'))
    }
  }

  #answered(id: number): PromiseWithResolvers<unknown> | undefined {
    const answer = this.#pending.get(id)
    this.#pending.delete(id)
    return answer
  }

  /** The thread is gone: what it had not answered may have happened. */
  #end(error: StoreError): void {
    this.#ended ??= error
    for (const answer of this.#pending.values()) answer.reject(new StoreError('unavailable', 'the store ended before it answered'))
    this.#pending.clear()
    for (const [id, watch] of this.#watches) {
      this.#watches.delete(id)
      watch.fail(this.#ended)
    }
    this.#idle?.()
  }
}
