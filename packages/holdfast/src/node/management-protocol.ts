/** The management API on a worker of a node: its core in the node's store, its HTTP for the listeners and for the control socket. */

import { createHmac } from 'node:crypto'
import { join } from 'node:path'
import { openStorePort } from '@holdfast/cluster'
import { consoleFolder } from '@holdfast/console'
import type { WorkerNode, WorkerProtocol } from '@holdfast/engine'
import {
  createManagementApp,
  createManagementProtocols,
  defaultRates,
  type ManagedNode,
  type ManagementOptions,
  type ManagementRates,
  openManagementCore,
  type Rate,
  type Secrets,
} from '@holdfast/management'
import { openKeyFile, type Sealed, seal, unseal } from '../state/key-file.ts'
import type { ManagementLimits } from '../config/limits.ts'
import { version } from '../version.ts'
import { attentiveStore } from '../volumes/attentive-store.ts'
import { levelTold } from './log-level.ts'
import { measuredStore } from './measured-store.ts'
import type { NodeConfig } from './node-config.ts'

/** What a worker needs for it. */
export interface ManagementOnWorkerOptions {
  readonly node: WorkerNode
  readonly config: Pick<NodeConfig, 'stateDir' | 'metrics' | 'limits' | 'logLevel'>
  readonly managed: ManagedNode
  readonly troubles: ManagementOptions['troubles']
}

/** The protocols of a worker. */
export interface ManagementOnWorker {
  readonly http: WorkerProtocol
  /** Of the control socket. */
  readonly local: WorkerProtocol
  close(): Promise<void>
}

/** Takes up what this worker, or one before it, has left of sessions and operations. */
export async function openManagementOnWorker({ node, config, managed, troubles }: ManagementOnWorkerOptions): Promise<ManagementOnWorker> {
  const port = node.service('management')
  if (port === undefined) throw new Error('a node that is managed was started without its store')
  const store = attentiveStore(measuredStore(openStorePort(port), node), node)
  const secrets = secretsOf(openKeyFile(join(config.stateDir, 'key')))
  const core = await openManagementCore({ store, node, managed, secrets, limits: { ...config.limits.management } })
  const app = createManagementApp({
    metrics: () => node.ask('metrics'),
    troubles,
    api: { core, managed },
    metricsAccess: config.metrics,
    rates: ratesOf(config.limits.management),
    consoleFolder,
    version,
    onError: error => node.log('error', 'a request of the management API failed', { error: error instanceof Error ? error.stack : String(error) }),
  })
  const close = async (): Promise<void> => {
    await core.close()
    await store.close()
  }
  return { ...createManagementProtocols(node, app, { tellsRequests: levelTold('debug', config.logLevel) }), close }
}

/** What may come at once is what may come in a few seconds. */
function ratesOf({ requestsPerSession, requestsPerAddress }: ManagementLimits = {}): ManagementRates {
  const rate = (perSecond: number | undefined, byDefault: Rate): Rate => (perSecond === undefined ? byDefault : { perSecond, burst: 5 * perSecond })
  return { session: rate(requestsPerSession, defaultRates.session), address: rate(requestsPerAddress, defaultRates.address) }
}

/** By the key of the state, which is in a file of its own. */
function secretsOf(key: Buffer): Secrets {
  return {
    seal: (secret, binding) => Buffer.from(JSON.stringify(seal(key, secret, binding))),
    unseal: (sealed, binding) => unseal(key, JSON.parse(Buffer.from(sealed).toString()) as Sealed, binding),
    mac: bytes => createHmac('sha256', key).update('management\0').update(bytes).digest(),
  }
}
