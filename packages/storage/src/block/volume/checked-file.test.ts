import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, describe, test } from 'node:test'
import { unsupportedReason } from '@holdfast/posix'
import { BlockDeviceError } from '../block-device.ts'
import { assertSame, filled, pattern } from '../compliance/scope.ts'
import { BackingFile } from './backing-file.ts'
import { CheckedFile, sumsFileBytes } from './checked-file.ts'
import { regionBytes } from './dirty-regions.ts'
import type { FileWriteOptions } from './layer.ts'

const partitionBytes = 64 << 20
const blockBytes = 4096

/** Writes of it fail, after so much has been written. */
class FailingFile extends BackingFile {
  failAfter: number | undefined

  override writeNow(from: readonly Buffer[], offset: number): number {
    return this.failAfter === undefined ? super.writeNow(from, offset) : 0
  }

  override async write(from: readonly Buffer[], offset: number, options?: FileWriteOptions): Promise<void> {
    if (this.failAfter === undefined) return super.write(from, offset, options)
    await super.write([Buffer.concat(from).subarray(0, this.failAfter)], offset, options)
    throw new BlockDeviceError('NO_SPACE', { offset: offset + this.failAfter })
  }
}

/** Two files, of which `open` makes one as often as it is asked. */
const newFiles = (): {
  readonly paths: readonly [data: string, sums: string]
  open(): Promise<{ readonly file: CheckedFile; readonly data: FailingFile; readonly found: number[] }>
} => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-checked-'))
  const paths = [path.join(folder, 'data'), path.join(folder, 'sums')] as const
  for (const [index, size] of [partitionBytes, sumsFileBytes(partitionBytes)].entries()) {
    fs.writeFileSync(paths[index], '')
    fs.truncateSync(paths[index], size)
  }
  const opened: CheckedFile[] = []
  after(async () => {
    for (const file of opened) await file.close()
    fs.rmSync(folder, { recursive: true })
  })
  return {
    paths,
    async open() {
      const data = new FailingFile(paths[0])
      const found: number[] = []
      const file = await CheckedFile.open({ data, sums: new BackingFile(paths[1]), partitionBytes, onCorrupt: offset => found.push(offset) })
      opened.push(file)
      return { file, data, found }
    },
  }
}

const put = (file: string, bytes: Buffer, offset: number): void => {
  const fd = fs.openSync(file, 'r+')
  fs.writeSync(fd, bytes, 0, bytes.length, offset)
  fs.closeSync(fd)
}

const bytesAt = async (file: CheckedFile, offset: number, lengthBytes: number): Promise<Buffer> => {
  const bytes = Buffer.alloc(lengthBytes, 0xee)
  await file.read([bytes], offset)
  return bytes
}

describe('a file with checksums', { skip: unsupportedReason ?? false }, () => {
  test('tells of what is not what was written: in the file, and in the sums', async () => {
    const { paths, open } = newFiles()
    const { file, found } = await open()
    await file.write([pattern(65_536)], 0)
    put(paths[0], filled(1, 254), 9000)
    const sumsAt = fs.statSync(paths[1]).size - (partitionBytes / blockBytes) * 4
    put(paths[1], filled(4, 1), sumsAt + 4 * 5)
    for (const block of [8192, 20_480]) {
      await assert.rejects(file.read([Buffer.alloc(512)], block + 1024), { code: 'CORRUPT', offset: block })
    }
    await assert.rejects(file.read([Buffer.alloc(65_536)], 0), { code: 'CORRUPT', offset: 8192 })
    assert.deepEqual(found, [8192, 20_480, 8192])
  })

  test('takes what a crash has left of writes that were under way: data without its sum, a sum without its data', async () => {
    const { paths, open } = newFiles()
    const first = await open()
    await first.file.write([pattern(65_536)], 0)
    await first.file.write([filled(blockBytes, 3)], 10 * regionBytes)
    const sums = fs.readFileSync(paths[1])
    await first.file.write([filled(8192, 9)], 8192)
    // The sums of the last write have not come to the disk.
    fs.writeFileSync(paths[1], sums)
    // The data of another one has not.
    put(paths[0], filled(512, 4), 10 * regionBytes)
    const { file, found } = await open()
    assertSame(await bytesAt(file, 8192, 8192), filled(8192, 9), 'data without its sum')
    assertSame(await bytesAt(file, 10 * regionBytes, blockBytes), Buffer.concat([filled(512, 4), filled(3584, 3)]), 'a sum without its data')
    assert.deepEqual(found, [])
  })

  test('has the bit of a region on stable storage before the first write there, and lets go of it at the end', async () => {
    const { paths, open } = newFiles()
    const { file } = await open()
    const bits = (): number => fs.readFileSync(paths[1]).readUInt16LE()
    assert.equal(file.writeNow([filled(512, 1)], 0), 0, 'not before the bit is there')
    await file.write([filled(512, 1)], 0)
    assert.equal(bits(), 1)
    assert.equal(file.writeNow([filled(512, 1)], 512), 512)
    await Promise.all([3, 5, 5, 7].map((region, index) => file.write([filled(512, 1)], region * regionBytes + 4096 * index)))
    assert.equal(bits(), 0b1010_1001)
    await file.punch(7 * regionBytes, 5 * regionBytes)
    assert.equal(bits(), 0b1111_1010_1001)
    await file.flush()
    await file.close()
    assert.equal(bits(), 0)
    put(paths[0], filled(1, 200), 100)
    const again = await open()
    await assert.rejects(bytesAt(again.file, 0, 512), { code: 'CORRUPT' }, 'nothing is taken for written that is not in doubt')
  })

  for (const failAfter of [0, 512, 4096, 6656]) {
    test(`after a write that failed when ${failAfter} bytes were written, has what is there`, async () => {
      const { paths, open } = newFiles()
      const { file, data, found } = await open()
      const before = pattern(32_768)
      await file.write([before], 0)
      data.failAfter = failAfter
      const from = [filled(10_240, 7)]
      assert.equal(file.writeNow(from, 4608), 0)
      await assert.rejects(file.write(from, 4608), { code: 'NO_SPACE' })
      data.failAfter = undefined
      assertSame(await bytesAt(file, 0, 32_768), fs.readFileSync(paths[0]).subarray(0, 32_768), 'what is there')
      await file.write(from, 4608)
      before.fill(7, 4608, 4608 + 10_240)
      assertSame(await bytesAt(file, 0, 32_768), before, 'written again')
      assert.deepEqual(found, [])
    })
  }
})
