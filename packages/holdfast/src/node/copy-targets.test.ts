import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LogicalUnit, type Nexus } from '@holdfast/iscsi/scsi'
import { type BlockDevice, memoryDevice } from '@holdfast/storage/block'
import { memoryWorkers } from '../test-support/memory-workers.ts'
import type { ServedVolume } from '../volumes/volume.ts'
import { CopyTargets } from './copy-targets.ts'
import type { WorkerVolumes } from './volumes-on-worker.ts'

const initiatorName = 'iqn.2026-11.example:host1'
const nexus: Nexus = {
  initiatorName,
  initiatorPort: `${initiatorName},i,0x00023d000001`,
  targetPort: 'iqn.2026-11.io.holdfast:disk0,t,0x0001',
  relativeTargetPort: 1,
  transportId: Buffer.alloc(24),
  key: 'host1 disk0',
}

/** Two workers, each with the volume that has its number. */
function setUp() {
  const mesh = memoryWorkers(2)
  const named = (index: number) => ({ targetName: `iqn.2026-11.io.holdfast:disk${index}`, naa: `300000000000000${index}`, owner: index })
  // As much of a volume as finding it takes.
  const list = (): readonly ServedVolume[] => [0, 1].map(index => named(index) as ServedVolume)
  const units = [0, 1].map(
    index =>
      new LogicalUnit({
        device: memoryDevice({ sizeBytes: 1 << 20 }),
        identity: { vendor: 'HOLDFAST', product: 'VOLUME', revision: '0001', serial: String(index), naa: Buffer.from(named(index).naa, 'hex') },
      }),
  )
  const targets = [0, 1].map(
    index => new CopyTargets(mesh.node(index), { list } as WorkerVolumes, name => (name === named(index).targetName ? units[index] : undefined)),
  )
  const find = (from: number, index: number, access: 'read' | 'write' = 'write'): Promise<BlockDevice | undefined> | undefined =>
    targets[from]?.find({ designator: Buffer.from(named(index).naa, 'hex'), initiatorName, access })
  return { units, find, targets }
}

test('a disk of this worker is found where the initiator has logged in to it, and only there', async () => {
  const { units, find } = setUp()
  assert.equal(await find(0, 0), undefined)
  units[0]?.addNexus(nexus)
  assert.equal(await find(0, 0), units[0]?.device)
  await units[0]?.nexusLoss(nexus)
  assert.equal(await find(0, 0), undefined)
})

test('a disk of another worker is read, written and emptied by it', async () => {
  const { units, find } = setUp()
  assert.equal(await find(0, 1), undefined)
  units[1]?.addNexus(nexus)
  const disk = await find(0, 1)
  assert.ok(disk)
  assert.equal(disk.sizeBytes, 1 << 20)
  const bytes = Buffer.from(Array.from({ length: 4096 }, (_, at) => at % 251))
  await disk.write([bytes.subarray(0, 512), bytes.subarray(512)], 8192)
  await disk.flush()
  const read = Buffer.alloc(4096)
  assert.ok(units[1]?.device.readNow([read], 8192))
  assert.deepEqual(read, bytes)
  const pieces = [Buffer.alloc(1024), Buffer.alloc(3072)]
  await disk.read(pieces, 8192)
  assert.deepEqual(Buffer.concat(pieces), bytes)
  assert.deepEqual(await disk.provisioning(0, 16_384, 2), [
    { offset: 0, lengthBytes: 8192, isMapped: false },
    { offset: 8192, lengthBytes: 4096, isMapped: true },
  ])
  await disk.unmap(8192, 4096)
  await disk.read(pieces, 8192)
  assert.deepEqual(Buffer.concat(pieces), Buffer.alloc(4096))
})

test('what nobody has is not found', async () => {
  const { targets } = setUp()
  assert.equal(await targets[0]?.find({ designator: Buffer.alloc(8), initiatorName, access: 'read' }), undefined)
})
