import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BlockDeviceError } from '../block-device.ts'
import { blockDeviceCompliance } from '../compliance.ts'
import { memoryDevice } from '../memory-device.ts'
import type { MemoryDevice } from '../memory-device.ts'
import { RoutedVolume } from './routed-volume.ts'
import type { Partition, RemotePartition } from './routed-volume.ts'

const partitionBytes = 262_144

/** On the other side of something that takes its time, in order. */
const remote = (device: MemoryDevice): RemotePartition => {
  const travel = async (): Promise<void> => new Promise(resolve => setImmediate(resolve))
  const call =
    <A extends unknown[], T>(method: (...values: A) => Promise<T>) =>
    async (...values: A): Promise<T> => {
      await travel()
      const result = await method.apply(device, values)
      await travel()
      return result
    }
  return {
    read: call(device.read),
    write: call(device.write),
    flush: call(device.flush),
    unmap: call(device.unmap),
    zero: call(device.zero),
    compareAndWrite: call(device.compareAndWrite),
    orWrite: call(device.orWrite),
    provisioning: call(device.provisioning),
    usage: call(device.usage),
  }
}

const routed = (kind: (index: number) => (device: MemoryDevice) => Partition, sizeBytes = 2 << 20): RoutedVolume =>
  new RoutedVolume({ sizeBytes, partitionBytes, partitionAt: index => kind(index)(memoryDevice({ sizeBytes: partitionBytes })) })

const local = (device: MemoryDevice): Partition => device

const kinds = {
  'remote partitions': () => remote,
  'partitions here and there': (index: number) => (index % 2 === 0 ? local : remote),
} as const

for (const [name, kind] of Object.entries(kinds)) {
  blockDeviceCompliance(
    `routed volume of ${name}`,
    () => {
      const device = routed(kind)
      return { device, dispose: () => device.close() }
    },
    { seeds: [1, 2, 3] },
  )
}

test('a compareAndWrite that crosses partitions is atomic against those that do and those that do not', async () => {
  const volume = routed(kinds['partitions here and there'])
  const offset = partitionBytes - 512
  const count = async (at: number, lengthBytes: number): Promise<void> => {
    for (let done = 0; done < 20;) {
      const now = Buffer.alloc(lengthBytes)
      await volume.read([now], at)
      const next = now.map(byte => byte + 1)
      if ((await volume.compareAndWrite([now], [Buffer.from(next)], at)) === -1) done++
    }
  }
  await Promise.all([count(offset, 1024), count(offset, 512), count(offset + 512, 512), count(offset, 1024)])
  const content = Buffer.alloc(1024)
  await volume.read([content], offset)
  assert.deepEqual(content, Buffer.alloc(1024, 60))
})

test('what is not here is not done at once', () => {
  const volume = routed(kinds['partitions here and there'])
  const sector = [Buffer.alloc(512)]
  assert.equal(volume.readNow(sector, 0), true)
  assert.equal(volume.writeNow(sector, 0), true)
  assert.equal(volume.readNow(sector, partitionBytes), false)
  assert.equal(volume.writeNow(sector, partitionBytes), false)
  assert.equal(volume.writeNow([Buffer.alloc(1024)], partitionBytes - 512), false)
})

test('an error of a partition is told with its place in the volume, after all partitions have answered', async () => {
  let isAnswered = false
  const volume = routed(index => device => ({
    ...remote(device),
    write: async (_, offset) => {
      if (index === 1) throw new BlockDeviceError('WRITE_FAILED', { offset: offset + 1024 })
      await new Promise(resolve => setTimeout(resolve, 5))
      isAnswered = true
    },
  }))
  await assert.rejects(volume.write([Buffer.alloc(8192)], partitionBytes - 4096), { code: 'WRITE_FAILED', offset: partitionBytes + 1024 })
  assert.equal(isAnswered, true)
  await assert.rejects(volume.write([Buffer.alloc(512)], partitionBytes + 512), { code: 'WRITE_FAILED', offset: partitionBytes + 1536 })
})

test('once closed, everything is gone', async () => {
  const volume = routed(kinds['partitions here and there'])
  volume.close()
  const sector = [Buffer.alloc(512)]
  assert.equal(volume.readNow(sector, 0), false)
  assert.equal(volume.writeNow(sector, 0), false)
  for (const action of [() => volume.read(sector, 0), () => volume.write(sector, 0), () => volume.flush(), () => volume.usage()]) {
    await assert.rejects(action, { code: 'GONE' })
  }
})
