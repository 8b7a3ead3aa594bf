import { Arena } from '../shared/arena.ts'
import { releasePieces } from '../shared/held-pieces.ts'
import { clientSwitches, CloseReason, Control, defaultLimits, managerWantsWake, Slot, slotAt, ToManager, ToWorker } from '../shared/layout.ts'
import type { EngineLimits, WorkerMail } from '../shared/layout.ts'
import type { ManagerAnswers, MetricSample } from '../worker-api.ts'
import { Client } from './client.ts'
import type { ClientEvents, ListenerOptions, ListeningAddress, ListenOptions, TcpHandle } from './client.ts'
import { landingBytes } from './intake.ts'
import { Listeners } from './listen.ts'
import { MessageTable } from './messages.ts'
import { Metrics } from './metrics.ts'
import { readFiles, unfinishedWrite } from './recovery.ts'
import type { WorkerHandle } from './worker-handle.ts'
import { WorkerPool } from './worker-pool.ts'
import type { WorkerPoolOptions } from './worker-pool.ts'

/** How many workers run what, within which limits (what is left out is as in `defaultLimits`), and who hears of what happens to them. */
export interface ManagerOptions extends WorkerPoolOptions {
  readonly limits?: Partial<EngineLimits>
  readonly onLog?: (level: string, message: string, fields: Readonly<Record<string, unknown>>) => void
}

/** How often clients are asked for that may have vanished. */
const watchdogMs = 2000

/**
 * The connection manager (S11): owns listeners and sockets, cuts their bytes into messages, and moves those over shared
 * memory to worker nodes. It knows of a protocol no more than its framing.
 *
 * @example
 * import { once } from 'node:events'
 * import { connect } from 'node:net'
 * import type { Connection, ConnectionHandler, Framing } from '@holdfast/engine'
 *
 * // An echo of lines, in the calling thread; for threads give `workers` and `workerModule` instead of `inThread`.
 * const framing: Framing = {
 *   headerBytes: 0,
 *   leadBytes: 1,
 *   frameBytes: (bytes, at, end) => Math.max(0, bytes.subarray(0, end).indexOf('\n', at) + 1 - at),
 *   writeHeader() {},
 * }
 * const echo = (connection: Connection): ConnectionHandler => ({
 *   onMessage(message) {
 *     const answer = connection.allocate(message.bytes.length)
 *     message.bytes.copy(answer)
 *     connection.send(answer, answer.length, message)
 *   },
 *   onClose() {},
 * })
 * await using manager = await ConnectionManager.start({ inThread: { echo: { framing, create: () => ({ accept: echo }) } } })
 * const { host, port } = await manager.listen({ protocol: 'echo', framing, distributed: true, host: '127.0.0.1', port: 0 })
 * const socket = connect(port, host)
 * socket.write('hello\n')
 * const [answer] = await once(socket, 'data')
 * String(answer) // => 'hello\n'
 * socket.destroy()
 */
export class ConnectionManager implements AsyncDisposable {
  readonly limits: EngineLimits
  readonly metrics: Metrics
  readonly #options: ManagerOptions
  readonly #table: Int32Array
  readonly #memory: { arena: Arena; landing: Buffer }
  readonly #messages = new MessageTable()
  readonly #pool: WorkerPool
  readonly #clients: (Client | undefined)[] = []
  readonly #freeIds: number[] = []
  readonly #perAddress = new Map<string, number>()
  readonly #listeners = new Listeners()
  readonly #waiting = new Set<Client>()
  readonly #clientEvents: ClientEvents
  #watchdog: NodeJS.Timeout | undefined
  #lastClient: Client | undefined
  readonly #answers: { readonly [What in keyof ManagerAnswers]: () => ManagerAnswers[What] } = {
    metrics: () => this.snapshot(),
    node: () => ({ ready: !this.#pool.isClosing, listeners: this.#listeners.states }),
  }
  #toRing = new Set<WorkerHandle>()
  readonly #ringAll = (): void => {
    const workers = this.#toRing
    // Draining may give clients their turn again, whose messages want a ring of their own.
    this.#toRing = new Set()
    for (const worker of workers) {
      this.#drain(worker)
      worker.bell()
    }
  }

