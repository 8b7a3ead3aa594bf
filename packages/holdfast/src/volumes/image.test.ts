import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { closeSync, mkdtempSync, openSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { memoryDevice } from '@holdfast/storage/block'
import { mapOf } from './content.ts'
import { copyImagePart, imageSizeOf } from './image.ts'

const folder = mkdtempSync(join(tmpdir(), 'image-'))
after(() => rmSync(folder, { recursive: true }))
const MiB = 1 << 20

function image(content: Buffer): string {
  const path = join(folder, 'image')
  writeFileSync(path, content)
  return path
}

describe('an image', () => {
  test('is copied part by part to the same place; what is zeros is not stored', async () => {
    const content = Buffer.concat([randomBytes(MiB), Buffer.alloc(2 * MiB), randomBytes(MiB), Buffer.alloc(MiB), randomBytes(700)])
    const path = image(content)
    const device = memoryDevice({ sizeBytes: 8 * MiB })
    let offset = 0
    const ends: number[] = []
    while (offset < (await imageSizeOf(path))) {
      offset = await copyImagePart(device, { path, offset, lengthBytes: 2 * MiB })
      ends.push(offset)
    }
    assert.deepEqual(ends, [2 * MiB, 4 * MiB, content.length])
    const read = Buffer.alloc(8 * MiB)
    await device.read([read], 0)
    assert.ok(read.subarray(0, content.length).equals(content))
    assert.ok(read.subarray(content.length).every(byte => byte === 0))
    assert.equal((await device.usage()).usedBytes, 2 * MiB + 4096)
  })

  test('with holes is read where it has data; the end may be a hole', async () => {
    const path = image(Buffer.alloc(0))
    truncateSync(path, 64 * MiB + 512)
    const file = openSync(path, 'r+')
    const data = randomBytes(8192)
    writeSync(file, data, 0, data.length, 33 * MiB + 100)
    closeSync(file)
    const device = memoryDevice({ sizeBytes: 65 * MiB })
    assert.equal(await copyImagePart(device, { path, offset: 0, lengthBytes: 32 * MiB }), 32 * MiB)
    assert.equal(await copyImagePart(device, { path, offset: 32 * MiB, lengthBytes: 64 * MiB }), 64 * MiB + 512)
    const read = Buffer.alloc(MiB)
    await device.read([read], 33 * MiB)
    assert.ok(read.subarray(100, 100 + data.length).equals(data))
    assert.ok((await device.usage()).usedBytes <= MiB)
  })

  test('that has become shorter gives no more', async () => {
    assert.equal(await copyImagePart(memoryDevice({ sizeBytes: MiB }), { path: image(Buffer.alloc(4096)), offset: 4096, lengthBytes: MiB }), 4096)
  })

  for (const [name, path, message] of [
    [
      'of another format',
      () => image(Buffer.from('QFI\u00fb and more', 'latin1')),
      /is a qcow2 image; make a raw one of it: qemu-img convert -O raw/,
    ],
    ['that is empty', () => image(Buffer.alloc(0)), /is empty/],
    ['that is not there', () => join(folder, 'none'), /cannot be read: ENOENT/],
    ['that is a folder', () => folder, /is not a file/],
    ['of a relative path', () => 'image', /is not an absolute path/],
  ] as const) {
    test(`${name}: INVALID_IMAGE`, async () => {
      await assert.rejects(imageSizeOf(path()), { code: 'INVALID_IMAGE', message })
    })
  }
})

describe('the map of a volume', () => {
  test('says of each cell how much of it is stored', async () => {
    const device = memoryDevice({ sizeBytes: 18 * MiB })
    await device.write([randomBytes(5 * MiB)], 3 * MiB)
    await device.write([randomBytes(4096)], 17 * MiB)
    const map = await mapOf(device)
    assert.deepEqual([map.sizeBytes, map.cellBytes], [18 * MiB, 4 * MiB])
    assert.deepEqual([...Buffer.from(map.cells, 'base64')], [64, 255, 0, 0, 1])
  })

  test('has at most 4,096 cells, of whole pages', async () => {
    const device = memoryDevice({ sizeBytes: 4097 * 4 * MiB })
    const map = await mapOf(device)
    assert.equal(map.cellBytes, 8 * MiB)
    assert.equal(Buffer.from(map.cells, 'base64').length, 2049)
  })
})
