/** The shared memory of open tables of shares that are made while the node runs: the main thread has it, as workers come and go. */

import { MessageChannel, type MessagePort } from 'node:worker_threads'
import type { WorkerNode } from '@holdfast/engine'
import { createPartitionMemory } from '@holdfast/smb/server'

interface Question {
  readonly call: number
  readonly share: string
}
type Request = Question | { readonly forget: string }

interface Answer {
  readonly call: number
  readonly memory: SharedArrayBuffer
}

const keyOf = (share: string): string => share.toUpperCase()

/** On the main thread. */
export class PartitionMemories {
  readonly #memories = new Map<string, SharedArrayBuffer>()

  /** A worker's end. */
  connect(): MessagePort {
    const { port1, port2 } = new MessageChannel()
    port1.on('message', (request: Request) => {
      if ('forget' in request) this.#memories.delete(keyOf(request.forget))
      else port1.postMessage({ call: request.call, memory: this.#of(request.share) } satisfies Answer)
    })
    // Whether the process goes on is not for it to say.
    port1.unref()
    return port2
  }

  #of(share: string): SharedArrayBuffer {
    const known = this.#memories.get(keyOf(share))
    if (known !== undefined) return known
    const memory = createPartitionMemory()
    this.#memories.set(keyOf(share), memory)
    return memory
  }
}

/** On a worker: the same memory for the same share, whichever worker asks. */
export class PartitionMemoryClient {
  readonly #port: MessagePort
  readonly #node: Pick<WorkerNode, 'beginAsync' | 'endAsync'>
  readonly #waiting = new Map<number, (memory: SharedArrayBuffer) => void>()
  #next = 1

  constructor(port: MessagePort, node: Pick<WorkerNode, 'beginAsync' | 'endAsync'>) {
    this.#port = port
    this.#node = node
    port.on('message', ({ call, memory }: Answer) => {
      this.#waiting.get(call)?.(memory)
      this.#waiting.delete(call)
    })
    port.unref()
  }

  async of(share: string): Promise<SharedArrayBuffer> {
    const call = this.#next++
    // The answer comes by the event loop.
    this.#node.beginAsync()
    try {
      return await new Promise(resolve => {
        this.#waiting.set(call, resolve)
        this.#port.postMessage({ call, share } satisfies Request)
      })
    } finally {
      this.#node.endAsync()
    }
  }

  /** There is no such share any more. */
  forget(share: string): void {
    this.#port.postMessage({ forget: share } satisfies Request)
  }
}
