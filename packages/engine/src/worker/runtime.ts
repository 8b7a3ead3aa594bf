import { receiveMessageOnPort } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import { Arena } from '../shared/arena.ts'
import { Control, managerWantsWake, ringShape, ToWorker } from '../shared/layout.ts'
import type { EngineLimits, Framing, ManagerMail, WorkerMail, WorkerStart } from '../shared/layout.ts'
import { RingReader, RingWriter } from '../shared/ring.ts'
import type { ConnectionHandler, Counters, ManagerAnswers, WorkerNode, WorkerObject, WorkerProtocol } from '../worker-api.ts'
import { WorkerConnection } from './connection.ts'
import type { ConnectionHost, InboundMessage, MessagePlace } from './connection.ts'
import { SharedCounters } from './counters.ts'
import { Mesh } from './mesh.ts'

/** What a worker module offers, by protocol name. */
export type ProtocolTable = Readonly<
  Record<string, { readonly framing: Framing; create(node: WorkerNode, config: never): WorkerProtocol | Promise<WorkerProtocol> }>
>

const closeReasons = ['closed', 'moved', 'shutdown'] as const
/** Above this share of the outbound arena no new work is begun. */
const arenaHighWater = 0.75

/** A worker node: its connections, worker objects and the rings to the manager. Runs in a worker thread or, embedded, in the manager's. */
export class WorkerRuntime implements WorkerNode, ConnectionHost {
  readonly index: number
  readonly workers: number
  readonly incarnation: number
  readonly counters: Counters
  readonly limits: EngineLimits
  readonly table: Int32Array
  readonly inbound: Buffer
  readonly outbound: Arena
  readonly control: Int32Array
  readonly mesh: Mesh
  onShutdown: (() => void) | undefined
  readonly #fromManager: RingReader
  readonly #toManager: RingWriter
  readonly #port: MessagePort
  readonly #services: Readonly<Record<string, MessagePort>>
  readonly #protocols = new Map<string, { framing: Framing; protocol: WorkerProtocol }>()
  readonly #connections: (WorkerConnection | undefined)[] = []
  readonly #lostListeners: ((worker: number) => void)[] = []
  readonly #asked = new Map<number, (value: unknown) => void>()
  readonly #visit: (type: number, a: number, b: number, c: number, d: number) => void
  #nextAsk = 1
  #async = 0
  #heldConnections = new Set<WorkerConnection>()
  /** Those that want to know when all messages that had come in are delivered. */
  readonly #batch = new Set<ConnectionHandler>()

  constructor(start: WorkerStart, ports: { readonly manager: MessagePort; readonly services: Readonly<Record<string, MessagePort>> }) {
    this.index = start.index
    this.workers = start.workers
    this.incarnation = start.incarnation
    this.limits = start.limits
    this.table = new Int32Array(start.table)
    this.inbound = Buffer.from(start.inbound)
    this.outbound = new Arena(start.outbound)
    this.control = new Int32Array(start.control)
    this.#fromManager = new RingReader(start.toWorker, ringShape)
    this.#toManager = new RingWriter(start.toManager, ringShape)
    this.#port = ports.manager
    this.#services = ports.services
    this.mesh = new Mesh(start.index)
    this.counters = new SharedCounters(start.counters, mail => this.mail(mail))
    this.#visit = (type, a, b, c, d) => this.#onRecord(type, a, b, c, d)
  }

  async start(protocols: ProtocolTable, config: unknown): Promise<void> {
    for (const [name, { framing, create }] of Object.entries(protocols)) {
      this.#protocols.set(name, { framing, protocol: await create(this, config as never) })
    }
    this.mail({ kind: 'ready' })
  }