  private constructor(options: ManagerOptions) {
    this.#options = options
    this.limits = { ...defaultLimits, ...options.limits }
    const table = new SharedArrayBuffer(4 * slotAt(this.limits.connections))
    const inbound = new SharedArrayBuffer(this.limits.inboundBytes)
    this.#table = new Int32Array(table)
    // The landing buffer is shared memory's neighbour, not part of it: what lands there is copied out at once.
    this.#memory = { arena: new Arena(inbound), landing: Buffer.alloc(landingBytes) }
    this.#pool = new WorkerPool(
      options,
      { table, inbound, limits: this.limits },
      {
        onMail: (handle, mail) => this.#onMail(handle, mail),
        onRing: handle => this.#drain(handle),
        onDeath: (handle, cause) => this.#onDeath(handle, cause),
        onReplaced: dead => this.#rehome(dead),
        onLog: (level, message, fields) => this.#log(level, message, fields),
      },
    )
    this.metrics = new Metrics()
    for (let id = this.limits.connections - 1; id >= 0; id--) this.#freeIds.push(id)
    this.#clientEvents = {
      onMessage: (client, offset, length) => this.#onMessage(client, offset, length),
      onStarved: client => this.#wait(client),
      onEnd: client => this.#await(client),
      onClose: client => this.#onClose(client),
    }
  }

  /** Starts the worker nodes; resolves when all of them have built their protocols. Rejects with the error of a worker that can't start. */
  static async start(options: ManagerOptions): Promise<ConnectionManager> {
    const manager = new ConnectionManager(options)
    await manager.#pool.start()
    manager.#watchdog = setInterval(() => manager.#clients.forEach(client => client?.closeIfOverdue(manager.limits)), watchdogMs).unref()
    return manager
  }

  get workers(): number {
    return this.#pool.size
  }

  /** Accepts connections. Rejects with Node's error (`EADDRINUSE`, `EACCES` …; `EINVAL` for a descriptor that is no socket to listen on). */
  listen(options: ListenOptions): Promise<ListeningAddress> {
    return this.#listeners.open(options, accepted => this.#accept(options, accepted))
  }

  /**
   * Ends a worker thread at once, as a crash would; its connections live on. For tests and chaos runs. One that is
   * still starting is ended when it has started: a thread that is ended while it loads native code takes the process along.
   */
  killWorker(index: number): void {
    this.#pool.kill(index)
  }

  snapshot(): readonly MetricSample[] {
    const metrics = this.metrics
    metrics.set('holdfast_connections', this.limits.connections - this.#freeIds.length)
    metrics.set('holdfast_inbound_memory_bytes', this.#memory.arena.usedBytes)
    metrics.set('holdfast_workers', this.#pool.handles.filter(handle => handle.alive).length)
    return metrics.snapshot(this.#pool.handles)
  }

  /** Stops accepting, lets workers say goodbye, closes everything. */
  async close(): Promise<void> {
    if (this.#pool.isClosing) return
    this.#pool.isClosing = true
    clearInterval(this.#watchdog)
    this.metrics[Symbol.dispose]()
    await this.#listeners.close()
    for (const client of this.#clients) {
      if (client?.worker !== undefined) client.worker.push(ToWorker.close, client.id, CloseReason.shutdown, 0, 0)
    }
    await this.#pool.close()
    for (const client of this.#clients) client?.close()
    for (const handle of this.#pool.handles) handle.port.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  // Workers

  #onDeath(handle: WorkerHandle, cause: Error | undefined): void {
    this.#drain(handle)
    this.metrics.retire(handle)
    if (this.#pool.isClosing) return
    this.metrics.add('holdfast_worker_deaths_total')
    this.#log('error', 'a worker died; its connections go on', {
      worker: handle.index,
      incarnation: handle.incarnation,
      error: cause?.message,
      stack: cause?.stack,
    })
    for (const client of this.#clients) {
      if (client?.worker === handle) this.#finishWrites(client, handle)
    }
    releasePieces(handle.control)
  }

  #finishWrites(client: Client, handle: WorkerHandle): void {
    // Nobody reads it, and the end of the stream counts as a byte that was written.
    if (client.isClosed) return
    const slot = slotAt(client.id)
    // A count the worker raised without writing the record.
    Atomics.store(this.#table, slot + Slot.managerWrites, client.writes)
    const unfinished = unfinishedWrite({ table: this.#table, control: handle.control, nextRecord: handle.fromWorker.next }, client.id)
    if (unfinished === undefined) return
    for (const message of unfinished.messages) this.#release(message)
    if (!readFiles(unfinished, handle.outbound)) return client.close()
    if (unfinished.length > 0) {
      Atomics.add(this.#table, slot + Slot.managerWrites, 1)
      Atomics.add(this.#table, slot + Slot.managerBytes, unfinished.length)
      this.#write(client, handle, -1, unfinished.offset, unfinished.length)
    }
  }

  /** Gives a dead worker's connections to its successor, with the messages it had not finished. */
  #rehome(dead: WorkerHandle): void {
    for (const client of this.#clients.slice()) {
      if (client?.worker !== dead) continue
      if (client.isClosed) {
        this.#forget(client)
        continue
      }
      const worker = this.#pool.choose()
      if (worker === undefined) {
        client.close()
        this.#forget(client)
        continue
      }
      this.metrics.add('holdfast_connections_rehomed_total')
      this.#assign(client, worker)
      for (const message of this.#messages.of(client.id)) {
        this.#messages.orphan(message)
        this.#send(client, message)
      }
    }
    for (const handle of this.#pool.handles) handle.bell()
  }

  #assign(client: Client, handle: WorkerHandle): void {
    client.worker = handle
    handle.connections++
    this.metrics.add('holdfast_shared_connections_opened_total', client.isDistributed ? 'distributed' : 'non-distributed')
    handle.mail({
      kind: 'open',
      connection: client.id,
      protocol: client.listener.protocol,
      distributed: client.isDistributed,
      addresses: client.addresses,
      checkpoints: [...client.checkpoints],
    })
  }

  // Clients

  #accept(listener: ListenerOptions, handle: TcpHandle): void {
    const id = this.#freeIds.pop()
    if (id === undefined || this.#pool.isClosing) {
      if (id !== undefined) this.#freeIds.push(id)
      this.metrics.add('holdfast_connections_refused_total', 'connections')
      handle.close()
      return
    }
    const client = new Client({
      id,
      handle,
      listener,
      table: this.#table,
      memory: this.#memory,
      messageBytes: this.limits.messageBytes,
      events: this.#clientEvents,
    })
    const address = client.addresses.remoteAddress
    const count = (this.#perAddress.get(address) ?? 0) + 1
    this.#perAddress.set(address, count)
    this.#clients[id] = client
    this.metrics.add('holdfast_connections_accepted_total', listener.protocol)
    this.metrics.add('holdfast_open_connections', listener.protocol)
    if (count > this.limits.connectionsPerAddress) {
      this.metrics.add('holdfast_connections_refused_total', 'connectionsPerAddress')
      client.close()
    }
  }

  #onMessage(client: Client, offset: number, length: number): void {
    if (client.hasEnded) {
      this.#memory.arena.free(offset)
      return
    }
    const message = this.#messages.add({ connection: client.id, offset, length })
    const isAlone = client === this.#lastClient
    if (!isAlone) {
      this.#lastClient = client
      Atomics.add(this.#table, clientSwitches, 1)
    }
    if (client.worker === undefined) {
      const chosen = this.#pool.choose()
      if (chosen === undefined) {
        client.close()
        return
      }
      this.#assign(client, chosen)
    }
    client.inboundBytes += length
    this.#send(client, message)
    const worker = client.worker!
    if (isAlone) {
      this.#drain(worker)
      worker.bell()
    } else this.#bellSoon(worker)
    if (client.inboundBytes > this.limits.inboundBytesPerConnection) this.#wait(client)
  }

  /** Rings once for all the clients that one turn of the event loop has read: workers are woken less, and find more to do. */
  #bellSoon(worker: WorkerHandle): void {
    if (this.#toRing.size === 0) setImmediate(this.#ringAll)
    this.#toRing.add(worker)
  }

  #send(client: Client, message: number): void {
    const type = this.#messages.isOrphan(message) ? ToWorker.orphan : ToWorker.message
    client.worker!.push(type, client.id, message, this.#messages.offset(message), this.#messages.length(message))
  }

  /** The client's socket is not read until memory comes back. */
  #wait(client: Client): void {
    client.pause()
    this.metrics.add('holdfast_reads_paused_total')
    this.#await(client)
  }

  /** Looks at every release from here on. */
  #await(client: Client): void {
    this.#waiting.add(client)
    Atomics.store(this.#table, managerWantsWake, 1)
    // A release that came between the check and the flag would not have rung.
    for (const handle of this.#pool.handles) this.#drain(handle)
  }

  #resumeWaiting(): void {
    for (const client of this.#waiting) {
      if (client.inboundBytes > (client.hasHeardAll ? 0 : this.limits.inboundBytesPerConnection / 2)) continue
      client.resume()
      if (!client.isPaused) this.#waiting.delete(client)
    }
    if (this.#waiting.size === 0) Atomics.store(this.#table, managerWantsWake, 0)
  }

  #onClose(client: Client): void {
    if (this.#waiting.delete(client) && this.#waiting.size === 0) Atomics.store(this.#table, managerWantsWake, 0)
    const address = client.addresses?.remoteAddress ?? ''
    const count = this.#perAddress.get(address) ?? 0
    if (count <= 1) this.#perAddress.delete(address)
    else this.#perAddress.set(address, count - 1)
    if (client.worker === undefined) {
      this.#forget(client)
    } else if (client.worker.alive) {
      // The worker answers with `gone`; only then may the id be used again.
      client.worker.push(ToWorker.close, client.id, CloseReason.closed, 0, 0)
      client.worker.bell()
    }
  }

  #forget(client: Client): void {
    if (this.#clients[client.id] !== client) return
    if (client.worker !== undefined) client.worker.connections--
    for (const message of this.#messages.of(client.id)) this.#release(message)
    client.release()
    this.metrics.add('holdfast_open_connections', client.listener.protocol, -1)
    this.#clients[client.id] = undefined
    this.#freeIds.push(client.id)
  }

  // From workers

  #drain(handle: WorkerHandle): void {
    let released = false
    handle.fromWorker.drain((type, a, b, c, d, e) => {
      switch (type) {
        case ToManager.release:
          released = this.#release(a) || released
          return
        case ToManager.write:
          released = this.#release(e - 1) || released
          this.#onWrite(handle, a, b, c, d)
          return
        case ToManager.close:
          this.#endWhenWritten(a, b !== 0)
          return
      }
    }, Infinity)
    handle.flush()
    if (released && this.#waiting.size > 0) this.#resumeWaiting()
  }

  /** False where there is no such message (any more). */
  #release(message: number): boolean {
    if (message < 0 || !this.#messages.has(message)) return false
    const client = this.#clients[this.#messages.connection(message)]
    client?.released(this.#messages.length(message))
    this.#memory.arena.free(this.#messages.offset(message))
    this.#messages.remove(message)
    return true
  }

  #onWrite(handle: WorkerHandle, connection: number, block: number, offset: number, length: number): void {
    const client = this.#clients[connection]
    if (client === undefined || client.worker !== handle) {
      handle.push(ToWorker.free, block, 0, 0, 0)
      return
    }
    this.#write(client, handle, block, offset, length)
  }

  /** `block` goes back to the worker when it has been written; -1 when the worker is dead. */
  #write(client: Client, handle: WorkerHandle, block: number, offset: number, length: number): void {
    this.metrics.add('holdfast_manager_writes_total')
    handle.pendingWrites++
    client.write(handle.outbound.subarray(offset, offset + length), () => {
      handle.pendingWrites--
      const slot = slotAt(client.id)
      if (this.#clients[client.id] === client) {
        const before = Atomics.sub(this.#table, slot + Slot.managerBytes, length)
        Atomics.add(this.#table, slot + Slot.written, length)
        Atomics.sub(this.#table, slot + Slot.managerWrites, 1)
        const limit = this.limits.unsentBytesPerConnection
        if ((before > limit && before - length <= limit) || before === length) client.worker?.push(ToWorker.drained, client.id, 0, 0, 0)
      }
      if (block >= 0) handle.push(ToWorker.free, block, 0, 0, 0)
      if (handle.alive) handle.bell()
      if (client.worker !== handle && client.worker?.alive === true) client.worker.bell()
      if (!client.isDistributed) this.#tearDown(client)
    })
  }

  /** A non-distributed session's connection to its worker ends with the response (S11). */
  #tearDown(client: Client): void {
    this.metrics.add('holdfast_shared_connections_torn_down_total')
    if (client.worker !== undefined) client.worker.connections--
    client.worker = undefined
    client.end()
  }

  #endWhenWritten(connection: number, lingers: boolean): void {
    const client = this.#clients[connection]
    if (client === undefined || client.isClosed) return
    if (lingers) client.end()
    else client.closeWhenWritten()
  }

  #onMail(handle: WorkerHandle, mail: WorkerMail): void {
    switch (mail.kind) {
      case 'checkpoint': {
        const client = this.#clients[mail.connection]
        if (client === undefined || client.worker !== handle) return
        if (mail.state === undefined) client.checkpoints.delete(mail.key)
        else client.checkpoints.set(mail.key, mail.state)
        return
      }
      case 'gone': {
        this.#drain(handle)
        const client = this.#clients[mail.connection]
        if (client?.worker === handle && client.isClosed) this.#forget(client)
        return
      }
      case 'move':
        this.#drain(handle)
        this.#move(handle, mail)
        return
      case 'counter':
        handle.names.set(mail.slot, mail)
        return
      case 'ask':
        handle.mail({ kind: 'reply', call: mail.call, value: this.#answers[mail.what]() })
        handle.bell()
        return
      case 'log':
        this.#log(mail.level, mail.message, mail.fields)
        return
      case 'bell':
        // Before the ring is looked at: what is pushed later rings again.
        Atomics.store(handle.control, Control.rung, 0)
        return
      case 'ready':
    }
  }

  #move(from: WorkerHandle, mail: Extract<WorkerMail, { kind: 'move' }>): void {
    const client = this.#clients[mail.connection]
    const to = this.#pool.handles[mail.to]
    if (client === undefined || client.worker !== from) return
    if (client.isClosed || to === undefined || !to.alive) {
      // The worker it leaves is told, and says `gone`.
      client.close()
      return
    }
    from.connections--
    this.metrics.add('holdfast_connections_moved_total')
    this.#assign(client, to)
    const messages = this.#messages.of(client.id)
    messages.sort((a, b) => Number(b === mail.first) - Number(a === mail.first))
    for (const message of messages) this.#send(client, message)
    to.bell()
  }

  #log(level: string, message: string, fields: Readonly<Record<string, unknown>>): void {
    this.#options.onLog?.(level, message, fields)
  }
}
