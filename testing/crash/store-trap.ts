/** Sits between a node's workers and their store, counts transactions, and ends the process at one of them. */
import { MessageChannel } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import type { Replies, Request } from '../../packages/cluster/src/store/sqlite/messages.ts'

/** `before`: the store has not heard of the transaction. `after`: it is on disk, and who asked for it has not heard of that. */
export interface StoreKill {
  readonly when: 'before' | 'after'
  /** 1 for the next transaction. */
  readonly at: number
}

/** What a test asks its server for: to count from here, and to die where it is told to. */
export interface Order {
  readonly kill?: StoreKill
}

/** The answer. */
export interface Report {
  /** Since the last order. */
  readonly transactions: number
  /** Keys of all opens in the store. */
  readonly records: readonly string[]
}

/** Environment variable with a `StoreKill` as JSON, for a server that is to die while it starts. */
export const storeTrapVariable = 'HOLDFAST_CRASH_STORE'

/** As a machine that loses its power: nothing is finished, nobody is told. */
function die(): void {
  process.kill(process.pid, 'SIGKILL')
}

/** See the file. */
export class StoreTrap {
  #kill: StoreKill | undefined
  #seen = 0

  constructor(kill?: StoreKill) {
    this.#kill = kill
  }

  /** Counts from here; returns how many transactions there were since the last time. */
  arm(kill: StoreKill | undefined): number {
    const seen = this.#seen
    this.#seen = 0
    this.#kill = kill
    return seen
  }

  /** The port for a worker, in place of the store's own. */
  between(store: MessagePort): MessagePort {
    const { port1: worker, port2 } = new MessageChannel()
    let last: number | undefined
    worker.on('message', (requests: readonly Request[]) => {
      for (const request of requests) {
        if (request.type !== 'call' || request.name !== 'txn') continue
        if (++this.#seen !== this.#kill?.at) continue
        if (this.#kill.when === 'before') return die()
        last = request.id
      }
      store.postMessage(requests)
    })
    store.on('message', (answer: Replies) => {
      if (answer.replies.some(reply => reply.type === 'result' && reply.id === last)) return die()
      worker.postMessage(answer)
    })
    worker.on('close', () => store.close())
    store.on('close', () => worker.close())
    return port2
  }
}
