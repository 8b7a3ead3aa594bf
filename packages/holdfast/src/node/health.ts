/** What keeps a node from its work: looked at from the worker that is asked, with the help of all others. */

import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { openStorePort, type Store } from '@holdfast/cluster'
import type { WorkerNode } from '@holdfast/engine'
import { type ReadinessCheck, type Trouble, watchReadiness } from '@holdfast/management'
import type { ShareFolder } from '../shares/worker-shares.ts'
import { attentiveStore } from '../volumes/attentive-store.ts'
import { measuredStore } from './measured-store.ts'
import type { WorkerVolumes } from './volumes-on-worker.ts'

/** The worker object of this name is on every worker. */
const objectId = 'health'
/** What is read of a volume: its first block. */
const probeBytes = 4096

export interface HealthOptions {
  readonly node: WorkerNode
  /** What is served now. */
  readonly shares: () => readonly ShareFolder[]
  /** Where the worker serves any. */
  readonly volumes: WorkerVolumes | undefined
}

/** Must be called on every worker. What it gives resolves with the node's troubles, and may be called as often as anybody likes. */
export function watchHealth({ node, shares, volumes }: HealthOptions): () => Promise<readonly Trouble[]> {
  const onError = (name: string, error: unknown): void => node.log('warn', 'this keeps the node from its work', { what: name, error: String(error) })
  const port = node.service('health')
  const store = port && attentiveStore(measuredStore(openStorePort(port), node), node)
  const own = attentively(node, watchReadiness({ checks: () => volumeChecks(node, volumes), onError }))
  node.register(objectId, { troubles: own })
  const workers = Array.from({ length: node.workers }, (_, worker) => worker)
  const checks = (): ReadinessCheck[] => [
    { name: 'node', look: () => nodeTroubles(node) },
    ...(store === undefined ? [] : [{ name: 'store', look: () => writeTo(store, node.index) }]),
    ...workers.map(worker => ({
      name: `worker ${worker}`,
      look: () => (worker === node.index ? own() : (node.call(worker, objectId, 'troubles', undefined) as Promise<readonly Trouble[]>)), // of the object of that name
    })),
    ...shares().flatMap(shareCheck),
  ]
  return attentively(node, watchReadiness({ checks, onError }))
}

/** What is waited for comes by the event loop. */
const attentively =
  (node: Pick<WorkerNode, 'beginAsync' | 'endAsync'>, look: () => Promise<readonly Trouble[]>): (() => Promise<readonly Trouble[]>) =>
  () => {
    node.beginAsync()
    return look().finally(() => node.endAsync())
  }

async function nodeTroubles(node: WorkerNode): Promise<readonly Trouble[]> {
  const { ready, listeners } = await node.ask('node')
  if (!ready) return [{ name: 'node', detail: 'it does not take work now' }]
  return listeners.filter(({ isListening }) => !isListening).map(({ protocol }) => ({ name: `listener ${protocol}`, detail: 'it does not listen' }))
}

/** That it answers is not enough: a disk that is full, or has become read-only, is found by a write. */
async function writeTo(store: Store, worker: number): Promise<readonly Trouble[]> {
  await store.txn({ success: [{ type: 'put', key: `health/worker-${worker}`, value: Buffer.from(String(Date.now())) }] })
  return []
}

/** Only folders are looked at: what a filesystem of somebody's own needs is its own business. */
function shareCheck({ name: share, path, isServed }: ShareFolder): ReadinessCheck[] {
  const name = `share ${share}`
  if (!isServed) return [{ name, look: () => [{ name, detail: 'it is not served' }] }]
  if (path === undefined) return []
  const look = async (): Promise<readonly Trouble[]> => {
    if (!(await stat(path)).isDirectory()) return [{ name, detail: 'ENOTDIR' }]
    await access(path, constants.R_OK | constants.X_OK)
    return []
  }
  return [{ name, look }]
}

/** Of the volumes that this worker owns. */
function volumeChecks(node: WorkerNode, volumes: WorkerVolumes | undefined): ReadinessCheck[] {
  const owned = volumes?.list().filter(({ owner }) => owner === node.index) ?? []
  return owned.map(({ name, targetName }) => ({
    name: `volume ${name}`,
    async look() {
      const open = volumes?.open(targetName)
      if (open === undefined) return [{ name: `volume ${name}`, detail: 'it cannot be opened' }]
      await open.device.read([Buffer.allocUnsafe(probeBytes)], 0)
      return []
    },
  }))
}
