import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { WorkerNode } from '@holdfast/engine'
import type { BlockDevice } from '@holdfast/storage/block'
import { VolumeGauges } from './volume-gauges.ts'
import type { VolumeChange, WorkerVolumes } from './volumes-on-worker.ts'

interface Fake {
  readonly name: string
  readonly owner: number
  readonly sizeBytes: number
  readonly usedBytes: number | Error
}

function setup(fakes: Fake[]) {
  const values = new Map<string, number>()
  const logged: unknown[] = []
  const gauge = (name: string, _help: string, labels: Readonly<Record<string, string>> = {}) => ({
    add() {},
    set: (n: number) => void values.set(`${name.replace('holdfast_volume_', '')} ${labels['volume']}`, n),
  })
  const node = { index: 0, counters: { gauge }, log: (...line: unknown[]) => void logged.push(line) } as unknown as WorkerNode
  let changed: ((change: VolumeChange) => void | Promise<void>) | undefined
  const usage = async (fake: Fake) => {
    if (fake.usedBytes instanceof Error) throw fake.usedBytes
    return { usedBytes: fake.usedBytes, availableBytes: 0 }
  }
  const volumes = {
    list: () => fakes.map(fake => ({ ...fake, targetName: fake.name })),
    open(targetName: string) {
      const fake = fakes.find(({ name }) => name === targetName)
      return fake && { device: { usage: () => usage(fake) } as unknown as BlockDevice }
    },
    onChange(listener: typeof changed) {
      changed = listener
      return () => (changed = undefined)
    },
  } as unknown as WorkerVolumes
  return { gauges: new VolumeGauges(volumes, node), values, logged, isListening: () => changed !== undefined }
}

test('a worker tells the sizes of the volumes that it owns, and nothing of one that is gone', async () => {
  const fakes: Fake[] = [
    { name: 'disk0', owner: 0, sizeBytes: 100, usedBytes: 7 },
    { name: 'disk1', owner: 1, sizeBytes: 100, usedBytes: 7 },
    { name: 'disk2', owner: 0, sizeBytes: 50, usedBytes: new Error('EIO') },
  ]
  const { gauges, values, logged, isListening } = setup(fakes)
  await gauges.measure()
  assert.deepEqual(Object.fromEntries(values), {
    'size_bytes disk0': 100,
    'allocated_bytes disk0': 7,
    'size_bytes disk2': 50,
    'allocated_bytes disk2': 0,
  })
  assert.equal(logged.length, 1)
  fakes.splice(0, 1)
  await gauges.measure()
  assert.deepEqual([values.get('size_bytes disk0'), values.get('allocated_bytes disk0')], [0, 0])
  gauges[Symbol.dispose]()
  assert.equal(isListening(), false)
})

test('the hundred and first volume, and all that follow, are one', async () => {
  const fakes = Array.from({ length: 103 }, (_, n): Fake => ({ name: `disk${n}`, owner: 0, sizeBytes: 10, usedBytes: 1 }))
  const { gauges, values } = setup(fakes)
  await gauges.measure()
  gauges[Symbol.dispose]()
  assert.equal([...values.keys()].filter(key => key.startsWith('size_bytes')).length, 101)
  assert.deepEqual([values.get('size_bytes other'), values.get('allocated_bytes other'), values.get('size_bytes disk99')], [30, 3, 10])
})
