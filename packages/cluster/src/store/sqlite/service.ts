import type { MessagePort } from 'node:worker_threads'
import type { StoreCore } from '../core.ts'
import { StoreError } from '../errors.ts'
import type { Batches, Call } from './batches.ts'
import { posted } from './messages.ts'
import type { Replies, Reply, Request } from './messages.ts'

/** Calls that are committed together at most; more wait for the next commit. */
const maxBatch = 2048

interface Job extends Call {
  readonly client: Client | undefined
  readonly id: number
}

/** The store for all ports: calls that come while a commit runs are the next batch. */
export class StoreService {
  readonly #core: StoreCore
  readonly #batches: Batches
  readonly #clients = new Set<Client>()
  #jobs: Job[] = []
  #isScheduled = false

  constructor(core: StoreCore, batches: Batches) {
    this.#core = core
    this.#batches = batches
  }

  /** Serves another port. */
  connect(port: MessagePort): void {
    const client = new Client(port, this.#core, (call, id) => this.#add({ ...call, client, id }))
    this.#clients.add(client)
    port.on('close', () => {
      client.leave()
      this.#clients.delete(client)
    })
  }

  /** Ends leases with the next batch. */
  expire(leases: readonly number[]): void {
    this.#add({ name: 'expire', argument: leases, client: undefined, id: 0 })
  }

  /** Answers what has been asked for, and says goodbye. */
  close(): void {
    while (this.#jobs.length > 0) this.#run()
    this.#core.close(new StoreError('closed'))
    for (const client of this.#clients) client.close()
  }

  #add(job: Job): void {
    this.#jobs.push(job)
    this.#schedule()
  }

  #schedule(): void {
    if (this.#isScheduled || this.#jobs.length === 0) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      this.#run()
      this.#schedule()
    })
  }

  #run(): void {
    if (this.#jobs.length === 0) return
    const jobs = this.#jobs.splice(0, maxBatch)
    this.#batches.run(jobs).forEach((outcome, index) => {
      const { client, id } = jobs[index]
      const reply: Reply = 'error' in outcome ? { type: 'error', id, error: posted(outcome.error) } : { type: 'result', id, value: outcome.value }
      if (client !== undefined) client.reply(reply)
      else if ('error' in outcome) this.#core.retryExpiry()
    })
    for (const client of this.#clients) client.flush()
  }
}

/** One port, and the watches of whoever is behind it. */
class Client {
  readonly #port: MessagePort
  readonly #core: StoreCore
  readonly #onCall: (call: Call, id: number) => void
  /** The client's number of a watch, and ours. */
  readonly #watches = new Map<number, number>()
  #replies: Reply[] = []

  constructor(port: MessagePort, core: StoreCore, onCall: (call: Call, id: number) => void) {
    this.#port = port
    this.#core = core
    this.#onCall = onCall
    port.on('message', (requests: readonly Request[]) => {
      for (const request of requests) this.#take(request)
      this.flush()
    })
  }

  reply(reply: Reply): void {
    this.#replies.push(reply)
  }

  flush(): void {
    if (this.#replies.length === 0) return
    const message: Replies = { revision: this.#core.revision, replies: this.#replies }
    this.#port.postMessage(message)
    this.#replies = []
  }

  leave(): void {
    for (const watch of this.#watches.values()) this.#core.watchers.remove(watch)
  }

  close(): void {
    this.reply({ type: 'closed' })
    this.flush()
    this.#port.close()
  }

  #take(request: Request): void {
    switch (request.type) {
      case 'call':
        return this.#onCall(request, request.id)
      case 'watch':
        return this.#watch(request)
      case 'took':
        return this.#core.watchers.took(this.#watches.get(request.id) ?? 0, request.batches)
      case 'unwatch': {
        this.#core.watchers.remove(this.#watches.get(request.id) ?? 0)
        this.#watches.delete(request.id)
      }
    }
  }

  #watch({ id, range, fromRevision }: Extract<Request, { type: 'watch' }>): void {
    const watch = this.#core.watchers.add(range, fromRevision, {
      batch: batch => this.reply({ type: 'batch', id, batch }),
      fail: error => this.reply({ type: 'failed', id, error: posted(error) }),
    })
    this.#watches.set(id, watch)
  }
}
