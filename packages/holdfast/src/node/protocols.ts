/** What runs on every worker of a node, by the name its listeners use. */

import type { Framing, WorkerNode, WorkerProtocol } from '@holdfast/engine'
import { createManagementProtocol, httpFraming, type MetricSample } from '@holdfast/management'
import type { FileSystem } from '@holdfast/storage'
import type { NodeConfig } from './node-config.ts'
import { createSmbOnWorker, smbListenerFraming } from './smb-protocol.ts'

/** What a worker can ask the connection manager for (the engine's WorkerRuntime). */
interface AsksManager {
  ask(what: 'metrics' | 'node'): Promise<unknown>
}

export const framings = { smb: smbListenerFraming, http: httpFraming } as const satisfies Record<string, Framing>
export type ProtocolName = keyof typeof framings

interface Entry {
  readonly framing: Framing
  create(node: WorkerNode, config: NodeConfig): WorkerProtocol | Promise<WorkerProtocol>
}

/** The table for `runWorker`. */
export function workerProtocols(objects?: ReadonlyMap<string, FileSystem>): Readonly<Record<ProtocolName, Entry>> {
  return {
    smb: { framing: framings.smb, create: (node, config) => createSmbOnWorker(node, config, objects) },
    http: {
      framing: framings.http,
      create(node) {
        const manager = node as WorkerNode & AsksManager
        return createManagementProtocol(node, {
          metrics: async () => (await manager.ask('metrics')) as readonly MetricSample[],
          ready: async () => ((await manager.ask('node')) as { readonly ready: boolean }).ready,
        })
      },
    },
  }
}
