/** What runs on every worker of a node, by the name its listeners use. */

import { openStorePort } from '@holdfast/cluster'
import { contentFraming } from '@holdfast/content'
import type { Framing, WorkerNode, WorkerProtocol } from '@holdfast/engine'
import { iscsiFraming } from '@holdfast/iscsi/target'
import { httpFraming } from '@holdfast/management'
import type { FileSystem } from '@holdfast/storage'
import type { BlockDevice } from '@holdfast/storage/block'
import { registerIscsiSessions } from '../sessions/worker-sessions.ts'
import { attentiveStore } from '../volumes/attentive-store.ts'
import { openVolumeManager } from '../volumes/manager.ts'
import { openAccounts } from './accounts.ts'
import { createContentOnWorker } from './content-protocol.ts'
import { openDevices, withDevices } from './devices-on-worker.ts'
import { watchHealth } from './health.ts'
import { createIscsiOnWorker } from './iscsi-protocol.ts'
import { measuredStore } from './measured-store.ts'
import { managedOnWorker } from './managed-on-worker.ts'
import { type ManagementOnWorker, openManagementOnWorker } from './management-protocol.ts'
import { hasVolumes, isManaged, type NodeConfig } from './node-config.ts'
import { createSmbOnWorker, type SmbOnWorker, smbListenerFraming } from './smb-protocol.ts'
import { measureVolumes } from './volume-gauges.ts'
import { openVolumesOnWorker, type VolumesOnWorker, type WorkerVolumes } from './volumes-on-worker.ts'

/** Control is the last one: it closes what the others use. */
export const framings = {
  smb: smbListenerFraming,
  iscsi: iscsiFraming,
  http: httpFraming,
  content: contentFraming,
  control: httpFraming,
} as const satisfies Record<string, Framing>
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
  let served: Promise<SmbOnWorker> | undefined
  const smbOf = (node: WorkerNode, config: NodeConfig) => (served ??= createSmbOnWorker(node, config, fileSystems))
  let managed: Promise<ManagementOnWorker> | undefined
  const openManagement = async (node: WorkerNode, config: NodeConfig): Promise<ManagementOnWorker> => {
    const { shares } = await smbOf(node, config)
    const volumes = await volumesOf(node, config)
    return openManagementOnWorker({
      node,
      config,
      managed: managedOnWorker({ node, config, shares, volumes: { service: volumes.managed.service, served: volumes.served } }),
      troubles: watchHealth({ node, shares: () => shares.folders(), volumes: volumes.served }),
    })
  }
  const managementOf = (node: WorkerNode, config: NodeConfig) => (managed ??= openManagement(node, config))
  return {
    smb: { framing: framings.smb, create: smbOf },
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
        const target = createIscsiOnWorker({ node, config, volumes: served, secretOf })
        registerIscsiSessions(node, target)
        return target
      },
    },
    http: {
      framing: framings.http,
      async create(node, config) {
        if (!isManaged(config)) return unused
        const { http, close } = await managementOf(node, config)
        return { ...http, close }
      },
    },
    content: {
      framing: framings.content,
      async create(node, config) {
        if (config.content === undefined || config.content.length === 0) return unused
        const { shares, readers } = await smbOf(node, config)
        return createContentOnWorker({ node, config, shares, readers })
      },
    },
    control: {
      framing: framings.control,
      async create(node, config) {
        if (!hasVolumes(config)) return unused
        const { local } = isManaged(config) ? await managementOf(node, config) : { local: unused }
        const { close } = await volumesOf(node, config)
        return { ...local, close }
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
  close(): Promise<void>
}

async function openVolumes(node: WorkerNode, { volumesDir, devices = [], identity }: NodeConfig, objects = noDevices): Promise<Volumes> {
  const port = node.service('volumes')
  if (port === undefined || volumesDir === undefined) throw new Error('a node that has volumes was started without their store')
  const store = attentiveStore(measuredStore(openStorePort(port), node), node)
  const managed = await openVolumesOnWorker({ node, store, manager: await openVolumeManager(volumesDir, store, node) })
  const served = devices.length === 0 ? managed : withDevices(managed, await openDevices({ devices, objects, identity, store, owner: node.index }))
  const gauges = measureVolumes(served, node)
  const close = async (): Promise<void> => {
    gauges[Symbol.dispose]()
    await managed.close()
  }
  return { managed, served, close }
}
