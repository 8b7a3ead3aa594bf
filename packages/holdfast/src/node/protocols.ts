/** What runs on every worker of a node, by the name its listeners use. */

import { openStorePort } from '@holdfast/cluster'
import type { Framing, WorkerNode, WorkerProtocol } from '@holdfast/engine'
import { iscsiFraming } from '@holdfast/iscsi/target'
import { createManagementProtocol, httpFraming } from '@holdfast/management'
import type { FileSystem } from '@holdfast/storage'
import type { BlockDevice } from '@holdfast/storage/block'
import { controlFraming, createControlProtocol } from '../control/control-protocol.ts'
import { attentiveStore } from '../volumes/attentive-store.ts'
import { openVolumeManager } from '../volumes/manager.ts'
import { openAccounts } from './accounts.ts'
import { openDevices, withDevices } from './devices-on-worker.ts'
import { createIscsiOnWorker } from './iscsi-protocol.ts'
import { hasVolumes, type NodeConfig } from './node-config.ts'
import { createSmbOnWorker, smbListenerFraming } from './smb-protocol.ts'
import { openVolumesOnWorker, type VolumesOnWorker, type WorkerVolumes } from './volumes-on-worker.ts'

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

/** What the calling thread has made for a node in that thread. */
export interface ThreadObjects {
  /** The filesystems of shares of kind `object`, by share name. */
  readonly fileSystems?: ReadonlyMap<string, FileSystem> | undefined
  /** The devices of `NodeConfig.devices`, by name. */
  readonly devices?: ReadonlyMap<string, BlockDevice> | undefined
}

/** The table for `runWorker`. */
export function workerProtocols({ fileSystems, devices }: ThreadObjects = {}): Readonly<Record<ProtocolName, Entry>> {
  // Several protocols of a worker share its volumes.
  let opened: Promise<Volumes> | undefined
  const volumesOf = (node: WorkerNode, config: NodeConfig) => (opened ??= openVolumes(node, config, devices))
  return {
    smb: { framing: framings.smb, create: (node, config) => createSmbOnWorker(node, config, fileSystems) },
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
        const { served } = await volumesOf(node, config)
        return createIscsiOnWorker({ node, config, volumes: served, secretOf })
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
        const { managed } = await volumesOf(node, config)
        return { ...createControlProtocol(node, managed.service), close: () => managed.close() }
      },
    },
  }
}

/** A protocol that no listener is for. */
const unused: WorkerProtocol = { accept: () => ({ onMessage: message => message.release(), onClose() {} }) }

const noDevices: ReadonlyMap<string, BlockDevice> = new Map()

interface Volumes {
  /** Those in files, which may come and go. */
  readonly managed: VolumesOnWorker
  /** All. */
  readonly served: WorkerVolumes
}

async function openVolumes(node: WorkerNode, { volumesDir, devices = [], identity }: NodeConfig, objects = noDevices): Promise<Volumes> {
  const port = node.service('volumes')
  if (port === undefined || volumesDir === undefined) throw new Error('a node that has volumes was started without their store')
  const store = attentiveStore(openStorePort(port), node)
  const managed = await openVolumesOnWorker({ node, store, manager: await openVolumeManager(volumesDir, store) })
  if (devices.length === 0) return { managed, served: managed }
  return { managed, served: withDevices(managed, await openDevices({ devices, objects, identity, store, owner: node.index })) }
}
