import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import { EventDescriptor } from '@holdfast/posix/network'
import { ServerAgentPrograms } from '../bpf/index.ts'
import { createMac } from '../protocol/index.ts'
import { checkOptions } from './check-options.ts'
import { capacityDefault, idleMsDefault } from './options.ts'
import type { ServerAgentOptions } from './options.ts'
import type { ServerAgentMetrics, ServerAgentStatus } from './status.ts'
import type { FromThread, ThreadStart, ToThread } from './thread-messages.ts'

/** A server agent that runs. */
export interface ServerAgent extends AsyncDisposable {
  status(): Promise<ServerAgentStatus>
  metrics(): Promise<ServerAgentMetrics>
  /** Ends the process's part: no new connections; those that are there go on when the programs are pinned. */
  close(): Promise<void>
}

/**
 * Starts a server agent in a thread of its own. Resolves when directors can reach it. Rejects with a `UsageError` whose code says what of the options
 * is wrong: `no-interface`, `bad-address`, `not-local`, `loopback`, `short-key`, `bad-option`; with a `PosixError` when the kernel does not let it.
 *
 * @example
 * const key = readKeyFile('/etc/holdfast/hand-off.key')
 * await using agent = await startServerAgent({
 *   interfaces: ['eth0'],
 *   listen: { host: '10.0.0.11', port: 7001 },
 *   local: { host: '10.0.0.11', port: 80 },
 *   key,
 *   pinDirectory: '/sys/fs/bpf/holdfast/server-agent-eth0',
 * })
 */
export async function startServerAgent(options: ServerAgentOptions): Promise<ServerAgent> {
  checkOptions(options)
  // It throws when the key is too short.
  createMac(options.key)
  const { port1: port, port2 } = new MessageChannel()
  const { interfaces, listen, local, key, pinDirectory, attach = 'auto', idleMs = idleMsDefault, capacity = capacityDefault } = options
  const start: ThreadStart = { port: port2, interfaces, listen, local, key, pinDirectory, attach, idleMs, capacity }
  const thread = new Worker(new URL('./thread.ts', import.meta.url), { workerData: start, transferList: [port2], name: 'server-agent' })
  const agent = new RunningServerAgent(thread, port, options)
  await agent.ready
  return agent
}

/** Takes programs and maps away that an agent has left in `pinDirectory`: its connections end. */
export function detachServerAgent(pinDirectory: string, interfaces: readonly string[] = readdirSync('/sys/class/net')): void {
  ServerAgentPrograms.detach({ interfaces, pinDirectory })
}

class RunningServerAgent implements ServerAgent {
  /** Settled when the thread has begun to work, or cannot. */
  readonly ready: Promise<void>
  readonly #port: MessagePort
  readonly #exit: Promise<unknown>
  readonly #options: ServerAgentOptions
  readonly #asked = new Map<number, PromiseWithResolvers<ServerAgentStatus>>()
  readonly #started = Promise.withResolvers<void>()
  #lastId = 0
  #wake: EventDescriptor | undefined
  #isEnding = false
  #failure: Error | undefined

  constructor(thread: Worker, port: MessagePort, options: ServerAgentOptions) {
    this.#port = port
    this.#options = options
    this.ready = this.#started.promise
    this.#exit = once(thread, 'exit')
    port.on('message', (message: FromThread) => this.#said(message))
    thread.on('error', error => {
      this.#failure ??= error as Error
    })
    thread.on('exit', () => this.#ended())
  }

  async status(): Promise<ServerAgentStatus> {
    const answer = Promise.withResolvers<ServerAgentStatus>()
    if (this.#wake === undefined) throw this.#gone()
    const id = ++this.#lastId
    this.#asked.set(id, answer)
    this.#tell({ ask: 'status', id })
    return answer.promise
  }

  async metrics(): Promise<ServerAgentMetrics> {
    return (await this.status()).metrics
  }

  async close(): Promise<void> {
    this.#isEnding = true
    this.#tell({ ask: 'end' })
    await this.#exit
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #tell(message: ToThread): void {
    this.#port.postMessage(message)
    this.#wake?.signal()
  }

  #said(message: FromThread): void {
    if (message.say === 'ready') {
      this.#wake = new EventDescriptor(message.wakeDescriptor)
      for (const notice of message.notices) this.#options.onNotice?.(notice)
      this.#started.resolve()
    } else if (message.say === 'status') {
      this.#asked.get(message.id)?.resolve(message.status)
      this.#asked.delete(message.id)
    } else {
      this.#failure = message.code === undefined ? message.error : Object.assign(message.error, { code: message.code })
    }
  }

  #gone(): Error {
    return this.#failure ?? new Error('the server agent has ended')
  }

  #ended(): void {
    // What it said last may not have been listened to yet.
    for (let last = receiveMessageOnPort(this.#port); last !== undefined; last = receiveMessageOnPort(this.#port))
      this.#said(last.message as FromThread)
    const wasReady = this.#wake !== undefined
    // The number may be another descriptor's by now.
    this.#wake = undefined
    this.#port.close()
    const error = this.#gone()
    for (const answer of this.#asked.values()) answer.reject(error)
    this.#asked.clear()
    this.#started.reject(error)
    if (wasReady && !this.#isEnding) this.#options.onFailure?.(error)
  }
}
