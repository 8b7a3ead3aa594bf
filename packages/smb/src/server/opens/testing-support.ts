/** For tests: workers in one thread, and time that moves when told. */
import assert from 'node:assert/strict'
import type { OpensNode } from './owner-service.ts'
import type { TableMessage } from './partition-state.ts'
import { OpenTable, type OpenTableOptions } from './open-table.ts'
import { Pending } from './pending.ts'
import type { Scheduler } from './scheduler.ts'
import { leaseStates, oplockLevels, type LeaseRequest, type OpenGrant, type OpenRequest, type OpenResult } from './types.ts'

/** A clock that stands still until `advance`. */
export class ManualScheduler implements Scheduler {
  #now = 0
  readonly #timers = new Set<{ at: number; callback: () => void }>()

  now(): number {
    return this.#now
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { at: this.#now + delayMs, callback }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  defer(callback: () => void): void {
    setImmediate(callback)
  }

  get timers(): number {
    return this.#timers.size
  }

  advance(ms: number): void {
    const until = this.#now + ms
    for (;;) {
      const next = [...this.#timers].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0]
      if (next === undefined) break
      this.#timers.delete(next)
      this.#now = next.at
      next.callback()
    }
    this.#now = until
  }
}

type Method = (argument: unknown, from: number) => unknown

/** A worker node of a fake node: messages are cloned, and arrive in order in a later turn. */
class FakeWorkerNode implements OpensNode {
  readonly index: number
  readonly incarnation: number
  alive = true
  attention = 0
  readonly objects = new Map<string, Record<string, Method>>()
  readonly lostListeners: ((worker: number) => void)[] = []
  readonly #network: FakeNetwork

  constructor(network: FakeNetwork, index: number, incarnation: number) {
    this.#network = network
    this.index = index
    this.incarnation = incarnation
  }

  get workers(): number {
    return this.#network.nodes.length
  }

  register(objectId: string, object: object): void {
    this.objects.set(objectId, object as Record<string, Method>)
  }

  unregister(objectId: string): void {
    this.objects.delete(objectId)
  }

  call(worker: number, objectId: string, method: string, argument: unknown): Promise<unknown> {
    return this.#network.call(this, worker, { objectId, method, argument })
  }

  post(worker: number, objectId: string, method: string, argument: unknown): void {
    this.#network.call(this, worker, { objectId, method, argument }).catch(() => undefined)
  }

  onWorkerLost(listener: (worker: number) => void): void {
    this.lostListeners.push(listener)
  }

  beginAsync(): void {
    this.attention++
  }

  endAsync(): void {
    this.attention--
  }
}

const workerLost = (): Error => Object.assign(new Error('the worker died'), { code: 'WORKER_LOST' })

/** Several workers, their calls, and their deaths. */
export class FakeNetwork {
  readonly nodes: FakeWorkerNode[]
  /** Messages that crossed between workers, `method from>to`. */
  readonly log: string[] = []
  readonly #outstanding = new Set<{ to: FakeWorkerNode; reject: (error: Error) => void }>()

  constructor(workers: number) {
    this.nodes = Array.from({ length: workers }, (_, index) => new FakeWorkerNode(this, index, 1))
  }

  call(from: FakeWorkerNode, worker: number, message: { objectId: string; method: string; argument: unknown }): Promise<unknown> {
    const to = this.nodes[worker]
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    const outstanding = { to, reject }
    this.#outstanding.add(outstanding)
    this.log.push(`${message.method} ${from.index}>${worker}`)
    const argument: unknown = structuredClone(message.argument)
    setImmediate(() => {
      if (!from.alive) return
      if (!to.alive) return reject(workerLost())
      const method = to.objects.get(message.objectId)?.[message.method]
      if (method === undefined) return reject(new Error(`no ${message.objectId}.${message.method} on worker ${worker}`))
      Promise.resolve(method(argument, from.index)).then(value => {
        if (to.alive && from.alive) setImmediate(() => resolve(structuredClone(value)))
      }, reject)
    })
    return promise.finally(() => this.#outstanding.delete(outstanding))
  }

  /** A worker dies; another is started in its place. */
  restart(index: number): FakeWorkerNode {
    const dead = this.nodes[index]
    dead.alive = false
    const successor = new FakeWorkerNode(this, index, dead.incarnation + 1)
    this.nodes[index] = successor
    for (const { to, reject } of Array.from(this.#outstanding)) if (to === dead) reject(workerLost())
    for (const node of this.nodes) if (node !== successor) for (const listener of node.lostListeners) listener(index)
    return successor
  }
}

/** Lets messages and promises come to rest. */
export const settle = async (turns = 30): Promise<void> => {
  for (let turn = 0; turn < turns; turn++) await new Promise(resolve => setImmediate(resolve))
}

/** `RWH` as lease state bits. */
export const leaseState = (letters: string): number =>
  (letters.includes('R') ? leaseStates.read : 0) | (letters.includes('W') ? leaseStates.write : 0) | (letters.includes('H') ? leaseStates.handle : 0)

/** FILE_GENERIC_READ | FILE_GENERIC_WRITE | DELETE and more: what a test opens with unless it says otherwise. */
export const fullAccess = 0x1f01ff
export const shareAll = 7

/** A request for file 1, path `file.dat`, all access shared, unless overridden. */
export const request = (overrides: Partial<OpenRequest> = {}): OpenRequest => ({
  volumeId: 1n,
  fileId: 1n,
  path: 'file.dat',
  stream: '',
  isFolder: false,
  access: fullAccess,
  shareAccess: shareAll,
  oplockLevel: oplockLevels.none,
  clientGuid: 'c1',
  ...overrides,
})

/** A request with a lease of the given letters. */
export const leaseRequest = (
  key: string,
  letters: string,
  overrides: Omit<Partial<OpenRequest>, 'lease'> & { readonly lease?: Partial<LeaseRequest> } = {},
): OpenRequest =>
  request({
    ...(overrides as Partial<OpenRequest>),
    oplockLevel: oplockLevels.lease,
    lease: { version: 1, key, state: leaseState(letters), epoch: 0, ...overrides.lease },
  })

/** An open table with its messages kept. */
export const createTable = (
  overrides: Partial<OpenTableOptions> = {},
): { readonly table: OpenTable; readonly messages: TableMessage[]; readonly scheduler: ManualScheduler; breaks(): string[] } => {
  const scheduler = new ManualScheduler()
  const messages: TableMessage[] = []
  let id = 0n
  const table = new OpenTable({ partition: 'p', nextOpenId: () => ++id, send: (_worker, message) => messages.push(message), scheduler, ...overrides })
  /** Breaks since the last call, as `open level` or `key from>to`, with `!` when an acknowledgement is due. */
  const breaks = (): string[] =>
    messages.splice(0).flatMap(message => {
      if (message.type === 'oplock-break') {
        return [`${message.notice.openId}>${message.notice.newLevel}${message.notice.acknowledgementRequired ? '!' : ''}`]
      }
      if (message.type !== 'lease-break') return []
      const { leaseKey, currentState, newState, acknowledgementRequired } = message.notice
      return [`${leaseKey} ${letters(currentState)}>${letters(newState)}${acknowledgementRequired ? '!' : ''}`]
    })
  return { table, messages, scheduler, breaks }
}

/** The grant of an open that need not wait. */
export const opened = (result: OpenResult | Pending<OpenResult>): OpenGrant => {
  assert.ok(!(result instanceof Pending), 'the open should not wait')
  assert.equal(result.status, 'SUCCESS')
  return result
}

/** The open that has to wait. */
export const waits = (result: OpenResult | Pending<OpenResult>): Pending<OpenResult> => {
  assert.ok(result instanceof Pending, `the open should wait, it got ${(result as OpenResult).status}`)
  assert.equal(result.settled, false)
  return result
}

/** Status at hand, or `pending`. */
export const statusOf = (result: { status: string } | Pending<never> | Pending<OpenResult>): string =>
  result instanceof Pending ? 'pending' : result.status

/** Lease state bits as letters, `''` for none. */
export const letters = (state: number): string => `${state & 1 ? 'R' : ''}${state & 4 ? 'W' : ''}${state & 2 ? 'H' : ''}`

/** The value of a `Pending` that must have settled by now. */
export const settled = async <T>(pending: Pending<T>): Promise<T> => {
  if (!pending.settled) throw new Error('still pending')
  return pending.promise
}
