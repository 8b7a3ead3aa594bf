import { availableParallelism } from 'node:os'
import { MessageChannel } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import type { EngineLimits, ManagerMail, WorkerMail } from '../shared/layout.ts'
import { watchThread, workerThreadName } from '../shared/thread-watch.ts'
import { WorkerRuntime } from '../worker/runtime.ts'
import type { ProtocolTable } from '../worker/runtime.ts'
import { WorkerHandle } from './worker-handle.ts'

export interface WorkerPoolOptions {
  /** Number of worker nodes; default: one per processor. */
  readonly workers?: number
  /** A module that calls `runWorker`; left out with `inThread`. */
  readonly workerModule?: URL
  /** Runs the one worker node in the calling thread, so that its protocols may use objects of that thread. */
  readonly inThread?: ProtocolTable
  /** Handed to every worker (structured clone). */
  readonly config?: unknown
  /** Made anew for each worker that starts: the worker's end of what other threads do for it (`WorkerNode.service`). */
  readonly services?: Services
}

/** Ports to other threads, by name. */
export type Services = Readonly<Record<string, () => MessagePort>>

/** What the connection manager does about its workers. */
export interface WorkerEvents {
  onMail(handle: WorkerHandle, mail: WorkerMail): void
  /** There may be something in its ring. */
  onRing(handle: WorkerHandle): void
  /** It died: whatever it said before has arrived. */
  onDeath(handle: WorkerHandle, cause: Error | undefined): void
  /** Its successor (if it could be started) is there. */
  onReplaced(dead: WorkerHandle): void
  onLog(level: string, message: string, fields: Readonly<Record<string, unknown>>): void
}

/** Records handled before the event loop gets a turn, in-thread. */
const inThreadBatch = 64
/** A worker that fails to start this often in a row is not started again. */
const hopelessStarts = 5
/** How long workers may take to say goodbye. */
const goodbyeMs = 5000

/** The worker nodes of a node: started, connected with each other, started again when they die. */
export class WorkerPool {
  readonly size: number
  readonly handles: WorkerHandle[] = []
  readonly #options: WorkerPoolOptions
  readonly #memory: { readonly table: SharedArrayBuffer; readonly inbound: SharedArrayBuffer; readonly limits: EngineLimits }
  readonly #events: WorkerEvents
  /** Starts in a row that did not succeed, by worker. */
  readonly #failedStarts: number[] = []
  #incarnations = 0
  #closeInThread: (() => Promise<void>) | undefined
  isClosing = false

  constructor(
    options: WorkerPoolOptions,
    memory: { readonly table: SharedArrayBuffer; readonly inbound: SharedArrayBuffer; readonly limits: EngineLimits },
    events: WorkerEvents,
  ) {
    this.#options = options
    this.#memory = memory
    this.#events = events
    this.size = options.inThread === undefined ? (options.workers ?? availableParallelism()) : 1
  }

