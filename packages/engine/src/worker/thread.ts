import { availableParallelism } from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import { clientSwitches, Control, WorkerState } from '../shared/layout.ts'
import type { ManagerMail, WorkerStart } from '../shared/layout.ts'
import { watchThread, workerThreadName } from '../shared/thread-watch.ts'
import { WorkerRuntime } from './runtime.ts'
import type { ProtocolTable } from './runtime.ts'

/** Records handled before the event loop gets a turn. */
const batch = 256
/** How long a worker that has just been busy waits on the futex, which wakes faster than an event loop. */
const futexWaitMs = 2
/**
 * A lone client that waits for each answer is served without sleeping in between: this long is its next request awaited. Where there is
 * one processor it is the manager that needs it.
 */
const spinMs = availableParallelism() > 1 ? 0.05 : 0
/** Requests in a row, all of one client of the node, before its next one is awaited like that. */
const loneRequests = 32
/** Looks at the ring between two looks at the clock. */
const looksPerClock = 50
/** Resources that don't call for the event loop by themselves, or that (timers) may be late by the time of the wait. */
const restingResources = new Set(['MessagePort', 'Immediate', 'Timeout', 'PipeWrap', 'TTYWrap'])

/**
 * Runs a worker node in this worker thread: call it once, at the top of the worker module given to the manager.
 *
 * @example
 * import type { Framing } from '@holdfast/engine/worker'
 *
 * // worker.ts, which runs after ConnectionManager.start({ workers: 4, workerModule: new URL('./worker.ts', import.meta.url) })
 * const framing: Framing = { headerBytes: 0, leadBytes: 1, frameBytes: (bytes, at, end) => end - at, writeHeader() {} }
 * await runWorker({
 *   discard: {
 *     framing,
 *     create: () => ({ accept: () => ({ onMessage: message => message.release(), onClose() {} }) }),
 *   },
 * })
 */
export async function runWorker(protocols: ProtocolTable): Promise<WorkerRuntime> {
  const { start, port, services } = workerData as { start: WorkerStart; port: MessagePort; services: Readonly<Record<string, MessagePort>> }
  if (parentPort === null) throw new Error('runWorker must be called in a worker thread')
  const runtime = new WorkerRuntime(start, { manager: port, services })
  const loop = new WorkerLoop(runtime)
  runtime.onShutdown = () => {
    // What the manager said before (closing connections) is worked off first.
    runtime.work(Infinity)
    void runtime.closeProtocols().finally(() => process.exit(0))
  }
  watchThread({ name: workerThreadName(start.index), counters: runtime.counters, sleptMs: () => loop.sleptMs })
  await runtime.start(protocols, start.config)
  // Not before: what is opened needs its protocol. Mail waits in the port until then.
  port.on('message', (mail: ManagerMail) => {
    runtime.onMail(mail)
    loop.step()
  })
  loop.step()
  return runtime
}

class WorkerLoop {
  readonly #runtime: WorkerRuntime
  readonly #control: Int32Array
  readonly #onTurn: () => void
  /** On the futex, or looking for a lone client's next request. */
  sleptMs = 0
  #scheduled = false
  #lastWorkMs = 0
  #switches = 0
  #lone = 0

  constructor(runtime: WorkerRuntime) {
    this.#runtime = runtime
    this.#control = runtime.control
    this.#onTurn = () => {
      this.#scheduled = false
      this.step()
    }
  }

  /** Works off what there is, then sleeps: on the futex while requests keep coming, else in the event loop. */
  step(): void {
    if (this.#scheduled) return
    const control = this.#control
    Atomics.store(control, Control.state, WorkerState.running)
    const count = this.#runtime.work(batch)
    const end = performance.now()
    if (count > 0) {
      this.#lastWorkMs = end
      this.#schedule()
      return
    }
    if (end - this.#lastWorkMs < futexWaitMs && this.#mayBlock()) {
      const hasWork = this.#waitForWork()
      const awakeMs = performance.now()
      this.sleptMs += awakeMs - end
      if (hasWork) {
        this.#lastWorkMs = awakeMs
        this.#runtime.work(batch)
      }
      this.#schedule()
      return
    }
    Atomics.store(control, Control.state, WorkerState.inEventLoop)
    if (this.#runtime.hasWork) this.#schedule()
  }

  #waitForWork(): boolean {
    const control = this.#control
    if (spinMs > 0 && this.#isClientAlone() && this.#spin()) return true
    Atomics.store(control, Control.state, WorkerState.waiting)
    if (!this.#runtime.hasWork) Atomics.wait(control, Control.state, WorkerState.waiting, futexWaitMs)
    Atomics.store(control, Control.state, WorkerState.running)
    return this.#runtime.hasWork
  }

  /** With several clients their requests overlap, and the processor is better left to them. */
  #isClientAlone(): boolean {
    const switches = Atomics.load(this.#runtime.table, clientSwitches)
    if (switches !== this.#switches) {
      this.#switches = switches
      this.#lone = 0
    }
    return ++this.#lone > loneRequests
  }

  #spin(): boolean {
    const end = performance.now() + spinMs
    do {
      for (let look = 0; look < looksPerClock; look++) if (this.#runtime.hasWork) return true
    } while (performance.now() < end)
    return false
  }

  #schedule(): void {
    this.#scheduled = true
    setImmediate(this.#onTurn)
  }

  /** Blocking is harmless only while nothing asynchronous is due in this thread's event loop. */
  #mayBlock(): boolean {
    if (!this.#runtime.isQuiet) return false
    for (const resource of process.getActiveResourcesInfo()) if (!restingResources.has(resource)) return false
    return true
  }
}
