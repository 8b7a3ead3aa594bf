/** What runs on every worker of a node, by the name its listeners use. */

import type { Framing, WorkerNode, WorkerProtocol } from '@holdfast/engine'
import { createManagementProtocol, httpFraming } from '@holdfast/management'
import type { FileSystem } from '@holdfast/storage'
import type { NodeConfig } from './node-config.ts'
import { createSmbOnWorker, smbListenerFraming } from './smb-protocol.ts'

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
        return createManagementProtocol(node, { metrics: () => node.ask('metrics'), ready: async () => (await node.ask('node')).ready })
      },
    },
  }
}
