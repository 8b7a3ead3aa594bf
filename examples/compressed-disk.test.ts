import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connectDisk } from '@holdfast/iscsi/initiator'
import { blockDeviceCompliance } from '@holdfast/storage/block-compliance'
import { serve } from 'holdfast'
import { CompressedDisk } from './compressed-disk.ts'

const MiB = 1 << 20

blockDeviceCompliance('a compressed disk', () => ({
  device: new CompressedDisk({ sizeBytes: 2 * MiB, memoryBytes: 64 * MiB }),
  dispose: () => {},
}))

test('a compressed disk takes less than what was written, says when it is full, and keeps what it had', async () => {
  const device = new CompressedDisk({ sizeBytes: 64 * MiB, memoryBytes: MiB })
  await using server = await serve({ volumes: { scratch: { device } }, users: { me: 'change-me-please' }, iscsi: '127.0.0.1:0' })
  const [host, port] = server.iscsi[0].split(':')
  const login = { user: 'me', password: 'change-me-please' }
  await using disk = await connectDisk({ host, port: Number(port), target: 'iqn.2026-11.io.holdfast:scratch', ...login })
  assert.deepEqual([disk.sizeBytes, disk.physicalBlockBytes], [64 * MiB, 16_384])

  const text = Buffer.alloc(8 * MiB, 'what is said again and again takes little room; ')
  await disk.write(512, text)
  assert.ok(device.usedBytes < MiB / 8, `${device.usedBytes}`)
  assert.deepEqual(await disk.read(512, text.length), text)

  const noise = crypto.getRandomValues(Buffer.alloc(65_536))
  const fill = async (): Promise<void> => {
    for (let at = 16 * MiB; at < 32 * MiB; at += noise.length) await disk.write(at, noise)
  }
  await assert.rejects(fill(), { name: 'ScsiError', code: 'SPACE_EXHAUSTED' })
  assert.deepEqual(await disk.read(512, text.length), text)
  await disk.unmap([{ offset: 16 * MiB, lengthBytes: 16 * MiB }])
  await disk.write(16 * MiB, noise)
  assert.deepEqual(await disk.read(16 * MiB, noise.length), noise)
})
