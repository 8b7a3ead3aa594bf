/** What runs on every worker of a node, by the name its listeners use. */

import { openStorePort } from '@holdfast/cluster'
import type { Framing, WorkerNode, WorkerProtocol } from '@holdfast/engine'
import { iscsiFraming } from '@holdfast/iscsi/target'
import { createManagementProtocol, httpFraming } from '@holdfast/management'
import type { FileSystem } from '@holdfast/storage'
import { controlFraming, createControlProtocol } from '../control/control-protocol.ts'
import { attentiveStore } from '../volumes/attentive-store.ts'
import { openVolumeManager } from '../volumes/manager.ts'
import { openAccounts } from './accounts.ts'
import { createIscsiOnWorker } from './iscsi-protocol.ts'
import { hasVolumes, type NodeConfig } from './node-config.ts'
import { createSmbOnWorker, smbListenerFraming } from './smb-protocol.ts'
import { openVolumesOnWorker, type VolumesOnWorker } from './volumes-on-worker.ts'

/** Control is the last one: it closes what the others use. */
export const framings = { smb: smbListenerFraming, iscsi: iscsiFraming, http: httpFraming, control: controlFraming } as const satisfies Record<
  string,
  Framing
>
export type ProtocolName = keyof typeof framings

interface Entry {
  readonly framing: Framing
  create(node: WorkerNode, config: NodeConfig): WorkerProtocol | Promise<WorkerProtocol>
}

/** The table for `runWorker`. */
export function workerProtocols(objects?: ReadonlyMap<string, FileSystem>): Readonly<Record<ProtocolName, Entry>> {
  // Several protocols of a worker share its volumes.
  let opened: Promise<VolumesOnWorker> | undefined
  const volumesOf = (node: WorkerNode, config: NodeConfig) => (opened ??= openVolumes(node, config))
  return {
    smb: { framing: framings.smb, create: (node, config) => createSmbOnWorker(node, config, objects) },
    iscsi: {
      framing: framings.iscsi,
      async create(node, config) {
        if (!hasVolumes(config)) return unused
        const accounts = openAccounts({ stateDir: config.stateDir, domain: config.name, domainSid: config.identity.machineSid })
        const secretOf = (user: string): string | undefined => {
          const secret = accounts.chapSecretOf(user)
          const problem = secret === undefined ? accounts.chapProblem(user) : undefined
          if (problem !== undefined) node.log('warn', 'this user cannot log in over iSCSI', { user, reason: problem })
          return secret
        }
        return createIscsiOnWorker({ node, config, volumes: await volumesOf(node, config), secretOf })
      },
    },
    http: {
      framing: framings.http,
      create(node) {
        return createManagementProtocol(node, { metrics: () => node.ask('metrics'), ready: async () => (await node.ask('node')).ready })
      },
    },
    control: {
      framing: framings.control,
      async create(node, config) {
        if (!hasVolumes(config)) return unused
        const volumes = await volumesOf(node, config)
        return { ...createControlProtocol(node, volumes.service), close: () => volumes.close() }
      },
    },
  }
}

/** A protocol that no listener is for. */
const unused: WorkerProtocol = { accept: () => ({ onMessage: message => message.release(), onClose() {} }) }

async function openVolumes(node: WorkerNode, { volumesDir }: NodeConfig): Promise<VolumesOnWorker> {
  const port = node.service('volumes')
  if (port === undefined || volumesDir === undefined) throw new Error('a node that has volumes was started without their store')
  const store = attentiveStore(openStorePort(port), node)
  return openVolumesOnWorker({ node, store, manager: await openVolumeManager(volumesDir, store) })
}
