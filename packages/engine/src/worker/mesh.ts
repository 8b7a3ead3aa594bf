import { receiveMessageOnPort } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import { Control, WorkerState } from '../shared/layout.ts'
import type { WorkerObject } from '../worker-api.ts'

type Parcel =
  | { readonly kind: 'call'; readonly id: number; readonly object: string; readonly method: string; readonly argument: unknown }
  | { readonly kind: 'post'; readonly object: string; readonly method: string; readonly argument: unknown }
  | { readonly kind: 'value'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'error'; readonly id: number; readonly code: string; readonly message: string }

interface Peer {
  readonly port: MessagePort
  readonly control: Int32Array
}

interface Waiting {
  readonly worker: number
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
}

/** An error of a call between workers: `WORKER_LOST`, `NO_SUCH_OBJECT`, or the code of what the method threw. */
export class CallError extends Error {
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.name = 'CallError'
    this.code = code
  }
}

/** Method calls on worker objects by id, here and on other workers. */
export class Mesh {
  readonly #index: number
  readonly #objects = new Map<string, WorkerObject>()
  readonly #peers = new Map<number, Peer>()
  readonly #waiting = new Map<number, Waiting>()
  /** Calls to a worker whose port has not come yet (it is being started). */
  readonly #early = new Map<number, Parcel[]>()
  #nextCall = 1

  constructor(index: number) {
    this.#index = index
  }

  get waitingCalls(): number {
    return this.#waiting.size
  }

  register(id: string, object: WorkerObject): void {
    this.#objects.set(id, object)
  }

  unregister(id: string): void {
    this.#objects.delete(id)
  }

  addPeer(worker: number, port: MessagePort, control: SharedArrayBuffer): void {
    const peer = { port, control: new Int32Array(control) }
    this.#peers.get(worker)?.port.close()
    this.#peers.set(worker, peer)
    port.on('message', (parcel: Parcel) => this.#receive(worker, parcel))
    port.unref()
    for (const parcel of this.#early.get(worker) ?? []) this.#put(peer, parcel)
    this.#early.delete(worker)
  }

  losePeer(worker: number): void {
    this.#peers.get(worker)?.port.close()
    this.#peers.delete(worker)
    for (const [id, waiting] of this.#waiting) {
      if (waiting.worker !== worker) continue
      this.#waiting.delete(id)
      waiting.reject(new CallError('WORKER_LOST', `worker ${worker} died`))
    }
  }

  call(worker: number, object: string, method: string, argument: unknown): Promise<unknown> {
    if (worker === this.#index) return this.#invoke(object, method, argument, worker)
    const id = this.#nextCall++
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { worker, resolve, reject })
      this.#send(worker, { kind: 'call', id, object, method, argument })
    })
  }

  post(worker: number, object: string, method: string, argument: unknown): void {
    if (worker === this.#index) queueMicrotask(() => void this.#invoke(object, method, argument, worker).catch(ignoreUnknownObject))
    else this.#send(worker, { kind: 'post', object, method, argument })
  }

  /** Handles what has arrived without waiting for the event loop. */
  receive(): number {
    let count = 0
    for (const [worker, peer] of this.#peers) {
      for (let next = receiveMessageOnPort(peer.port); next !== undefined; next = receiveMessageOnPort(peer.port)) {
        count++
        this.#receive(worker, next.message as Parcel)
      }
    }
    return count
  }

  #send(worker: number, parcel: Parcel): void {
    const peer = this.#peers.get(worker)
    if (peer !== undefined) {
      this.#put(peer, parcel)
      return
    }
    const early = this.#early.get(worker)
    if (early === undefined) this.#early.set(worker, [parcel])
    else early.push(parcel)
  }

  #put(peer: Peer, parcel: Parcel): void {
    peer.port.postMessage(parcel)
    Atomics.store(peer.control, Control.mail, 1)
    if (Atomics.compareExchange(peer.control, Control.state, WorkerState.waiting, WorkerState.running) === WorkerState.waiting) {
      Atomics.notify(peer.control, Control.state)
    }
  }

  async #invoke(object: string, method: string, argument: unknown, from: number): Promise<unknown> {
    const target = this.#objects.get(object)
    const action = target?.[method]
    if (action === undefined) throw new CallError('NO_SUCH_OBJECT', `no ${object}.${method} on worker ${this.#index}`)
    return await action.call(target, argument as never, from)
  }

  #receive(worker: number, parcel: Parcel): void {
    switch (parcel.kind) {
      case 'call':
        this.#invoke(parcel.object, parcel.method, parcel.argument, worker).then(
          value => this.#send(worker, { kind: 'value', id: parcel.id, value }),
          (error: unknown) => this.#send(worker, { kind: 'error', id: parcel.id, ...describe(error) }),
        )
        return
      case 'post':
        this.#invoke(parcel.object, parcel.method, parcel.argument, worker).catch(ignoreUnknownObject)
        return
      case 'value':
        this.#take(parcel.id)?.resolve(parcel.value)
        return
      case 'error':
        this.#take(parcel.id)?.reject(new CallError(parcel.code, parcel.message))
    }
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    return waiting
  }
}

function describe(error: unknown): { code: string; message: string } {
  if (!(error instanceof Error)) return { code: 'FAILED', message: String(error) }
  return { code: 'code' in error && typeof error.code === 'string' ? error.code : 'FAILED', message: error.message }
}

/** A one-way message to an object that has gone meanwhile is not an error; anything else is a bug and ends the worker. */
function ignoreUnknownObject(error: unknown): void {
  if (error instanceof CallError && error.code === 'NO_SUCH_OBJECT') return
  throw error
}
