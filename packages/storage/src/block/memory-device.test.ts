import assert from 'node:assert/strict'
import { test } from 'node:test'
import { blockDeviceCompliance } from './compliance.ts'
import { memoryDevice } from './memory-device.ts'

blockDeviceCompliance('memory', () => {
  const device = memoryDevice({ sizeBytes: 2 << 20 })
  return { device, resize: async sizeBytes => device.resize(sizeBytes), dispose: () => {} }
})

test('a disk in memory that is full says so, and what it holds stays', async () => {
  const device = memoryDevice({ sizeBytes: 1 << 20, capacityBytes: 16_384 })
  await device.write([Buffer.alloc(12_288, 1)], 0)
  assert.equal(device.writeNow([Buffer.alloc(8192, 2)], 8192), true, 'a block of it is there already')
  assert.equal(device.writeNow([Buffer.alloc(512, 3)], 65_536), false)
  await assert.rejects(device.write([Buffer.alloc(8192, 3)], 12_288), { code: 'NO_SPACE', offset: 12_288 })
  await assert.rejects(device.zero(65_536, 512), { code: 'NO_SPACE' })
  assert.deepEqual(await device.usage(), { usedBytes: 16_384, availableBytes: 0 })
  const content = Buffer.alloc(16_384)
  await device.read([content], 0)
  assert.deepEqual(content, Buffer.concat([Buffer.alloc(8192, 1), Buffer.alloc(8192, 2)]))
  await device.unmap(0, 4096)
  await device.write([Buffer.alloc(512, 3)], 65_536)
})

test('a disk in memory that is read-only takes no writes', async () => {
  const device = memoryDevice({ sizeBytes: 1 << 20, isReadOnly: true })
  assert.equal(device.writeNow([Buffer.alloc(512)], 0), false)
  await assert.rejects(device.write([Buffer.alloc(512)], 0), { code: 'READ_ONLY' })
  await assert.rejects(device.unmap(0, 512), { code: 'READ_ONLY' })
})
