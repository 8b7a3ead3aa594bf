import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, describe, test } from 'node:test'
import { errno, preadVector, preadVectorAsync, pwriteVector, pwriteVectorAsync, RWF_DSYNC, unsupportedReason } from './index.ts'

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-vectors-'))
after(() => fs.rmSync(folder, { recursive: true }))

describe('reads and writes of several buffers', { skip: unsupportedReason ?? false }, () => {
  const fd = fs.openSync(path.join(folder, 'file'), 'w+')
  after(() => fs.closeSync(fd))
  const shared = new SharedArrayBuffer(65_536)
  const views = (...lengths: number[]): Buffer[] => {
    let at = 100
    return lengths.map(length => Buffer.from(shared, (at += length + 7) - length - 7, length))
  }

  test('go to and come from all of them, one after the other, in shared memory and not', async () => {
    const parts = ['one', '', 'three', 'x'.repeat(3000)].map(text => Buffer.from(text))
    const text = parts.map(String).join('')
    assert.equal(pwriteVector(fd, parts, 10), text.length)
    assert.equal(await pwriteVectorAsync(fd, parts, 10_000, RWF_DSYNC), text.length)
    for (const offset of [10, 10_000]) {
      const targets = views(1, 5, 0, 40, text.length - 46)
      assert.equal(preadVector(fd, targets, offset), text.length)
      assert.equal(targets.map(String).join(''), text)
      for (const target of targets) target.fill(0)
      assert.equal(await preadVectorAsync(fd, targets, offset), text.length)
      assert.equal(targets.map(String).join(''), text)
    }
  })

  test('take no more than 1,024 buffers at a time (IOV_MAX)', async () => {
    const parts = Array.from({ length: 2000 }, (_, index) => Buffer.from([index, index >> 8]))
    assert.equal(pwriteVector(fd, parts, 0), 2048)
    assert.equal(await pwriteVectorAsync(fd, parts.slice(1024), 2048), 1952)
    const targets = parts.map(() => Buffer.alloc(2))
    assert.equal(preadVector(fd, targets, 0), 2048)
    assert.equal(preadVector(fd, targets.slice(1024), 2048), 1952)
    assert.deepEqual(Buffer.concat(targets), Buffer.concat(parts))
  })

  test('of several small buffers that share no memory each find their own', () => {
    const parts = Array.from({ length: 40 }, (_, index) => new Uint8Array(8).fill(index))
    assert.equal(pwriteVector(fd, parts, 0), 320)
    const targets = parts.map(() => new Uint8Array(8))
    assert.equal(preadVector(fd, targets, 0), 320)
    assert.deepEqual(targets, parts)
  })

  test('return -errno', async () => {
    assert.equal(preadVector(-1, [Buffer.alloc(1)], 0), -errno.EBADF)
    assert.equal(await pwriteVectorAsync(-1, [Buffer.alloc(1)], 0), -errno.EBADF)
  })
})
