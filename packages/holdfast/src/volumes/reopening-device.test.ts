import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { type BlockDevice, BlockDeviceError, memoryDevice, memoryVolumeMetadata, openVolumes, VolumeRecords } from '@holdfast/storage/block'
import { blockDeviceCompliance } from '@holdfast/storage/block-compliance'
import { unsupportedReason } from '@holdfast/posix'
import { ReopeningDevice } from './reopening-device.ts'

const MiB = 2 ** 20
const sector = (value: number): Buffer[] => [Buffer.alloc(512, value)]

blockDeviceCompliance(
  'one that is opened again',
  () => {
    const memory = memoryDevice({ sizeBytes: 2 * MiB })
    const device = new ReopeningDevice(memory, { reopen: () => Promise.reject(new Error('it has not gone')), onReopened: assert.fail })
    return { device, resize: async sizeBytes => memory.resize(sizeBytes), dispose: () => {} }
  },
  { seeds: [1, 2] },
)

/** A device in memory that can go; `device` is another face of the same bytes. */
function mortal(memory: BlockDevice): { readonly device: BlockDevice; readonly go: () => void } {
  let isGone = false
  const device = new Proxy(memory, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      if (isGone && name !== 'onResize')
        return name === 'readNow' || name === 'writeNow' ? () => false : () => Promise.reject(new BlockDeviceError('GONE'))
      return value.bind(target) as unknown
    },
  })
  return { device, go: () => (isGone = true) }
}

describe('a device that goes', () => {
  const setUp = () => {
    const memory = memoryDevice({ sizeBytes: MiB })
    const first = mortal(memory)
    const told: (string | undefined)[] = []
    const state = { opens: 0, now: 0, open: async (): Promise<BlockDevice> => mortal(memory).device }
    const device = new ReopeningDevice(first.device, {
      reopen: () => {
        state.opens++
        return state.open()
      },
      onReopened: failure => told.push(failure?.message),
      now: () => state.now,
    })
    return { memory, first, told, state, device }
  }

  test('is opened again once, and all that waits is done then', async () => {
    const { first, told, state, device } = setUp()
    await device.write(sector(1), 0)
    first.go()
    const into = sector(0)
    assert.equal(device.readNow(into, 0), false)
    assert.equal(device.writeNow(sector(2), 512), false)
    await Promise.all([device.read(into, 0), device.write(sector(2), 512), device.flush(), device.usage(), device.unmap(4096, 4096)])
    assert.deepEqual(into, sector(1))
    assert.equal(device.readNow(into, 512), true)
    assert.deepEqual([into, state.opens, told], [sector(2), 1, [undefined]])
  })

  test('fails a compareAndWrite that was under way, which may have been done; the next one is done', async () => {
    const { first, device } = setUp()
    first.go()
    await assert.rejects(device.compareAndWrite(sector(0), sector(1), 0), { code: 'GONE' })
    assert.equal(await device.compareAndWrite(sector(0), sector(1), 0), -1)
  })

  test('that cannot be opened again is tried again after a while, not with every request', async () => {
    const { first, told, state, device } = setUp()
    const open = state.open
    first.go()
    state.open = () => Promise.reject(new Error('the store is away'))
    for (let time = 0; time < 3; time++) await assert.rejects(device.read(sector(0), 0), { code: 'GONE' })
    assert.deepEqual([state.opens, told], [1, ['the store is away']])
    state.open = open
    state.now = 1000
    await device.read(sector(0), 0)
    assert.deepEqual([state.opens, told], [2, ['the store is away', undefined]])
  })

  test('tells who listens when it comes back larger, and later of the new one', async () => {
    const { memory, first, device } = setUp()
    const heard: number[] = []
    const stop = device.onResize(sizeBytes => heard.push(sizeBytes))
    first.go()
    const other = memoryDevice({ sizeBytes: 2 * MiB })
    const again = new ReopeningDevice(first.device, { reopen: async () => other, onReopened: () => {} })
    again.onResize(sizeBytes => heard.push(sizeBytes))
    await again.read(sector(0), 0)
    other.resize(3 * MiB)
    memory.resize(4 * MiB)
    stop()
    assert.deepEqual(heard, [2 * MiB, 3 * MiB, 4 * MiB])
    assert.deepEqual([again.sizeBytes, device.sizeBytes], [3 * MiB, 4 * MiB])
  })

  test('does not hide other errors', async () => {
    const { memory, state, device } = setUp()
    memory.read = () => Promise.reject(new BlockDeviceError('READ_FAILED'))
    await assert.rejects(device.read(sector(0), 0), { code: 'READ_FAILED' })
    assert.equal(state.opens, 0)
  })
})

test('a volume whose claim was taken is claimed again', { skip: unsupportedReason ?? false }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-reopening-'))
  const records = new VolumeRecords()
  try {
    await using volumes = await openVolumes({ folder, metadata: memoryVolumeMetadata(records) })
    await volumes.create({ name: 'disk0', sizeBytes: MiB })
    const device = new ReopeningDevice(await volumes.open('disk0'), { reopen: () => volumes.open('disk0'), onReopened: () => {} })
    await device.write(sector(1), 512)
    {
      await using others = await openVolumes({ folder, metadata: memoryVolumeMetadata(records) })
      await others.resize('disk0', 2 * MiB)
    }
    await assert.rejects(volumes.resize('disk0', 3 * MiB), { code: 'NOT_OWNER' })
    const into = sector(0)
    await device.read(into, 512)
    assert.deepEqual([into, device.sizeBytes], [sector(1), 2 * MiB])
    await volumes.resize('disk0', 3 * MiB)
    assert.equal(device.sizeBytes, 3 * MiB)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
