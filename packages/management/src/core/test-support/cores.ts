/** Workers of one thread with a core each, on one store, in virtual time; a worker can be dropped as if it had died. */

import { createHash } from 'node:crypto'
import { memoryStore } from '@holdfast/cluster'
import type { Store, Txn, TxnResult } from '@holdfast/cluster'
import type { WorkerObject } from '@holdfast/engine'
import type { ManagedNode } from '../../operations/actions.ts'
import type {
  ApiSession,
  CoreLimits,
  EventSink,
  LoginRequest,
  ManagementCore,
  ManagementCoreOptions,
  Secrets,
  StreamEnd,
  StreamEvent,
} from '../core.ts'
import { ownerOfSession, parseToken } from '../../sessions/token.ts'
import { openManagementCore } from '../open.ts'
import { VirtualTime } from './virtual-time.ts'

type Node = ManagementCoreOptions['node']

/** Hides nothing; what is sealed does not show its text, and fits in its place only. */
export const testSecrets: Secrets = {
  seal: (secret, binding) => Buffer.from(JSON.stringify([binding, Buffer.from(secret).toString('hex')])),
  unseal(sealed, binding) {
    const [place, text] = JSON.parse(Buffer.from(sealed).toString()) as [string, string]
    if (place !== binding) throw new Error(`sealed for ${place}, not for ${binding}`)
    return Buffer.from(text, 'hex')
  },
  mac: bytes => createHash('sha256').update('key').update(bytes).digest(),
}

/** Random bytes that are the same in every run. */
export function countedRandom(seed = 0): (bytes: number) => Buffer {
  let count = seed
  return bytes => Buffer.concat([createHash('sha256').update(String(++count)).digest(), Buffer.alloc(32)]).subarray(0, bytes)
}

/** When a worker dies: with this transaction from now on (0: the next one), before it or after it has happened. */
export interface Death {
  readonly transaction: number
  readonly happens: boolean
}

/** A store that a worker's death cuts off: what is under way may happen, but nobody hears of it. */
function cutOff(store: Store): { readonly store: Store; readonly cut: () => void; readonly dieAt: (death: Death, then: () => void) => void } {
  let isCut = false
  let death: (Death & { readonly onDeath: () => void }) | undefined
  let transactions = 0
  const never = new Promise<never>(() => {})
  const txn = (txn: Txn): Promise<TxnResult> => {
    if (death === undefined || transactions++ < death.transaction) return store.txn(txn)
    const { happens, onDeath } = death
    isCut = true
    onDeath()
    return happens ? store.txn(txn) : never
  }
  const through = <T>(answer: () => Promise<T>): Promise<T> => (isCut ? never : answer().then(value => (isCut ? never : value)))
  const wrapped = new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (name === 'txn') return (given: Txn) => through(() => txn(given))
      if (name === 'watch' || typeof value !== 'function') return typeof value === 'function' ? value.bind(target) : value
      return (...args: unknown[]) => through(() => value.apply(target, args) as Promise<unknown>)
    },
  })
  const dieAt = (at: Death, onDeath: () => void): void => {
    death = { ...at, onDeath }
    transactions = 0
  }
  return { store: wrapped, cut: () => void (isCut = true), dieAt }
}

/** How to make `Cores`. */
export interface CoresOptions {
  readonly managed: ManagedNode | ((worker: number) => ManagedNode)
  readonly workers?: number
  readonly store?: Store
  readonly time?: VirtualTime
  /** The system's, where nothing of it is virtual. */
  readonly clock?: Pick<VirtualTime, 'wallClock' | 'timers'>
  readonly limits?: Partial<CoreLimits>
  readonly random?: (bytes: number) => Buffer
}

interface Running {
  readonly core: ManagementCore
  readonly objects: Map<string, WorkerObject>
  readonly cut: () => void
  readonly dieAt: (death: Death, then: () => void) => void
  readonly stopTimers: () => void
}

/** See the top of the file. */
export class Cores {
  readonly time: VirtualTime
  readonly store: Store
  readonly logs: string[] = []
  readonly #clock: Pick<VirtualTime, 'wallClock' | 'timers'>
  readonly #options: CoresOptions
  readonly #random: (bytes: number) => Buffer
  #workers: number
  #running: (Running | undefined)[] = []

  constructor(options: CoresOptions) {
    this.#options = options
    this.time = options.time ?? new VirtualTime()
    this.#clock = options.clock ?? this.time
    this.store = options.store ?? memoryStore({ clock: this.time.wallClock, timers: this.time.timers })
    this.#random = options.random ?? countedRandom()
    this.#workers = options.workers ?? 1
  }

