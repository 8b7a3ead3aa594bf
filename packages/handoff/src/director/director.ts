import { readdirSync } from 'node:fs'
import { DirectorPrograms } from '../bpf/index.ts'
import { ThreadHandle } from '../loop/index.ts'
import { parseOwnerWords, watchRoutes } from '../owners/index.ts'
import type { Route } from '../owners/index.ts'
import { createMac } from '../protocol/index.ts'
import { checkOptions, checkRoutes } from './check-options.ts'
import type { ProxyRequest } from './core.ts'
import { headMsDefault, idleMsDefault, raisePortDefault } from './options.ts'
import type { DirectorEndpoint, DirectorOptions } from './options.ts'
import { Proxy } from './proxy.ts'
import type { DirectorMetrics, DirectorStatus } from './status.ts'
import type { ThreadStart, ThreadStatus } from './thread-messages.ts'

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
  readonly ready: Promise<void>
  readonly #proxy = new Proxy()
  readonly #thread: ThreadHandle<ThreadStart, ThreadStatus, readonly Route[], ProxyRequest>

  constructor(options: DirectorOptions) {
    const { vip, onNotice, onFailure } = options
    this.vip = vip
    const { routes, watch } = this.#routes(options)
    this.#thread = new ThreadHandle({
      module: new URL('./thread.ts', import.meta.url),
      name: 'director',
      start: startOf(options, routes),
      onOwn: request => this.#proxy.take(request),
      ...(onNotice !== undefined && { onNotice }),
      ...(onFailure !== undefined && { onFailure }),
    })
    this.ready = this.#thread.ready
    void this.#thread.ended.then(() => watch?.close())
  }

  async status(): Promise<DirectorStatus> {
    const status = await this.#thread.status()
    return { ...status, metrics: { ...status.metrics, ...this.#proxy.metrics() } }
  }

  async metrics(): Promise<DirectorMetrics> {
    return (await this.status()).metrics
  }

  async close(): Promise<void> {
    await this.#thread.end()
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
      else this.#thread.ask(routes)
    }
    const watch = watchRoutes({ file: owners.file, onChange, onError: message => onNotice?.(message) })
    return { routes: first ?? [], watch }
  }
}

function startOf(options: DirectorOptions, routes: readonly Route[]): Omit<ThreadStart, 'port'> {
  const { vip, key, pinDirectory, mode = 'per-request', attach = 'auto', forward = 'auto' } = options
  const { raisePort = raisePortDefault, idleMs = idleMsDefault, headMs = headMsDefault } = options
  return { vip, interface: options.interface, key, routes, mode, pinDirectory, attach, forward, raisePort, idleMs, headMs }
}
