/** A worker module for tests: a target whose disk outlives the worker. */
import { runWorker } from '@holdfast/engine/worker'
import type { WorkerNode } from '@holdfast/engine'
import { LogicalUnit, TargetDevice } from '../../scsi/index.ts'
import { createIscsiTarget, iscsiFraming } from '../index.ts'
import type { TargetDescription } from '../index.ts'
import { SharedDisk } from './shared-disk.ts'
import type { SharedDiskMemory } from './shared-disk.ts'

/** The target's name. Its disk belongs to worker 0. */
export const mortal = 'iqn.2026-11.test:mortal'

const description: TargetDescription = { name: mortal, owner: 0, needsAuthentication: false }
const identity = { vendor: 'HOLDFAST', product: 'TEST', revision: '1', serial: '1', naa: Buffer.from('3000000000000001', 'hex') }

function create(node: WorkerNode, memory: SharedDiskMemory) {
  const device = new TargetDevice()
  device.addUnit(0, new LogicalUnit({ device: new SharedDisk(memory), identity }))
  return createIscsiTarget(node, {
    targets: {
      find: name => (name === mortal ? description : undefined),
      list: () => [description],
      device: async () => device,
    },
    credentials: { secretOf: async () => undefined },
    portals: local => [{ ...local, portalGroupTag: 1 }],
  })
}

await runWorker({ iscsi: { framing: iscsiFraming, create } })
