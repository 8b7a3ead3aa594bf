import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import { EventDescriptor } from '@holdfast/posix/network'
import type { FromThread, ThreadStart, ToThread } from './thread-messages.ts'

/** What to start a data thread with. */
export interface ThreadOptions<Start extends ThreadStart, Own> {
  /** A module that calls `runDataThread`. */
  readonly module: URL
  readonly name: string
  readonly start: Omit<Start, 'port'>
  /** What an administrator should know. */
  onNotice?(notice: string): void
  /** What only this kind of thread says. */
  onOwn?(own: Own): void
  /** The thread has ended that was not told to, after it had begun to work. */
  onFailure?(error: Error): void
}

/** The process's end of a data thread: starts it, asks it, tells it to end. `Asked` and `Own` are what only this kind of thread is asked and says. */
export class ThreadHandle<Start extends ThreadStart, Status, Asked = never, Own = never> {
  /** Settled when the thread has begun to work, or cannot. */
  readonly ready: Promise<void>
  /** Resolves when the thread is no more, and all it said has been heard. */
  readonly ended: Promise<void>
  readonly #options: ThreadOptions<Start, Own>
  readonly #port: MessagePort
  readonly #asked = new Map<number, PromiseWithResolvers<Status>>()
  readonly #started = Promise.withResolvers<void>()
  #lastId = 0
  /** The thread's own descriptor: forgotten when the thread closes it, as the number may be another's then. */
  #wake: EventDescriptor | undefined
  #wasReady = false
  #isEnding = false
  #failure: Error | undefined

  constructor(options: ThreadOptions<Start, Own>) {
    this.#options = options
    this.ready = this.#started.promise
    const { port1, port2 } = new MessageChannel()
    this.#port = port1
    const thread = new Worker(options.module, { workerData: { ...options.start, port: port2 }, transferList: [port2], name: options.name })
    port1.on('message', (message: FromThread<Status, Own>) => this.#said(message))
    thread.on('error', error => {
      this.#failure ??= error as Error
    })
    const { promise, resolve } = Promise.withResolvers<void>()
    this.ended = promise
    thread.on('exit', () => {
      this.#ended()
      resolve()
    })
  }

  /** Rejects with what ended the thread when there is none any more. */
  async status(): Promise<Status> {
    if (this.#wake === undefined) throw this.#gone()
    const answer = Promise.withResolvers<Status>()
    const id = ++this.#lastId
    this.#asked.set(id, answer)
    this.#tell({ ask: 'status', id })
    return answer.promise
  }

  ask(own: Asked): void {
    this.#tell({ ask: 'own', own })
  }

  async end(): Promise<void> {
    this.#isEnding = true
    this.#tell({ ask: 'end' })
    await this.ended
  }

  #tell(message: ToThread<Asked>): void {
    this.#port.postMessage(message)
    this.#wake?.signal()
  }

  #said(message: FromThread<Status, Own>): void {
    if (message.say === 'own') this.#options.onOwn?.(message.own)
    else if (message.say === 'notice') this.#options.onNotice?.(message.notice)
    else if (message.say === 'ready') {
      this.#wake = new EventDescriptor(message.wakeDescriptor)
      this.#wasReady = true
      this.#started.resolve()
    } else if (message.say === 'status') {
      this.#asked.get(message.id)?.resolve(message.status)
      this.#asked.delete(message.id)
    } else {
      this.#failure = message.code === undefined ? message.error : Object.assign(message.error, { code: message.code })
      this.#wake = undefined
    }
  }

  #gone(): Error {
    return this.#failure ?? new Error(`the thread ${this.#options.name} has ended`)
  }

  #ended(): void {
    // What it said last may not have been listened to yet.
    for (let last = receiveMessageOnPort(this.#port); last !== undefined; last = receiveMessageOnPort(this.#port))
      this.#said(last.message as FromThread<Status, Own>)
    this.#wake = undefined
    this.#port.close()
    const error = this.#gone()
    for (const answer of this.#asked.values()) answer.reject(error)
    this.#asked.clear()
    this.#started.reject(error)
    if (this.#wasReady && !this.#isEnding) this.#options.onFailure?.(error)
  }
}
