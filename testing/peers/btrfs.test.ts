/** What a filesystem with compression and block cloning gives its clients, on a btrfs in a file. */
import assert from 'node:assert/strict'
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { directory, fileAttribute } from '@holdfast/storage'
import { mustRun, runCommand } from './command.ts'
import { temporaryFolder } from './folder.ts'
import type { TemporaryFolder } from './folder.ts'
import { missing } from './packages.ts'
import { alice, bob, startServer } from './server.ts'
import { runTorture, secondShare, suitableTests } from './smbtorture.ts'

const mebibyte = 1024 * 1024
const made = { attributes: fileAttribute.archive, access: { read: true, write: true } }
const file = { ...made, folder: false }
type Handle = ReturnType<ReturnType<typeof directory>['create']>

describe('a share on btrfs', { skip: missing('root', 'mount', 'mkfs.btrfs') }, () => {
  let folder: TemporaryFolder
  let cannotMount: string | undefined
  const volume = (name: string): string => {
    const path = folder.at('volume', name)
    mkdirSync(path)
    return path
  }

  before(async () => {
    folder = temporaryFolder('btrfs')
    mkdirSync(folder.at('volume'))
    writeFileSync(folder.at('image'), '')
    truncateSync(folder.at('image'), 512 * mebibyte)
    await mustRun('mkfs.btrfs', ['-q', folder.at('image')])
    const { status, stderr } = await runCommand('mount', ['-o', 'loop', folder.at('image'), folder.at('volume')])
    if (status !== 0) cannotMount = `this machine mounts no btrfs: ${stderr.trim()}`
  })
  after(async () => {
    if (cannotMount === undefined) await mustRun('umount', [folder.at('volume')])
    await folder[Symbol.asyncDispose]()
  })

  const isCompressed = (handle: Handle): boolean => (handle.info().attributes & fileAttribute.compressed) !== 0

  test('compression is set and unset, taken over from the folder, and no attribute that a client sets (MS-FSA 2.1.5.9.30)', async t => {
    if (cannotMount !== undefined) return t.skip(cannotMount)
    const files = directory(volume('direct'))
    try {
      assert.equal(files.features.compression, true)
      const parent = files.create('folder', '', { ...made, folder: true, attributes: 0 })
      await parent.setCompressed(true)
      assert.equal(isCompressed(parent), true)
      const child = files.create('folder/child', '', file)
      const plain = files.create('folder/plain', '', { ...file, uncompressed: true })
      const token = files.create('folder/token', '', { ...file, uncompressed: true, creationToken: 'c0ffee' })
      assert.deepEqual([child, plain, token].map(isCompressed), [true, false, false])
      assert.equal(files.stat('folder/child')?.attributes, fileAttribute.archive | fileAttribute.compressed)

      await plain.setInfo({ attributes: fileAttribute.hidden | fileAttribute.compressed })
      assert.equal(plain.info().attributes, fileAttribute.hidden)
      await child.setInfo({ attributes: 0 })
      assert.equal(child.info().attributes, fileAttribute.compressed, 'and not NORMAL beside it')
      await child.setCompressed(false)
      assert.equal(child.info().attributes, fileAttribute.normal)

      const stream = files.create('folder/child', 'stream', file)
      assert.throws(() => stream.setCompressed(true), { code: 'not-supported' })
      for (const handle of [stream, token, plain, child, parent]) handle.close()
    } finally {
      files.close()
    }
  })

  test('cloning nothing changes nothing', async t => {
    if (cannotMount !== undefined) return t.skip(cannotMount)
    const files = directory(volume('cloning'))
    try {
      const source = files.create('source', '', file)
      const target = files.create('target', '', file)
      await source.write(Buffer.alloc(65_536, 1), 0)
      await target.cloneFrom(source, 0, 0, 0)
      assert.equal(target.info().sizeBytes, 0)
      for (const handle of [source, target]) handle.close()
    } finally {
      files.close()
    }
  })

  test("smbtorture's tests of compression, block cloning and trimming", { skip: missing('smbtorture') }, async t => {
    if (cannotMount !== undefined) return t.skip(cannotMount)
    const shares = { share: volume('share'), [secondShare]: volume(secondShare) }
    await using server = await startServer({ shares })
    const tests = (await suitableTests()).filter(name => /^smb2\.ioctl\.(compress_(?!notsup)|sparse_compressed|dup_extents|trim)/.test(name))
    assert.ok(tests.length > 20)
    const results = await runTorture({ endpoint: server.smb, shares: ['share'], secondShare, accounts: [alice, bob], tests })
    assert.deepEqual(
      results.filter(({ outcome }) => outcome !== 'pass'),
      [],
    )
  })
})