  static async open(options: CoresOptions): Promise<Cores> {
    const cores = new Cores(options)
    await cores.startAll()
    return cores
  }

  async startAll(workers = this.#workers): Promise<void> {
    this.#workers = workers
    this.#running = []
    for (let index = 0; index < workers; index++) await this.start(index)
  }

  async start(index: number): Promise<void> {
    const { store, cut, dieAt } = cutOff(this.store)
    const objects = new Map<string, WorkerObject>()
    const scheduled = new Set<() => void>()
    let stopped = false
    const timers: VirtualTime['timers'] = {
      schedule: (delayMs, callback) => {
        if (stopped) return () => {}
        const cancel = this.#clock.timers.schedule(delayMs, callback)
        scheduled.add(cancel)
        return cancel
      },
    }
    const stopTimers = (): void => {
      stopped = true
      for (const cancel of scheduled) cancel()
    }
    const { managed } = this.#options
    const core = await openManagementCore({
      store,
      node: this.#node(index, objects),
      managed: typeof managed === 'function' ? managed(index) : managed,
      secrets: testSecrets,
      wallClock: this.#clock.wallClock,
      timers,
      random: this.#random,
      ...(this.#options.limits && { limits: this.#options.limits }),
    })
    this.#running[index] = { core, objects, cut, dieAt, stopTimers }
  }

  /** As if the worker had died: what it had sent to the store may happen, nothing else. */
  drop(index: number): void {
    const running = this.#running[index]
    running?.cut()
    running?.stopTimers()
    running?.objects.clear()
    this.#running[index] = undefined
  }

  /** It will die so; `then` is called when it does. */
  dieAt(index: number, death: Death, then: () => void): void {
    this.#running[index]?.dieAt(death, () => {
      this.drop(index)
      then()
    })
  }

  isRunning(index: number): boolean {
    return this.#running[index] !== undefined
  }

  get workers(): number {
    return this.#workers
  }

  dropAll(): void {
    for (let index = 0; index < this.#workers; index++) this.drop(index)
  }

  core(index = 0): ManagementCore {
    const running = this.#running[index]
    if (running === undefined) throw new Error(`worker ${index} does not run`)
    return running.core
  }

  /** The session of a token, from its owner. */
  async session(token: string): Promise<ApiSession> {
    const session = await this.find(token)
    if (session === undefined) throw new Error('there is no such session')
    return session
  }

  find(token: string): Promise<ApiSession | undefined> {
    return this.core(this.ownerOf(token)).session(token)
  }

  /** The worker that owns the session of a token. */
  ownerOf(token: string): number {
    return ownerOfSession(parseToken(token)?.session ?? '', this.#workers)
  }

  /** Logs in; alice where nobody is named. */
  async login(request: LoginRequest = { user: 'alice', password: 'secret', address: '192.0.2.1' }): Promise<string> {
    return (await this.core().login(request)).token
  }

  #node(index: number, objects: Map<string, WorkerObject>): Node {
    const invoke = async (to: number, id: string, { method, argument }: { method: string; argument: unknown }): Promise<unknown> => {
      const target = to === index ? objects.get(id) : this.#running[to]?.objects.get(id)
      const action = target?.[method]
      if (action === undefined) throw Object.assign(new Error(`no ${id}.${method} on worker ${to}`), { code: 'NO_SUCH_OBJECT' })
      return structuredClone(await action.call(target, structuredClone(argument) as never, index))
    }
    return {
      index,
      workers: this.#workers,
      register: (id, object) => void objects.set(id, object),
      unregister: id => void objects.delete(id),
      call: (to, id, method, argument) => invoke(to, id, { method, argument }),
      post: (to, id, method, argument) => void invoke(to, id, { method, argument }).catch(() => undefined),
      log: (level, message, fields) => void this.logs.push(`${level} ${message} ${JSON.stringify(fields)}`),
    }
  }
}

/** A stream's other end: keeps what it is given, and can be full. */
export class RecordingSink implements EventSink {
  readonly events: StreamEvent[] = []
  ended: StreamEnd | undefined
  /** So many more are taken. */
  room = Infinity

  event(event: StreamEvent): boolean {
    this.events.push(event)
    return --this.room > 0
  }

  end(reason: StreamEnd): void {
    this.ended = reason
  }

  get cursor(): string | undefined {
    return this.events.at(-1)?.id
  }

  /** `OPERATION state`, of each event; `resync`. */
  get told(): string[] {
    return this.events.map(({ event, data }) => {
      const { operation, state, reason } = JSON.parse(data) as { operation: string; state: string; reason?: string }
      return event === 'resync' ? `resync ${reason}` : `${operation.slice(-4)} ${state}`
    })
  }
}
