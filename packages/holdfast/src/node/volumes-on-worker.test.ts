import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { memoryStore, type Store } from '@holdfast/cluster'
import { unsupportedReason } from '@holdfast/posix'
import { openVolumes, storeVolumeMetadata } from '@holdfast/storage/block'
import { MemoryVolumes } from '../test-support/memory-volumes.ts'
import { memoryWorkers } from '../test-support/memory-workers.ts'
import { defaultAccess, ownerOfVolume } from '../volumes/volume.ts'
import { openVolumesOnWorker, type VolumesOnWorker } from './volumes-on-worker.ts'

const MiB = 2 ** 20
const targetOf = (name: string): string => `iqn.2026-11.io.holdfast:${name}`

interface Node {
  readonly shared: MemoryVolumes
  readonly store: Store
  readonly mesh: ReturnType<typeof memoryWorkers>
  readonly workers: VolumesOnWorker[]
  /** What the workers' listeners heard: `0 added disk0`. */
  readonly heard: string[]
  start(index: number): Promise<VolumesOnWorker>
}

async function node(workers = 3): Promise<Node> {
  const made: Node = {
    shared: new MemoryVolumes(),
    store: memoryStore(),
    mesh: memoryWorkers(workers),
    workers: [],
    heard: [],
    async start(index) {
      const volumes = await openVolumesOnWorker({ node: made.mesh.node(index), manager: made.shared.manager(String(index)), store: made.store })
      volumes.onChange(({ kind, volume }) => void made.heard.push(`${index} ${kind} ${volume.name} ${volume.sizeBytes / MiB}`))
      made.workers[index] = volumes
      return volumes
    },
  }
  for (let index = 0; index < workers; index++) await made.start(index)
  return made
}

const create = (volumes: VolumesOnWorker, name: string, access = defaultAccess) => volumes.service.create({ name, sizeBytes: MiB, access })

