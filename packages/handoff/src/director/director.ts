import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import { EventDescriptor } from '@holdfast/posix/network'
import { DirectorPrograms } from '../bpf/index.ts'
import { parseOwnerWords, watchRoutes } from '../owners/index.ts'
import type { Route } from '../owners/index.ts'
import { createMac } from '../protocol/index.ts'
import { checkOptions, checkRoutes } from './check-options.ts'
import { headMsDefault, idleMsDefault, raisePortDefault } from './options.ts'
import type { DirectorEndpoint, DirectorOptions } from './options.ts'
import { Proxy } from './proxy.ts'
import type { DirectorMetrics, DirectorStatus } from './status.ts'
import type { FromThread, ThreadStart, ThreadStatus, ToThread } from './thread-messages.ts'

/** A director that runs. */
export interface Director extends AsyncDisposable {
  /** Where the listener is. */
  readonly vip: DirectorEndpoint
  status(): Promise<DirectorStatus>
  metrics(): Promise<DirectorMetrics>
  /** Ends the process's part: no new connections; those that are handed over go on when the program is pinned. */
  close(): Promise<void>
}

/** How long proxied connections are waited for at the end. */
const graceMs = 8000

/**
 * Starts a director in a thread of its own. Resolves when clients can connect. Rejects with a `UsageError` whose code says what of the options is wrong: `no-interface`,
 * `bad-address`, `short-key`, `bad-owner`, `bad-routes`, `bad-option`; with a `PosixError` when the kernel does not let it.
 *
 * @example
 * const key = readKeyFile('/etc/holdfast/hand-off.key')
 * await using director = await startDirector({
 *   vip: { host: '10.0.0.100', port: 80 },
 *   interface: 'eth0',
 *   key,
 *   owners: ['/=10.0.0.11:7001', '/videos/=10.0.0.12:7001'],
 *   pinDirectory: '/sys/fs/bpf/holdfast/director-eth0',
 * })
 */
export async function startDirector(options: DirectorOptions): Promise<Director> {
  checkOptions(options)
  // It throws when the key is too short.
  createMac(options.key)
  const director = new RunningDirector(options)
  await director.ready
  return director
}

/** Takes the program and its maps away that a director has left in `pinDirectory`: connections that are handed over end. */
export function detachDirector(pinDirectory: string, interfaces: readonly string[] = readdirSync('/sys/class/net')): void {
  for (const device of interfaces) DirectorPrograms.detach({ interface: device, pinDirectory })
}

class RunningDirector implements Director {
  readonly vip: DirectorEndpoint
  /** Settled when the thread has begun to work, or cannot. */
  readonly ready: Promise<void>
  readonly #options: DirectorOptions
  readonly #proxy = new Proxy()
  readonly #port: MessagePort
  readonly #exit: Promise<unknown>
  readonly #asked = new Map<number, PromiseWithResolvers<ThreadStatus>>()
  readonly #started = Promise.withResolvers<void>()
  readonly #watch: { close(): void } | undefined
  #lastId = 0
  #wake: EventDescriptor | undefined
  #isEnding = false
  #failure: Error | undefined

  constructor(options: DirectorOptions) {
    this.vip = options.vip
    this.#options = options
    this.ready = this.#started.promise
    const { routes, watch } = this.#routes(options)
    this.#watch = watch
    const { port1, port2 } = new MessageChannel()
    this.#port = port1
    const thread = new Worker(new URL('./thread.ts', import.meta.url), {
      workerData: startOf(options, routes, port2),
      transferList: [port2],
      name: 'director',
    })
    this.#exit = once(thread, 'exit')
    port1.on('message', (message: FromThread) => this.#said(message))
    thread.on('error', error => {
      this.#failure ??= error as Error
    })
    thread.on('exit', () => this.#ended())
  }

  async status(): Promise<DirectorStatus> {
    if (this.#wake === undefined) throw this.#gone()
    const answer = Promise.withResolvers<ThreadStatus>()
    const id = ++this.#lastId
    this.#asked.set(id, answer)
    this.#tell({ ask: 'status', id })
    const status = await answer.promise
    return { ...status, metrics: { ...status.metrics, ...this.#proxy.metrics() } }
  }

  async metrics(): Promise<DirectorMetrics> {
    return (await this.status()).metrics
  }

  async close(): Promise<void> {
    this.#isEnding = true
    this.#watch?.close()
    this.#tell({ ask: 'end' })
    await this.#exit
    await this.#proxy.close(graceMs)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** The routes to begin with, and, of a file, what tells of others. */
  #routes({ owners, vip, onNotice }: DirectorOptions): { routes: readonly Route[]; watch: { close(): void } | undefined } {
    if (!('file' in owners)) {
      const routes = parseOwnerWords(owners)
      checkRoutes(vip.host, routes)
      return { routes, watch: undefined }
    }
    let first: readonly Route[] | undefined
    const onChange = (routes: readonly Route[]): void => {
      checkRoutes(vip.host, routes)
      if (first === undefined) first = routes
      else this.#tell({ ask: 'routes', routes })
    }
    const watch = watchRoutes({ file: owners.file, onChange, onError: message => onNotice?.(message) })
    return { routes: first ?? [], watch }
  }

  #tell(message: ToThread): void {
    this.#port.postMessage(message)
    this.#wake?.signal()
  }

  #said(message: FromThread): void {
    if (message.say === 'proxy') this.#proxy.take(message.request)
    else if (message.say === 'notice') this.#options.onNotice?.(message.notice)
    else if (message.say === 'ready') {
      this.#wake = new EventDescriptor(message.wakeDescriptor)
      this.#started.resolve()
    } else if (message.say === 'status') {
      this.#asked.get(message.id)?.resolve(message.status)
      this.#asked.delete(message.id)
    } else {
      this.#failure = message.code === undefined ? message.error : Object.assign(message.error, { code: message.code })
    }
  }

  #gone(): Error {
    return this.#failure ?? new Error('the director has ended')
  }

  #ended(): void {
    // What it said last may not have been listened to yet.
    for (let last = receiveMessageOnPort(this.#port); last !== undefined; last = receiveMessageOnPort(this.#port))
      this.#said(last.message as FromThread)
    const wasReady = this.#wake !== undefined
    // The number may be another descriptor's by now.
    this.#wake = undefined
    this.#watch?.close()
    this.#port.close()
    const error = this.#gone()
    for (const answer of this.#asked.values()) answer.reject(error)
    this.#asked.clear()
    this.#started.reject(error)
    if (wasReady && !this.#isEnding) this.#options.onFailure?.(error)
  }
}

function startOf(options: DirectorOptions, routes: readonly Route[], port: MessagePort): ThreadStart {
  const { vip, key, pinDirectory, mode = 'per-request', attach = 'auto', forward = 'auto' } = options
  const { raisePort = raisePortDefault, idleMs = idleMsDefault, headMs = headMsDefault } = options
  return { port, vip, interface: options.interface, key, routes, mode, pinDirectory, attach, forward, raisePort, idleMs, headMs }
}
