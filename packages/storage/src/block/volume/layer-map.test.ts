import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, describe, test } from 'node:test'
import { unsupportedReason } from '@holdfast/posix'
import { filled } from '../compliance/scope.ts'
import { BackingFile } from './backing-file.ts'
import { LayerMap, mapBytesOf } from './layer-map.ts'

const blockBytes = 4096
const shape = { blockBytes, pageBytes: 65_536, partitionBytes: 1 << 20 }

/** A layer in a folder of its own, whose files can be as they were on the disk at a moment. */
class Layer {
  readonly folder = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-map-'))
  readonly #paths = ['data', 'map'].map(name => path.join(this.folder, name)) as [string, string]
  readonly #open: (() => Promise<void>)[] = []

  constructor() {
    for (const [index, size] of [shape.partitionBytes, mapBytesOf(shape)].entries()) {
      fs.writeFileSync(this.#paths[index], '')
      fs.truncateSync(this.#paths[index], size)
    }
    after(async () => {
      for (const close of this.#open) await close()
      fs.rmSync(this.folder, { recursive: true })
    })
  }

  async open(): Promise<{ map: LayerMap; data: BackingFile; write(block: number): void }> {
    const [data, file] = this.#paths.map(one => new BackingFile(one))
    const map = await LayerMap.open(shape, { file, data })
    this.#open.push(async () => {
      await map.close()
      await data.close()
    })
    const write = (block: number): void => {
      assert.equal(data.writeNow([filled(blockBytes, 1)], block * blockBytes), blockBytes)
      map.set(block * blockBytes, blockBytes)
    }
    return { map, data, write }
  }

  /** What is in a file; to be put back. */
  bytes(which: 'data' | 'map'): Buffer {
    return fs.readFileSync(this.#paths[which === 'data' ? 0 : 1])
  }

  /** The power fails: these blocks of the layer have not come to the disk; its map has. */
  loseData(blocks: readonly number[]): void {
    const bytes = this.bytes('data')
    fs.truncateSync(this.#paths[0], 0)
    fs.truncateSync(this.#paths[0], bytes.length)
    const fd = fs.openSync(this.#paths[0], 'r+')
    for (let block = 0; block * blockBytes < bytes.length; block++) {
      const part = bytes.subarray(block * blockBytes, (block + 1) * blockBytes)
      if (!blocks.includes(block) && part.some(byte => byte !== 0)) fs.writeSync(fd, part, 0, blockBytes, block * blockBytes)
    }
    fs.closeSync(fd)
  }

  /** The power fails: of the map the copy of what is written has not come to the disk. */
  loseWrittenCopy(): void {
    const bytes = this.bytes('map')
    bytes.fill(0, bytes.length / 2)
    fs.writeFileSync(this.#paths[1], bytes)
  }
}

const blocksOf = (map: LayerMap): number[] =>
  Array.from({ length: shape.partitionBytes / blockBytes }, (_, block) => block).filter(block => map.has(block * blockBytes))

describe('the map of a layer', { skip: unsupportedReason ?? false }, () => {
  test('has what was written when it is opened again, flushed or not', async () => {
    const layer = new Layer()
    const { map, write } = await layer.open()
    for (const block of [0, 1, 17, 255]) write(block)
    assert.deepEqual(blocksOf((await layer.open()).map), [0, 1, 17, 255])
    await map.flush()
    map.clear(blockBytes, blockBytes)
    write(200)
    assert.deepEqual(blocksOf(map), [0, 17, 200, 255])
  })

  test('a block that has come to the map, and not to the disk, is not valid after a power failure; one that was flushed is', async () => {
    const layer = new Layer()
    const { map, write } = await layer.open()
    write(3)
    await map.flush()
    write(4)
    write(40)
    layer.loseData([4])
    assert.deepEqual(blocksOf((await layer.open()).map), [3, 40])
  })

  test('what was flushed is valid whatever the filesystem says of holes', async () => {
    const layer = new Layer()
    const { map, write } = await layer.open()
    write(3)
    await map.flush()
    layer.loseData([3])
    assert.deepEqual(blocksOf((await layer.open()).map), [3])
  })

  test('what was flushed is in the copy of what is flushed; so is what is written durably, without the rest of its page', async () => {
    const layer = new Layer()
    const { map, data, write } = await layer.open()
    write(1)
    await Promise.all([map.flush(), map.flush()])
    write(2)
    await data.write([filled(blockBytes, 1)], 5 * blockBytes, { isDurable: true })
    map.set(5 * blockBytes, blockBytes)
    await map.flushRange(5 * blockBytes, blockBytes)
    layer.loseWrittenCopy()
    assert.deepEqual(blocksOf((await layer.open()).map), [1, 5])
  })

  test('blocks that are removed stay removed, also when they are being flushed at that moment', async () => {
    const layer = new Layer()
    const { map, write } = await layer.open()
    for (const block of [16, 17, 31, 32]) write(block)
    await Promise.all([map.flush(), map.remove(shape.pageBytes, shape.pageBytes), map.flush()])
    assert.deepEqual(blocksOf(map), [32])
    assert.deepEqual(blocksOf((await layer.open()).map), [32])
    layer.loseWrittenCopy()
    assert.deepEqual(blocksOf((await layer.open()).map), [32])
  })
})
