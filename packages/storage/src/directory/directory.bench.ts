/** What the directory filesystem costs: `node packages/storage/src/directory/directory.bench.ts [folder]`. */
import fs from 'node:fs'
import path from 'node:path'
import type { CreateOptions } from '../filesystem.ts'
import { directory } from './directory.ts'

const parent = process.argv[2] ?? '/dev/shm'
const root = fs.mkdtempSync(path.join(parent, 'holdfast-bench-'))
const files = directory(root)
const access = { read: true, write: true }
const makeFile: CreateOptions = { folder: false, attributes: 0x20, access }
const makeFolder: CreateOptions = { ...makeFile, folder: true, attributes: 0 }

const time = async (title: string, count: number, run: (i: number) => unknown): Promise<void> => {
  for (let i = 0; i < Math.min(count / 10, 2000); i++) {
    const result = run(-i - 1)
    if (result instanceof Promise) await result
  }
  const start = process.hrtime.bigint()
  for (let i = 0; i < count; i++) {
    const result = run(i)
    if (result instanceof Promise) await result
  }
  const ns = Number(process.hrtime.bigint() - start)
  console.log(`${title.padEnd(56)} ${(ns / count / 1000).toFixed(2).padStart(9)} µs each ${(ns / 1e6).toFixed(0).padStart(7)} ms`)
}

try {
  files.create('a', '', makeFolder).close()
  files.create('a/b', '', makeFolder).close()
  files.create('a/b/file.txt', '', makeFile).close()
  const big = files.create('big', '', makeFile)
  const mebibyte = Buffer.alloc(1 << 20, 1)
  for (let i = 0; i < 64; i++) await big.write(mebibyte, i << 20)
  const page = new Uint8Array(new SharedArrayBuffer(4096))
  const chunk = new Uint8Array(new SharedArrayBuffer(1 << 20))

  await time('open + info + close of a/b/file.txt', 50_000, () => {
    const handle = files.open('a/b/file.txt', '', access)
    handle.info()
    handle.close()
  })
  await time('open + info + close of A/B/FILE.TXT (index)', 50_000, () => {
    const handle = files.open('A/B/FILE.TXT', '', access)
    handle.info()
    handle.close()
  })
  await time('stat of a/b/file.txt', 50_000, () => files.stat('a/b/file.txt'))
  await time('stat of a/b/missing', 50_000, () => files.stat('a/b/missing'))
  await time('create + write 4 KiB + close + delete', 20_000, i => {
    const handle = files.create(`a/b/new-${i}`, '', makeFile)
    void handle.write(page, 0)
    handle.remove()
    handle.close()
  })
  await time('read 4 KiB (cached)', 200_000, i => big.read(page, (Math.abs(i) % 16_000) * 4096))
  await time('read 1 MiB (cached)', 2000, i => big.read(chunk, (Math.abs(i) % 64) << 20))
  await time('write 4 KiB', 100_000, i => big.write(page, (Math.abs(i) % 16_000) * 4096))
  await time('write 1 MiB', 500, i => big.write(chunk, (Math.abs(i) % 64) << 20))
  const through = files.open('big', '', { ...access, writeThrough: true })
  await time('write 4 KiB write-through', 300, i => through.write(page, (Math.abs(i) % 16_000) * 4096))
  through.close()

  const many = 100_000
  files.create('many', '', makeFolder).close()
  await time('create + close in a folder that grows to 100,000', many, i => i >= 0 && files.create(`many/name-${i}.txt`, '', makeFile).close())
  const folder = files.open('many', '', { read: true, write: false })
  await time('names of 100,000 entries', 3, () => folder.entryNames())
  await time('100,000 entries with all metadata', 3, () => {
    let count = 0
    for (const entry of folder.entries()) if (entry) count++
    if (count < many) throw new Error(`${count}`)
  })
  const fresh = directory(root)
  await time('first miss in 100,000 names (index is built)', 1, i => i >= 0 && fresh.stat('many/missing'))
  await time('further misses', 50_000, () => fresh.stat('many/missing'))
  await time('hits in another case', 50_000, i => fresh.stat(`many/NAME-${Math.abs(i)}.TXT`))
  fresh.close()
} finally {
  fs.rmSync(root, { recursive: true })
}
