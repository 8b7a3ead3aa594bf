/** Volumes on filesystems that keep their snapshots in other ways than the one that the unit tests find, each in a file. */
import assert from 'node:assert/strict'
import { closeSync, fsyncSync, mkdirSync, mkdtempSync, openSync, readdirSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { blockDeviceCompliance } from '@holdfast/storage/block-compliance'
import { assertSame, contentOf } from '../../packages/storage/src/block/compliance/scope.ts'
import { endAtEachStep, killAtSteps } from '../../packages/storage/src/block/volume/test-support/crash.ts'
import { VolumeSubject } from '../../packages/storage/src/block/volume/test-support/subject.ts'
import { mustRun, runCommand } from './command.ts'
import { randomContent, temporaryFolder } from './folder.ts'
import type { TemporaryFolder } from './folder.ts'
import { missing } from './packages.ts'
import type { PeerName } from './packages.ts'

const mebibyte = 1024 * 1024
const shape = { partitionBytes: 262_144, pageBytes: 65_536 }

const filesystems: readonly { name: string; program: PeerName; options: readonly string[]; kind: string; hasChecksums?: boolean }[] = [
  { name: 'btrfs, by clones', program: 'mkfs.btrfs', options: ['-q'], kind: 'clones', hasChecksums: true },
  { name: 'XFS, by clones', program: 'mkfs.xfs', options: ['-q'], kind: 'clones' },
  { name: 'XFS that cannot clone, by layers', program: 'mkfs.xfs', options: ['-q', '-m', 'reflink=0'], kind: 'layers' },
  { name: 'ext4, by layers', program: 'mkfs.ext4', options: ['-q'], kind: 'layers', hasChecksums: true },
  { name: 'ext4 with blocks of 1 KiB, not at all', program: 'mkfs.ext4', options: ['-q', '-b', '1024'], kind: 'none' },
]

/** Leaves that much room. */
const fillUp = (path: string, roomBytes: number): void => {
  const fd = openSync(path, 'w')
  const bytes = randomContent(mebibyte)
  let written = 0
  try {
    for (;;) written += writeSync(fd, bytes)
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC')
  }
  fsyncSync(fd)
  truncateSync(path, written - roomBytes)
  fsyncSync(fd)
  closeSync(fd)
}

for (const { name, program, options, kind, hasChecksums = false } of filesystems) {
  describe(`volumes on ${name}`, { skip: missing('root', 'mount', program) }, () => {
    let folder: TemporaryFolder
    let cannotMount: string | undefined

    before(async () => {
      folder = temporaryFolder('volumes', { needBytes: 1024 * mebibyte })
      mkdirSync(folder.at('mounted'))
      writeFileSync(folder.at('image'), '')
      truncateSync(folder.at('image'), 512 * mebibyte)
      await mustRun(program, [...options, folder.at('image')])
      const { status, stderr } = await runCommand('mount', ['-o', 'loop', folder.at('image'), folder.at('mounted')])
      if (status !== 0) cannotMount = `this machine does not mount it: ${stderr.trim()}`
    })
    after(async () => {
      // A process that ends only for show keeps its files open until this one ends.
      if (cannotMount === undefined) await mustRun('umount', ['-l', folder.at('mounted')])
      await folder[Symbol.asyncDispose]()
    })

    const newFolder = (): string => mkdtempSync(folder.at('mounted', 'v-'))

    test('snapshots are made in this way', async t => {
      if (cannotMount !== undefined) return t.skip(cannotMount)
      const subject = await VolumeSubject.make(newFolder(), shape)
      assert.equal(subject.snapshotKind, kind)
      await subject.dispose()
    })

    if (kind === 'none') return

    test('the process ends at each step', async t => {
      if (cannotMount !== undefined) return t.skip(cannotMount)
      const parent = newFolder()
      assert.ok((await endAtEachStep(parent)) > 50)
      assert.deepEqual(readdirSync(parent), [])
    })

    test('SIGKILL at each step', { skip: program !== 'mkfs.btrfs' }, t => {
      if (cannotMount !== undefined) return t.skip(cannotMount)
      assert.ok(killAtSteps(newFolder(), 1).length > 50)
    })

    const full = 'a full filesystem: writes fail with NO_SPACE, nothing that was written is lost, and when there is room again they go on'
    for (const checksums of [false, true])
      test(`${full}${checksums ? '; with checksums' : ''}`, async t => {
        if (cannotMount !== undefined) return t.skip(cannotMount)
        const filler = folder.at('mounted', 'filler')
        fillUp(filler, 24 * mebibyte)
        await using subject = await VolumeSubject.make(newFolder(), { sizeBytes: 128 * mebibyte, options: { checksums } })
        const written: Buffer[] = []
        const write = async (bytes: Buffer): Promise<void> => {
          const at = written.length * mebibyte
          if (!subject.device.writeNow([bytes], at)) await subject.device.write([bytes], at)
          written.push(bytes)
        }
        await assert.rejects(
          async () => {
            while (written.length < 64) {
              await write(randomContent(mebibyte))
              if (written.length === 4) await subject.snapshot('early')
            }
          },
          { code: 'NO_SPACE' },
        )
        assert.ok(written.length > 6, `${written.length} MiB were written`)
        await subject.device.flush()
        const expected = Buffer.concat(written)
        assertSame(await contentOf(subject.device, 0, expected.length), expected, 'when it is full')
        const device = await subject.reopen(false)
        assertSame(await contentOf(device, 0, expected.length), expected, 'after an end')
        rmSync(filler)
        await write(randomContent(mebibyte))
        await subject.device.flush()
        assertSame(await contentOf(subject.device, 0, written.length * mebibyte), Buffer.concat(written), 'with room again')
        assertSame(await contentOf(await subject.openSnapshot('early'), 0, 4 * mebibyte), Buffer.concat(written.slice(0, 4)), 'the snapshot')
      })

    for (const checksums of hasChecksums ? [false, true] : [false]) {
      blockDeviceCompliance(checksums ? `${name}, with checksums` : name, () => {
        if (cannotMount !== undefined) throw new Error(cannotMount)
        return VolumeSubject.make(newFolder(), { ...shape, options: { checksums } })
      })
    }
  })
}