  /** Resolves when all have built their protocols; rejects with the error of one that can't start. */
  async start(): Promise<void> {
    if (this.#options.inThread !== undefined) {
      await this.#startInThread(this.#options.inThread)
      return
    }
    await new Promise<void>((resolve, reject) => {
      let missing = this.size
      for (let index = 0; index < this.size; index++) {
        this.#startWorker(index, reject, () => {
          if (--missing === 0) resolve()
        })
      }
    })
  }

  /** See `ConnectionManager.killWorker`. */
  kill(index: number): void {
    const handle = this.handles[index]
    if (handle === undefined) return
    if (handle.ready) void handle.thread?.terminate()
    else handle.isDoomed = true
  }

  /** The worker with the fewest connections, the lowest index of those; undefined when none could be started. */
  choose(): WorkerHandle | undefined {
    let best: WorkerHandle | undefined
    for (const handle of this.handles) {
      if (handle.alive && (best === undefined || handle.connections < best.connections)) best = handle
    }
    return best
  }

  /** Lets the workers say goodbye; those that don't are ended. */
  async close(): Promise<void> {
    this.isClosing = true
    await this.#closeInThread?.()
    const exits = this.handles.map(
      handle =>
        new Promise<void>(resolve => {
          if (handle.thread === undefined || !handle.alive) resolve()
          else handle.thread.once('exit', () => resolve())
        }),
    )
    for (const handle of this.handles) {
      handle.mail({ kind: 'shutdown' })
      handle.bell()
    }
    const patience = setTimeout(() => {
      for (const handle of this.handles) void handle.thread?.terminate()
    }, goodbyeMs)
    await Promise.all(exits)
    clearTimeout(patience)
  }

  #newHandle(index: number): WorkerHandle {
    const handle = new WorkerHandle({
      index,
      workers: this.size,
      incarnation: ++this.#incarnations,
      ...this.#memory,
      config: this.#options.config,
    })
    this.handles[index] = handle
    return handle
  }

  async #startInThread(protocols: ProtocolTable): Promise<void> {
    const handle = this.#newHandle(0)
    const runtime = new WorkerRuntime(handle.start, { manager: handle.workerPort, services: this.#connectServices() })
    let scheduled = false
    const turn = (): void => {
      scheduled = false
      if (runtime.work(inThreadBatch) > 0) bell()
    }
    const bell = (): void => {
      if (scheduled) return
      scheduled = true
      setImmediate(turn)
    }
    handle.inThreadBell = bell
    handle.workerPort.on('message', (mail: ManagerMail) => {
      runtime.onMail(mail)
      bell()
    })
    handle.port.on('message', (mail: WorkerMail) => {
      this.#events.onMail(handle, mail)
      this.#events.onRing(handle)
    })
    // The manager's thread is the worker's as well.
    const watch = watchThread({ name: workerThreadName(0), counters: runtime.counters })
    this.#closeInThread = async () => {
      watch[Symbol.dispose]()
      runtime.work(Infinity)
      await runtime.closeProtocols()
      handle.workerPort.close()
    }
    await runtime.start(protocols, this.#options.config)
  }

  #startWorker(index: number, onFailure: (error: Error) => void, onReady: () => void): void {
    const { workerModule } = this.#options
    if (workerModule === undefined) throw new Error('neither workerModule nor inThread was given')
    const handle = this.#newHandle(index)
    const thread = handle.startThread(workerModule, this.#connectServices())
    let cause: Error | undefined
    handle.port.on('message', (mail: WorkerMail) => {
      if (mail.kind === 'ready') {
        handle.ready = true
        this.#failedStarts[index] = 0
        if (handle.isDoomed) void thread.terminate()
        onReady()
      } else {
        this.#events.onMail(handle, mail)
      }
      this.#events.onRing(handle)
    })
    thread.on('error', (error: Error) => {
      cause = error
    })
    thread.on('exit', () => {
      this.#onExit(handle, cause)
      if (this.isClosing) return
      if (!handle.ready) {
        this.#failedStarts[index] = (this.#failedStarts[index] ?? 0) + 1
        onFailure(cause ?? new Error(`worker ${index} ended while it started`))
      }
      if ((this.#failedStarts[index] ?? 0) < hopelessStarts) {
        this.#startWorker(
          index,
          error => this.#events.onLog('error', 'a worker could not be started again', { worker: index, error: error.message }),
          () => undefined,
        )
      }
      this.#events.onReplaced(handle)
    })
    this.#connectPeers(handle)
  }

  #connectServices(): Readonly<Record<string, MessagePort>> {
    return Object.fromEntries(Object.entries(this.#options.services ?? {}).map(([name, connect]) => [name, connect()]))
  }

  #connectPeers(handle: WorkerHandle): void {
    for (const other of this.handles) {
      if (other === undefined || other === handle || !other.alive) continue
      const { port1, port2 } = new MessageChannel()
      handle.mail({ kind: 'peer', worker: other.index, port: port1, control: other.start.control }, [port1])
      other.mail({ kind: 'peer', worker: handle.index, port: port2, control: handle.start.control }, [port2])
      other.bell()
    }
  }

  #onExit(handle: WorkerHandle, cause: Error | undefined): void {
    for (const mail of handle.readMail()) this.#events.onMail(handle, mail)
    this.#events.onDeath(handle, cause)
    handle.alive = false
    if (this.isClosing) return
    for (const other of this.handles) {
      if (other === handle) continue
      other.mail({ kind: 'lost', worker: handle.index })
      other.bell()
    }
  }
}