  /** Lets every protocol finish what must not be lost. */
  async closeProtocols(): Promise<void> {
    for (const { protocol } of this.#protocols.values()) await protocol.close?.()
  }

  // WorkerNode

  register(objectId: string, object: WorkerObject): void {
    this.mesh.register(objectId, object)
  }

  unregister(objectId: string): void {
    this.mesh.unregister(objectId)
  }

  call(worker: number, objectId: string, method: string, argument: unknown): Promise<unknown> {
    return this.mesh.call(worker, objectId, method, argument)
  }

  post(worker: number, objectId: string, method: string, argument: unknown): void {
    this.mesh.post(worker, objectId, method, argument)
  }

  onWorkerLost(listener: (worker: number) => void): void {
    this.#lostListeners.push(listener)
  }

  service(name: string): MessagePort | undefined {
    return this.#services[name]
  }

  beginAsync(): void {
    this.#async++
  }

  endAsync(): void {
    this.#async--
  }

  ask<What extends keyof ManagerAnswers>(what: What): Promise<ManagerAnswers[What]> {
    const call = this.#nextAsk++
    return new Promise(resolve => {
      this.#asked.set(call, value => resolve(value as ManagerAnswers[What]))
      this.mail({ kind: 'ask', call, what })
    })
  }

  log(level: string, message: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.mail({ kind: 'log', level, message, fields: { worker: this.index, ...fields } })
  }

  // ConnectionHost

  push(type: number, a: number, b: number, c: number, d: number, e = 0): void {
    this.#toManager.push(type, a, b, c, d, e)
    if (Atomics.load(this.table, managerWantsWake) !== 0) this.ring()
  }

  get nextRecord(): number {
    return this.#toManager.next
  }

  ring(): void {
    if (Atomics.exchange(this.control, Control.rung, 1) === 0) this.mail({ kind: 'bell' })
  }

  mail(mail: WorkerMail): void {
    this.#port.postMessage(mail)
  }

  forget(connection: number): void {
    const known = this.#connections[connection]
    if (known !== undefined) this.#heldConnections.delete(known)
    this.#connections[connection] = undefined
  }

  // The loop's parts

  /** Nothing asynchronous is known to be outstanding here. */
  get isQuiet(): boolean {
    return this.#async === 0 && this.mesh.waitingCalls === 0 && this.#asked.size === 0
  }

  get hasWork(): boolean {
    return !this.#fromManager.isEmpty || Atomics.load(this.control, Control.mail) !== 0
  }

  /** Handles what has come in, at most `limit` records; returns how much it was. */
  work(limit: number): number {
    let count = 0
    if (Atomics.exchange(this.control, Control.mail, 0) !== 0) count += this.#readMail() + this.mesh.receive()
    count += this.#fromManager.drain(this.#visit, limit)
    if (this.#batch.size > 0) this.#endBatch()
    this.#toManager.flush()
    return count
  }

  #endBatch(): void {
    for (const handler of this.#batch) handler.onBatchEnd?.()
    this.#batch.clear()
  }

  #deliver(handler: ConnectionHandler, message: InboundMessage): void {
    handler.onMessage(message)
    if (handler.onBatchEnd !== undefined) this.#batch.add(handler)
  }

  #readMail(): number {
    let count = 0
    for (let next = receiveMessageOnPort(this.#port); next !== undefined; next = receiveMessageOnPort(this.#port)) {
      count++
      this.onMail(next.message as ManagerMail)
    }
    return count
  }

  #onRecord(type: number, a: number, b: number, c: number, d: number): void {
    switch (type) {
      case ToWorker.message:
      case ToWorker.orphan:
        this.#onMessage(a, { index: b, bytes: this.inbound.subarray(c, c + d), orphaned: type === ToWorker.orphan })
        return
      case ToWorker.free:
        this.outbound.free(a)
        if (this.#heldConnections.size > 0) this.#resumeHeld()
        return
      case ToWorker.drained:
        this.#connections[a]?.handler?.onDrain?.()
        this.#resumeHeld()
        return
      case ToWorker.close:
        // The opening may still be in the mail.
        if (this.#connections[a] === undefined) this.#readMail()
        this.#onClose(a, closeReasons[b] ?? 'closed')
        return
    }
    throw new Error(`unknown record type ${type} from the manager`)
  }

  #onClose(id: number, reason: (typeof closeReasons)[number]): void {
    const connection = this.#connections[id]
    if (connection !== undefined) connection.closed(reason)
    // By mail, as a move is: what comes after it is of the id's next client.
    else this.mail({ kind: 'gone', connection: id })
  }

  #onMessage(id: number, place: MessagePlace): void {
    if (this.#connections[id] === undefined) this.#readMail()
    const connection = this.#connections[id]
    // Moved away: the manager sends the message to the other worker.
    if (connection?.handler === undefined) return
    const message = connection.receive(place)
    if (connection.held.length > 0 || connection.isCongested || this.#arenaIsFull()) {
      connection.held.push(message)
      this.#heldConnections.add(connection)
      return
    }
    this.#deliver(connection.handler, message)
  }

  #arenaIsFull(): boolean {
    return this.outbound.usedBytes > arenaHighWater * this.limits.outboundBytes
  }

  #resumeHeld(): void {
    for (const connection of this.#heldConnections) {
      while (connection.held.length > 0 && !connection.isCongested && !this.#arenaIsFull()) {
        const message = connection.held.shift()!
        if (connection.handler !== undefined) this.#deliver(connection.handler, message)
      }
      if (connection.held.length === 0) this.#heldConnections.delete(connection)
    }
  }

  onMail(mail: ManagerMail): void {
    switch (mail.kind) {
      case 'open':
        this.#open(mail)
        return
      case 'peer':
        this.mesh.addPeer(mail.worker, mail.port, mail.control)
        return
      case 'lost':
        this.mesh.losePeer(mail.worker)
        for (const listener of this.#lostListeners) listener(mail.worker)
        return
      case 'reply': {
        const resolve = this.#asked.get(mail.call)
        this.#asked.delete(mail.call)
        resolve?.(mail.value)
        return
      }
      case 'shutdown':
        this.onShutdown?.()
        return
      case 'bell':
    }
  }

  #open(mail: Extract<ManagerMail, { kind: 'open' }>): void {
    const entry = this.#protocols.get(mail.protocol)
    if (entry === undefined) throw new Error(`the worker module has no protocol '${mail.protocol}'`)
    const connection = new WorkerConnection(this, {
      id: mail.connection,
      addresses: mail.addresses,
      framing: entry.framing,
      distributed: mail.distributed,
    })
    this.#connections[mail.connection] = connection
    connection.handler = entry.protocol.accept(connection, new Map(mail.checkpoints))
  }
}
