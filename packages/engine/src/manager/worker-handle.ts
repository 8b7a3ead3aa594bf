import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import { Control, ringShape, WorkerState } from '../shared/layout.ts'
import type { EngineLimits, ManagerMail, WorkerMail, WorkerStart } from '../shared/layout.ts'
import { ringBytes, RingReader, RingWriter } from '../shared/ring.ts'

/** Numbers of a worker's metrics: its counters, and the buckets of its histograms. Memory is taken as they are used. */
export const counterSlots = 8192

/**
 * Where a worker's objects are young, in MiB: two halves and what moves between them. Its requests leave little behind, so that more
 * is not faster, only larger: V8's own choice takes 30 MiB more of each worker.
 */
const youngHeapMiB = 24

/** The manager's end of one worker node's life (one incarnation). */
export class WorkerHandle {
  readonly index: number
  readonly incarnation: number
  readonly start: WorkerStart
  readonly port: MessagePort
  readonly workerPort: MessagePort
  readonly control: Int32Array
  readonly counters: Float64Array
  readonly outbound: Buffer
  readonly fromWorker: RingReader
  readonly names = new Map<number, Extract<WorkerMail, { kind: 'counter' }>>()
  readonly #toWorker: RingWriter
  thread: Worker | undefined
  /** Runs the runtime in the manager's own thread (embedding). */
  inThreadBell: (() => void) | undefined
  alive = true
  /** Its protocols are built. */
  ready = false
  /** To be ended as soon as it is ready. */
  isDoomed = false
  connections = 0
  /** Writes of its responses that the manager has not finished. */
  pendingWrites = 0

  constructor(options: {
    index: number
    workers: number
    incarnation: number
    table: SharedArrayBuffer
    inbound: SharedArrayBuffer
    limits: EngineLimits
    config: unknown
  }) {
    const { limits } = options
    this.index = options.index
    this.incarnation = options.incarnation
    this.start = {
      ...options,
      outbound: new SharedArrayBuffer(limits.outboundBytes),
      toWorker: new SharedArrayBuffer(ringBytes(ringShape)),
      toManager: new SharedArrayBuffer(ringBytes(ringShape)),
      control: new SharedArrayBuffer(4 * Control.words),
      counters: new SharedArrayBuffer(8 * counterSlots),
    }
    this.control = new Int32Array(this.start.control)
    this.counters = new Float64Array(this.start.counters)
    this.outbound = Buffer.from(this.start.outbound)
    this.#toWorker = new RingWriter(this.start.toWorker, ringShape)
    this.fromWorker = new RingReader(this.start.toManager, ringShape)
    const { port1, port2 } = new MessageChannel()
    this.port = port1
    this.workerPort = port2
  }

  startThread(module: URL, services: Readonly<Record<string, MessagePort>>): Worker {
    this.thread = new Worker(module, {
      workerData: { start: this.start, port: this.workerPort, services },
      transferList: [this.workerPort, ...Object.values(services)],
      resourceLimits: { maxOldGenerationSizeMb: this.start.limits.workerHeapMiB, maxYoungGenerationSizeMb: youngHeapMiB },
      name: `worker-${this.index}`,
    })
    return this.thread
  }

  push(type: number, a: number, b: number, c: number, d: number): void {
    if (this.alive) this.#toWorker.push(type, a, b, c, d)
  }

  flush(): void {
    this.#toWorker.flush()
  }

  mail(mail: ManagerMail, transfer: MessagePort[] = []): void {
    if (!this.alive) return
    Atomics.store(this.control, Control.mail, 1)
    this.port.postMessage(mail, transfer)
  }

  /** Tells the worker that there is something in its ring. */
  bell(): void {
    if (this.inThreadBell !== undefined) {
      this.inThreadBell()
      return
    }
    const state = Atomics.exchange(this.control, Control.state, WorkerState.running)
    if (state === WorkerState.waiting) Atomics.notify(this.control, Control.state)
    else if (state === WorkerState.inEventLoop) this.port.postMessage({ kind: 'bell' } satisfies ManagerMail)
  }

  /** Mail that has arrived, without waiting for the event loop. */
  *readMail(): Generator<WorkerMail> {
    for (let next = receiveMessageOnPort(this.port); next !== undefined; next = receiveMessageOnPort(this.port)) yield next.message as WorkerMail
  }
}