describe('a volume', () => {
  test('that is made anywhere is known everywhere when that is told, and open on one worker', async () => {
    const { workers, heard } = await node()
    const made = await create(workers[1], 'disk0')
    assert.equal(made.target, targetOf('disk0'))
    const owner = ownerOfVolume('disk0', 3)
    for (const [index, volumes] of workers.entries()) {
      assert.deepEqual([volumes.find(targetOf('disk0'))?.id, volumes.find(targetOf('disk0'))?.owner], [made.id, owner])
      assert.equal(volumes.open(targetOf('disk0')) !== undefined, index === owner)
    }
    assert.deepEqual(heard.sort(), ['0 added disk0 1', '1 added disk0 1', '2 added disk0 1'])
    assert.equal(workers[0].find('iqn.2026-11.io.other:disk0'), undefined)
  })

  test('that grows changes everywhere; its device is the same', async () => {
    const { workers, heard } = await node()
    await create(workers[0], 'disk0')
    const owner = workers[ownerOfVolume('disk0', 3)]
    const before = owner.open(targetOf('disk0'))
    heard.length = 0
    assert.equal((await workers[2].service.resize('disk0', 2 * MiB)).sizeBytes, 2 * MiB)
    assert.deepEqual(heard.sort(), ['0 changed disk0 2', '1 changed disk0 2', '2 changed disk0 2'])
    assert.equal(owner.open(targetOf('disk0')), before)
    assert.equal(before?.volume.sizeBytes, 2 * MiB)
  })

  test('that is deleted is used by nobody before it goes', async () => {
    const { workers, heard, shared } = await node()
    await create(workers[0], 'disk0')
    for (const volumes of workers) volumes.onChange(({ kind }) => void shared.steps.push(kind))
    heard.length = 0
    shared.steps.length = 0
    await workers[1].service.delete('disk0')
    assert.deepEqual(shared.steps, ['removed', 'removed', 'removed', `${ownerOfVolume('disk0', 3)} delete disk0`])
    assert.deepEqual(heard.sort(), ['0 removed disk0 1', '1 removed disk0 1', '2 removed disk0 1'])
    for (const volumes of workers) assert.deepEqual([volumes.list(), volumes.open(targetOf('disk0'))], [[], undefined])
    await assert.rejects(workers[0].service.get('disk0'), { code: 'UNKNOWN_VOLUME' })
  })

  test('that cannot be deleted is there again', async () => {
    const { workers, shared } = await node()
    await create(workers[0], 'disk0')
    const { volumes } = shared
    volumes.delete = () => {
      throw new Error('the disk is broken')
    }
    await assert.rejects(workers[0].service.delete('disk0'), /the disk is broken/)
    for (const each of workers) assert.equal(each.list().length, 1)
  })

  test('of a name that is taken is refused, and the one that has it keeps its options', async () => {
    const { workers } = await node()
    await create(workers[0], 'disk0', { readOnly: false, noAuth: false, users: ['alice'] })
    await assert.rejects(create(workers[0], 'disk0', { readOnly: false, noAuth: true }), { code: 'VOLUME_EXISTS' })
    assert.deepEqual((await workers[0].service.get('disk0')).options, ['user=alice'])
  })

  test('that begins with a snapshot is made where the snapshot is, and opened where it belongs itself', async () => {
    const { workers, shared } = await node()
    await create(workers[0], 'disk0')
    await workers[0].service.createSnapshot('disk0', 'before')
    const copy = Array.from({ length: 9 }, (_, index) => `copy${index}`).find(name => ownerOfVolume(name, 3) !== ownerOfVolume('disk0', 3))!
    const made = await workers[1].service.create({ name: copy, from: { volume: 'disk0', snapshot: 'before' }, access: defaultAccess })
    assert.equal(made.sizeBytes, MiB)
    assert.deepEqual(shared.steps, [`${ownerOfVolume('disk0', 3)} create disk0`, `${ownerOfVolume('disk0', 3)} create ${copy}`])
    assert.equal(workers[ownerOfVolume(copy, 3)].open(targetOf(copy))?.volume.id, made.id)
  })

  test('that becomes read-only is taken away and given back as a device that takes no writes', async () => {
    const { workers, heard } = await node()
    await create(workers[0], 'disk0')
    heard.length = 0
    await workers[0].service.setAccess('disk0', { readOnly: true, noAuth: false })
    const owner = ownerOfVolume('disk0', 3)
    assert.deepEqual(
      heard.filter(text => text.startsWith(`${owner} `)),
      [`${owner} removed disk0 1`, `${owner} added disk0 1`],
    )
    const device = workers[owner].open(targetOf('disk0'))?.device
    assert.ok(device)
    assert.equal(device.isReadOnly, true)
    assert.equal(device.writeNow([Buffer.alloc(512)], 0), false)
    await assert.rejects(device.write([Buffer.alloc(512)], 0), { code: 'READ_ONLY' })
    const into = Buffer.alloc(512, 1)
    await device.read([into], 0)
    assert.deepEqual(into, Buffer.alloc(512))
  })

  test('that cannot be opened is in the log and in lists, with the reason', async () => {
    const { workers, shared, mesh, start } = await node()
    await create(workers[0], 'disk0')
    shared.damaged.add('disk0')
    const owner = ownerOfVolume('disk0', 3)
    const again = await start(owner)
    assert.equal(again.open(targetOf('disk0')), undefined)
    assert.equal(again.find(targetOf('disk0'))?.name, 'disk0')
    assert.match(mesh.logs.join(), /a volume cannot be opened .*its files are missing/)
    assert.deepEqual(
      (await workers[0].service.list()).map(({ problem }) => problem),
      ['its files are missing'],
    )
  })
})

