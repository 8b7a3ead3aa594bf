/** All that the management API manages, on a worker of a node. */

import type { ResultOf } from '@holdfast/management'
import type { ManagedNode } from '@holdfast/management'
import type { WorkerNode } from '@holdfast/engine'
import { managedNode } from '../api/managed-node.ts'
import { formatAddress } from '../config/addresses.ts'
import type { WorkerShares } from '../shares/worker-shares.ts'
import { version } from '../version.ts'
import { volumeContentOnWorker } from '../volumes/content.ts'
import type { VolumeService } from '../volumes/service.ts'
import type { NodeConfig } from './node-config.ts'
import { openResourcesOnWorker } from './resources-on-worker.ts'
import type { WorkerVolumes } from './volumes-on-worker.ts'

/** What a worker serves. */
export interface ServedOnWorker {
  readonly node: WorkerNode
  readonly config: NodeConfig
  readonly shares: WorkerShares
  readonly volumes: { readonly service: VolumeService; readonly served: WorkerVolumes }
}

/** To be called once on every worker: each may be asked, and each does its part. */
export function managedOnWorker({ node, config, shares, volumes }: ServedOnWorker): ManagedNode {
  const resources = openResourcesOnWorker({ node, config, shares, volumes: volumes.service })
  return managedNode({
    ...resources,
    content: volumeContentOnWorker(node, volumes.served),
    about: () => about(node, config),
    metrics: () => node.ask('metrics'),
  })
}

async function about(node: WorkerNode, { name, startedAt = new Date(0).toISOString() }: NodeConfig): Promise<ResultOf<'node'>> {
  const { listeners } = await node.ask('node')
  return {
    name,
    version,
    startedAt,
    workers: node.workers,
    listeners: listeners.flatMap(({ protocol, address }) =>
      address === undefined || protocol === 'control' ? [] : [{ protocol, address: formatAddress(address) }],
    ),
  }
}
