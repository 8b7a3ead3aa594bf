import { readdirSync } from 'node:fs'
import { ServerAgentPrograms } from '../bpf/index.ts'
import { ThreadHandle } from '../loop/index.ts'
import { createMac } from '../protocol/index.ts'
import { checkOptions } from './check-options.ts'
import { capacityDefault, idleMsDefault } from './options.ts'
import type { ServerAgentOptions } from './options.ts'
import type { ServerAgentMetrics, ServerAgentStatus } from './status.ts'
import type { ThreadStart } from './thread-start.ts'

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
  const { interfaces, listen, local, key, pinDirectory, attach = 'auto', idleMs = idleMsDefault, capacity = capacityDefault } = options
  const { onNotice, onFailure } = options
  const thread = new ThreadHandle<ThreadStart, ServerAgentStatus>({
    module: new URL('./thread.ts', import.meta.url),
    name: 'server-agent',
    start: { interfaces, listen, local, key, pinDirectory, attach, idleMs, capacity },
    ...(onNotice !== undefined && { onNotice }),
    ...(onFailure !== undefined && { onFailure }),
  })
  await thread.ready
  return new RunningServerAgent(thread)
}

/** Takes programs and maps away that an agent has left in `pinDirectory`: its connections end. */
export function detachServerAgent(pinDirectory: string, interfaces: readonly string[] = readdirSync('/sys/class/net')): void {
  ServerAgentPrograms.detach({ interfaces, pinDirectory })
}

class RunningServerAgent implements ServerAgent {
  readonly #thread: ThreadHandle<ThreadStart, ServerAgentStatus>

  constructor(thread: ThreadHandle<ThreadStart, ServerAgentStatus>) {
    this.#thread = thread
  }

  status(): Promise<ServerAgentStatus> {
    return this.#thread.status()
  }

  async metrics(): Promise<ServerAgentMetrics> {
    return (await this.status()).metrics
  }

  close(): Promise<void> {
    return this.#thread.end()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
