import assert from 'node:assert/strict'
import { check, checkWith, contentOf, metadataOnly, readOnly, readWrite, type Check } from './scope.ts'

const mebibyte = 1 << 20
const pattern = (length: number, seed = 1): Buffer => {
  const bytes = Buffer.alloc(length)
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >> 8) * 7 + seed) & 0xff
  return bytes
}
const sparse = 0x200

export const dataChecks: readonly Check[] = [
  check('a new file is empty and takes no space', async s => {
    const info = await (await s.create('new')).info()
    assert.deepEqual([info.sizeBytes, info.allocationBytes, info.isFolder, info.kind], [0, 0, false, 'file'])
  }),
  check('what is written is read', async s => {
    const handle = await s.create('file')
    await handle.write(Buffer.from('hello world'), 0)
    assert.equal((await contentOf(handle)).toString(), 'hello world')
    assert.equal(await s.content('file'), 'hello world')
  }),
  check('reads at the end are short, beyond it empty', async s => {
    await s.file('file', '0123456789')
    const handle = await s.open('file', readOnly)
    const target = Buffer.alloc(8)
    assert.equal(await handle.read(target, 6), 4)
    assert.equal(target.toString('latin1', 0, 4), '6789')
    assert.equal(await handle.read(target, 10), 0)
    assert.equal(await handle.read(target, 1e12), 0)
    assert.equal(await handle.read(Buffer.alloc(0), 0), 0)
  }),
  check('reads land in views of shared memory', async s => {
    await s.file('file', 'abcdef')
    const shared = new Uint8Array(new SharedArrayBuffer(64), 10, 4)
    assert.equal(await (await s.open('file', readOnly)).read(shared, 1), 4)
    assert.equal(Buffer.from(shared.slice()).toString(), 'bcde')
  }),
  check('writes from views of shared memory', async s => {
    const shared = new Uint8Array(new SharedArrayBuffer(64), 3, 5)
    shared.set(Buffer.from('share'))
    await (await s.create('file')).write(shared, 2)
    assert.equal(await s.content('file'), '\0\0share')
  }),
  check('writes overwrite in place', async s => {
    await s.file('file', 'aaaaaaaaaa')
    await (await s.open('file')).write(Buffer.from('bbb'), 4)
    assert.equal(await s.content('file'), 'aaaabbbaaa')
  }),
  check('a gap before a write reads as zeros', async s => {
    const handle = await s.create('file')
    await handle.write(Buffer.from('x'), 100_000)
    const content = await contentOf(handle)
    assert.equal(content.length, 100_001)
    assert.ok(content.subarray(0, 100_000).every(byte => byte === 0))
  }),
  check('an empty write changes nothing', async s => {
    const handle = await s.create('file')
    await handle.write(Buffer.alloc(0), 500)
    assert.equal((await handle.info()).sizeBytes, 0)
  }),
  check('large reads and writes at odd offsets', async s => {
    const handle = await s.create('file')
    const data = pattern(3 * mebibyte + 12_345)
    await handle.write(data, 777)
    const target = Buffer.alloc(data.length)
    assert.equal(await handle.read(target, 777), data.length)
    assert.ok(target.equals(data))
    const part = Buffer.alloc(70_001)
    assert.equal(await handle.read(part, 777 + 65_530), part.length)
    assert.ok(part.equals(data.subarray(65_530, 65_530 + 70_001)))
  }),
  check('random reads, writes and truncations agree with a model', async s => {
    const handle = await s.create('file')
    let model = Buffer.alloc(0)
    let state = 12345
    const random = (below: number): number => (state = (state * 1_103_515_245 + 12_345) & 0x7fffffff) % below
    const resize = (size: number): void => {
      const next = Buffer.alloc(size)
      model.copy(next)
      model = next
    }
    for (let step = 0; step < 300; step++) {
      const offset = random(300_000)
      const length = random(90_000)
      const kind = random(10)
      if (kind < 5) {
        const data = pattern(length, step)
        if (length > 0 && offset + length > model.length) resize(offset + length)
        data.copy(model, offset)
        await handle.write(data, offset)
      } else if (kind < 7) {
        resize(offset)
        await handle.setSize(offset)
      } else if (kind < 8) {
        model.fill(0, Math.min(offset, model.length), Math.min(offset + length, model.length))
        await handle.zeroRange({ offset, length })
      } else {
        const target = Buffer.alloc(length)
        const expected = model.subarray(offset, offset + length)
        assert.equal(await handle.read(target, offset), expected.length, `step ${step}`)
        assert.ok(target.subarray(0, expected.length).equals(expected), `step ${step}`)
      }
    }
    assert.ok((await contentOf(handle)).equals(model))
  }),
  check('two handles see the same bytes', async s => {
    const one = await s.create('file')
    const two = await s.open('file')
    await one.write(Buffer.from('one'), 0)
    await two.write(Buffer.from('two'), 3)
    assert.equal((await contentOf(one)).toString(), 'onetwo')
    assert.equal(one.id, two.id)
  }),
  check('setSize truncates and extends with zeros', async s => {
    const handle = await s.create('file')
    await handle.write(Buffer.from('0123456789'), 0)
    await handle.setSize(4)
    await handle.setSize(8)
    assert.equal(await s.content('file'), '0123\0\0\0\0')
    await handle.setSize(0)
    assert.equal((await handle.info()).sizeBytes, 0)
  }),
  check('after writes at least the size is allocated, in whole units', async s => {
    const handle = await s.create('file')
    for (const size of [1, 5000, 100_000]) {
      await handle.write(pattern(size), 0)
      const { allocationBytes, sizeBytes } = await handle.info()
      assert.equal(sizeBytes, size)
      assert.ok(allocationBytes >= size && allocationBytes % 512 === 0, `${allocationBytes}`)
    }
  }),
  check('space is reserved at creation without changing the size', async s => {
    const info = await (await s.create('file', { allocationBytes: mebibyte })).info()
    assert.equal(info.sizeBytes, 0)
    assert.ok(info.allocationBytes >= mebibyte)
  }),
  check('setAllocation reserves, and truncates below the size', async s => {
    const handle = await s.create('file')
    await handle.write(Buffer.from('0123456789'), 0)
    await handle.setAllocation(mebibyte)
    assert.equal((await handle.info()).sizeBytes, 10)
    assert.ok((await handle.info()).allocationBytes >= mebibyte)
    await handle.setAllocation(4)
    assert.equal(await s.content('file'), '0123')
    await handle.setAllocation(0)
    assert.equal((await handle.info()).sizeBytes, 0)
  }),
  check('zeroRange zeroes within the file and keeps its size', async s => {
    const handle = await s.create('file')
    await handle.write(Buffer.alloc(10_000, 1), 0)
    await handle.zeroRange({ offset: 100, length: 50 })
    await handle.zeroRange({ offset: 9_990, length: 1000 })
    await handle.zeroRange({ offset: 50_000, length: 1000 })
    const content = await contentOf(handle)
    assert.equal(content.length, 10_000)
    assert.deepEqual([content[99], content[100], content[149], content[150], content[9_989], content[9_990], content[9_999]], [1, 0, 0, 1, 1, 0, 0])
  }),
  checkWith('sparseFiles', 'holes are not allocated', async s => {
    const handle = await s.create('file', { attributes: 0x20 | sparse })
    await handle.write(pattern(65_536), 0)
    await handle.write(pattern(65_536), 4 * mebibyte)
    const { allocationBytes, sizeBytes, attributes } = await handle.info()
    assert.equal(sizeBytes, 4 * mebibyte + 65_536)
    assert.ok(allocationBytes < mebibyte, `${allocationBytes}`)
    assert.ok((attributes & sparse) !== 0)
    const ranges = await handle.allocatedRanges({ offset: 0, length: sizeBytes })
    assert.deepEqual(ranges, [
      { offset: 0, length: 65_536 },
      { offset: 4 * mebibyte, length: 65_536 },
    ])
    assert.deepEqual(await handle.allocatedRanges({ offset: 4 * mebibyte + 4096, length: 8192 }), [{ offset: 4 * mebibyte + 4096, length: 8192 }])
    assert.deepEqual(await handle.allocatedRanges({ offset: mebibyte, length: mebibyte }), [])
    assert.deepEqual(await handle.allocatedRanges({ offset: sizeBytes, length: 10 }), [])
  }),
  checkWith('sparseFiles', 'zeroRange gives space back', async s => {
    const handle = await s.create('file', { attributes: 0x20 | sparse })
    await handle.write(pattern(mebibyte), 0)
    await handle.zeroRange({ offset: 131_072, length: 524_288 })
    assert.deepEqual(await handle.allocatedRanges({ offset: 0, length: mebibyte }), [
      { offset: 0, length: 131_072 },
      { offset: 655_360, length: mebibyte - 655_360 },
    ])
    assert.ok((await handle.info()).allocationBytes <= 600_000)
  }),
  check('copyFrom copies between files, up to the end of the source', async s => {
    const source = await s.create('source')
    const target = await s.create('target')
    const data = pattern(100_000)
    await source.write(data, 0)
    assert.equal(await target.copyFrom(source, 10, 5, 50_000), 50_000)
    assert.equal(await target.copyFrom(source, 90_000, 60_000, 50_000), 10_000)
    assert.equal(await target.copyFrom(source, 200_000, 0, 10), 0)
    const content = await contentOf(target)
    assert.ok(content.subarray(5, 50_005).equals(data.subarray(10, 50_010)))
    assert.ok(content.subarray(60_000).equals(data.subarray(90_000)))
  }),
  check('copyFrom copies within a file, overlapping too', async s => {
    for (const [from, to] of [
      [0, 1000],
      [1000, 0],
      [0, 50_000],
    ] as const) {
      const handle = await s.create(`file-${from}-${to}`)
      const data = pattern(40_000)
      await handle.write(data, from)
      assert.equal(await handle.copyFrom(handle, from, to, 40_000), 40_000)
      assert.ok((await contentOf(handle)).subarray(to, to + 40_000).equals(data), `${from} to ${to}`)
    }
  }),
  check('copyFrom copies much', async s => {
    const source = await s.create('source')
    const data = pattern(5 * mebibyte)
    await source.write(data, 0)
    const target = await s.create('target')
    assert.equal(await target.copyFrom(source, 1, 3, 5 * mebibyte), 5 * mebibyte - 1)
    assert.ok((await contentOf(target)).subarray(3).equals(data.subarray(1)))
  }),
  check('cloneFrom shares or says that it cannot', async s => {
    const source = await s.create('source')
    await source.write(pattern(65_536), 0)
    const target = await s.create('target')
    if (s.files.features.blockCloning) await target.cloneFrom(source, 0, 0, 65_536)
    else await s.fails('not-supported', () => target.cloneFrom(source, 0, 0, 65_536))
  }),
  check('flush succeeds for files and folders', async s => {
    const handle = await s.create('file')
    await handle.write(Buffer.from('x'), 0)
    await handle.flush()
    const folder = await s.create('folder', { folder: true })
    await folder.flush()
  }),
  check('write-through writes', async s => {
    const handle = await s.create('file', { access: { ...readWrite, writeThrough: true } })
    await handle.write(pattern(200_000), 10)
    assert.ok((await contentOf(handle)).subarray(10).equals(pattern(200_000)))
  }),
  check('folders have no bytes', async s => {
    const folder = await s.create('folder', { folder: true })
    await s.fails('is-folder', () => folder.read(Buffer.alloc(1), 0))
    await s.fails('is-folder', () => folder.write(Buffer.alloc(1), 0))
    await s.fails('is-folder', () => folder.setSize(1))
  }),
  check('close is idempotent and nothing works after it', async s => {
    const handle = await s.create('file')
    await handle.close()
    await handle.close()
    await s.fails('invalid', () => handle.read(Buffer.alloc(1), 0))
    await s.fails('invalid', () => handle.info())
    await s.fails('invalid', () => handle.remove())
  }),
  check('closing while a read is under way is safe', async s => {
    await s.file('file', pattern(mebibyte))
    const handle = await s.open('file', readOnly)
    const target = Buffer.alloc(mebibyte)
    const reading = handle.read(target, 0)
    const closing = handle.close()
    assert.equal(await reading, mebibyte)
    await closing
    assert.ok(target.equals(pattern(mebibyte)))
  }),
  check('a handle opened for metadata only can still be read and resized when asked', async s => {
    await s.file('file', '0123456789')
    const handle = await s.open('file', metadataOnly)
    const target = Buffer.alloc(10)
    assert.equal(await handle.read(target, 0), 10)
    await handle.setSize(3)
    assert.equal(await s.content('file'), '012')
  }),
]