test('what a worker changed and could not tell any more is known once it has started again', async () => {
  const { workers, shared, mesh, start } = await node()
  await create(workers[0], 'disk0')
  const owner = ownerOfVolume('disk0', 3)
  mesh.lose(owner)
  await shared.manager().resize('disk0', 3 * MiB)
  await start(owner)
  const other = workers[(owner + 1) % 3]
  const heard = new Promise<number>(resolve => {
    if (other.list()[0].sizeBytes === 3 * MiB) resolve(3 * MiB)
    other.onChange(({ volume }) => resolve(volume.sizeBytes))
  })
  assert.equal(await heard, 3 * MiB)
})

test('reservations are kept until the volume goes; an owner before cannot change them any more', async () => {
  const { workers, start, store } = await node()
  const { id } = await create(workers[0], 'disk0')
  const owner = ownerOfVolume('disk0', 3)
  const before = workers[owner].open(targetOf('disk0'))!.reservations
  const record = { generation: 1, registrations: [{ registrant: 'a', key: '0000000000000001', transportId: '05', relativeTargetPort: 1 }] }
  assert.equal(before.load(), undefined)
  await before.save(record)
  assert.deepEqual(before.load(), record)
  const after = (await start(owner)).open(targetOf('disk0'))!.reservations
  assert.deepEqual(after.load(), record)
  await assert.rejects(before.save(undefined), { code: 'not-owner' })
  assert.deepEqual(before.load(), record)
  await workers[0].service.delete('disk0')
  assert.deepEqual((await store.range({ prefix: `h/volume-reservations/${id}` })).entries, [])
})

test('mode pages that were saved are kept until the volume goes; an owner before cannot change them any more', async () => {
  const { workers, start, store } = await node()
  const { id } = await create(workers[0], 'disk0')
  const owner = ownerOfVolume('disk0', 3)
  const before = workers[owner].open(targetOf('disk0'))!.modes
  assert.equal(before.load(), undefined)
  await before.save({ '8.0': '0810' })
  const after = (await start(owner)).open(targetOf('disk0'))!.modes
  assert.deepEqual(after.load(), { '8.0': '0810' })
  await assert.rejects(before.save({}), { code: 'not-owner' })
  assert.deepEqual(before.load(), { '8.0': '0810' })
  await workers[0].service.delete('disk0')
  assert.deepEqual((await store.range({ prefix: `h/volume-modes/${id}` })).entries, [])
})

test('a volume that somebody else has claimed is opened again, and served by the same device', { skip: unsupportedReason ?? false }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-volumes-on-worker-'))
  const store = memoryStore()
  const mesh = memoryWorkers(1)
  try {
    await using manager = await openVolumes({ folder, metadata: storeVolumeMetadata(store) })
    const volumes = await openVolumesOnWorker({ node: mesh.node(0), manager, store })
    await create(volumes, 'disk0')
    const { device } = volumes.open(targetOf('disk0'))!
    await device.write([Buffer.alloc(512, 7)], 512)
    {
      await using others = await openVolumes({ folder, metadata: storeVolumeMetadata(store) })
      await others.open('disk0')
    }
    await assert.rejects(volumes.service.resize('disk0', 2 * MiB), { code: 'NOT_OWNER' })
    const into = Buffer.alloc(512)
    await device.read([into], 512)
    assert.deepEqual(into, Buffer.alloc(512, 7))
    assert.equal((await volumes.service.resize('disk0', 2 * MiB)).sizeBytes, 2 * MiB)
    assert.equal(device.sizeBytes, 2 * MiB)
    await volumes.service.delete('disk0')
    await assert.rejects(device.read([into], 512), { code: 'GONE' })
    assert.deepEqual(await manager.list(), [])
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('volumes are spread over the workers', () => {
  const owners = new Set(Array.from({ length: 100 }, (_, index) => ownerOfVolume(`disk${index}`, 4)))
  assert.deepEqual(
    [...owners].sort((a, b) => a - b),
    [0, 1, 2, 3],
  )
})
