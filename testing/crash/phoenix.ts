/** A server that is started again, on the same state and port, whenever it has been killed. */
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { root } from '../run/root.ts'
import { temporaryFolder } from '../peers/folder.ts'
import { alice, startServer } from '../peers/server.ts'
import type { Endpoint, Server, ServerOptions } from '../peers/server.ts'
import { storeTrapVariable } from './store-trap.ts'
import type { Order, Report, StoreKill } from './store-trap.ts'

/** The share that is continuously available. */
export const shareName = 'docs'
/** One that is not, on a folder of its own. */
export const plainShareName = 'plain'

const entry = join(root, 'testing/crash/server.ts')

/** Below those that the system gives to connections: while the server is away one of them, or even a client that calls it, could take its port. */
const ports = { from: 20_000, to: 32_000 }

async function lastingPort(): Promise<number> {
  for (;;) {
    const probe = createServer().listen(randomInt(ports.from, ports.to), '127.0.0.1')
    try {
      await once(probe, 'listening')
      const { port } = probe.address() as AddressInfo
      probe.close()
      await once(probe, 'close')
      return port
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    }
  }
}

/** What to start. */
export interface PhoenixOptions {
  /** Where state and files are; default: a temporary folder with `needBytes`. */
  readonly folder?: string
  readonly needBytes?: number
  readonly server?: Partial<ServerOptions>
}

/** See the file; stopped with `await using`. */
export class Phoenix implements AsyncDisposable {
  readonly smb: Endpoint
  /** What the shares serve, and the state. */
  readonly folders: Readonly<Record<'docs' | 'plain' | 'state', string>>
  /** How often it has been started again. */
  restarts = 0
  readonly #resources: AsyncDisposableStack
  readonly #options: ServerOptions
  #server: Promise<Server>
  /** The one that was started last. */
  #latest: Server
  /** The one that was killed last; it may not know yet. */
  #victim: Server | undefined
  #dying: StoreKill | undefined
  #isOver = false

  private constructor(started: {
    smb: Endpoint
    folders: Phoenix['folders']
    resources: AsyncDisposableStack
    server: Server
    options: ServerOptions
  }) {
    this.smb = started.smb
    this.folders = started.folders
    this.#resources = started.resources
    this.#options = started.options
    this.#server = Promise.resolve(started.server)
    this.#latest = started.server
    this.#watch(started.server)
  }

  static async start({ folder, needBytes, server = {} }: PhoenixOptions = {}): Promise<Phoenix> {
    await using resources = new AsyncDisposableStack()
    const path = folder ?? resources.use(temporaryFolder('crash', needBytes === undefined ? {} : { needBytes })).path
    const folders = { docs: join(path, 'docs'), plain: join(path, 'plain'), state: join(path, 'state') }
    for (const one of Object.values(folders)) mkdirSync(one, { recursive: true })
    const options: ServerOptions = {
      shares: { [shareName]: `${folders.docs},continuous-availability`, [plainShareName]: folders.plain },
      accounts: [alice],
      state: folders.state,
      smbPort: await lastingPort(),
      entry,
      ...server,
    }
    const first = await startServer(options)
    return new Phoenix({ smb: first.smb, folders, resources: resources.move(), server: first, options })
  }

  /** The server, once it runs. Rejects when it cannot be started. */
  async running(): Promise<Server> {
    for (;;) {
      const server = await this.#server
      if (server.isRunning && server !== this.#victim) return server
      // `#watch` heard of it before.
      await server.ended
    }
  }

  /** Kills it at once; false when there is none to be killed. */
  kill(): boolean {
    const victim = this.#latest
    if (!victim.isRunning || victim === this.#victim) return false
    this.#victim = victim
    victim.signal('SIGKILL')
    return true
  }

  /** Sets the trap of its store (or takes it away), and tells what is in there. */
  async order(kill?: StoreKill): Promise<Report> {
    const order: Order = kill === undefined ? {} : { kill }
    for (;;) {
      const server = await this.running()
      try {
        return (await server.ask({ ...order })) as Report
      } catch (error) {
        // It was dying: the next one is asked.
        if (server.isRunning) throw error
      }
    }
  }

  /** The next server that is started dies as well. */
  dieWhileStarting(kill: StoreKill): void {
    this.#dying = kill
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true
    const server = await this.#server.catch(() => undefined)
    await server?.[Symbol.asyncDispose]()
    await this.#resources.disposeAsync()
  }

  #watch(server: Server): void {
    void server.ended.then(() => {
      if (this.#isOver) return
      this.#server = this.#rise()
      // Whoever waits for the server hears of it.
      this.#server.catch(() => undefined)
    })
  }

  async #rise(): Promise<Server> {
    const dying = this.#dying
    this.#dying = undefined
    this.restarts++
    const options = this.#options
    const env = { ...options.env, ...(dying && { [storeTrapVariable]: JSON.stringify(dying) }) }
    const server = await startServer({ ...options, env }).catch((error: unknown) => {
      if (dying === undefined) throw error
      return undefined
    })
    // It takes over what was left while it says that it is ready, so that it may live to say it.
    if (server === undefined) return this.#rise()
    this.#latest = server
    this.#watch(server)
    return server
  }
}
