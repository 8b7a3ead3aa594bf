import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, describe, test } from 'node:test'
import { memoryStore } from '@holdfast/cluster'
import { unsupportedReason } from '@holdfast/posix'
import { assertSame, contentOf, pattern } from '../compliance/scope.ts'
import { VolumeError, VolumeRecords, memoryVolumeMetadata, openVolumes, storeVolumeMetadata } from './index.ts'
import type { VolumeErrorCode, VolumeManager, VolumeMetadata } from './index.ts'

const mebibyte = 1 << 20

const newFolder = (): string => {
  const folder = fs.mkdtempSync(path.join(fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir(), 'holdfast-volumes-'))
  after(() => fs.rmSync(folder, { recursive: true, force: true }))
  return folder
}

const fails = async (code: VolumeErrorCode, message: RegExp, action: () => Promise<unknown>): Promise<void> => {
  await assert.rejects(action, error => {
    assert.ok(error instanceof VolumeError, String(error))
    assert.equal(error.code, code, error.message)
    assert.match(error.message, message)
    return true
  })
}

describe('volumes', { skip: unsupportedReason ?? false }, () => {
  test('have records that stay, with a serial number and a name of their own (SPC-4 7.8.16, 7.8.6.6.4)', async () => {
    const folder = newFolder()
    await using store = memoryStore()
    const records = await (async () => {
      await using volumes = await openVolumes({ folder, metadata: storeVolumeMetadata(store) })
      const made = [
        await volumes.create({ name: 'disk2', sizeBytes: mebibyte, options: { blockBytes: 4096 } }),
        await volumes.create({ name: 'a.disk-1', sizeBytes: 8192 }),
      ]
      await volumes.snapshot('disk2', 'monday')
      await volumes.resize('disk2', 2 * mebibyte)
      await volumes.snapshot('disk2', 'tuesday')
      assert.deepEqual(made[0].options, { blockBytes: 4096 })
      return volumes.list()
    })()
    assert.deepEqual(
      records.map(({ name }) => name),
      ['a.disk-1', 'disk2'],
    )
    for (const { naa, serial, id, createdAt } of records) {
      assert.match(naa, /^3[0-9a-f]{15}$/)
      assert.match(serial, /^[0-9a-f]{32}$/)
      assert.match(id, /^[0-9a-f-]{36}$/)
      assert.equal(new Date(createdAt).toISOString(), createdAt)
    }
    assert.equal(new Set(records.map(({ naa }) => naa)).size, 2)
    assert.deepEqual(
      records[1].snapshots.map(({ name, sizeBytes }) => [name, sizeBytes]),
      [
        ['monday', mebibyte],
        ['tuesday', 2 * mebibyte],
      ],
    )
    await using again = await openVolumes({ folder, metadata: storeVolumeMetadata(store) })
    assert.deepEqual(await again.list(), records)
    assert.deepEqual(await again.get('disk2'), records[1])
    assert.deepEqual((await again.open('disk2')).record, records[1])
    assert.equal((await again.openSnapshot('disk2', 'monday')).sizeBytes, mebibyte)
  })

  test('hold the same in a copy of their folder in which zeros have become holes', async () => {
    const [folder, copy] = [newFolder(), newFolder()]
    const records = new VolumeRecords()
    const expected = pattern(mebibyte)
    {
      await using volumes = await openVolumes({ folder, metadata: memoryVolumeMetadata(records) })
      await volumes.create({ name: 'disk', sizeBytes: mebibyte, pageBytes: 65_536 })
      const device = await volumes.open('disk')
      await device.write([expected], 0)
      await volumes.snapshot('disk', 'one')
      await device.write([Buffer.alloc(20_480)], 40_960)
      expected.fill(0, 40_960, 61_440)
    }
    execFileSync('cp', ['-r', '--sparse=always', `${folder}/.`, copy])
    await using volumes = await openVolumes({ folder: copy, metadata: memoryVolumeMetadata(records) })
    assertSame(await contentOf(await volumes.open('disk')), expected, 'the copy')
    assertSame(await contentOf(await volumes.openSnapshot('disk', 'one')), pattern(mebibyte), 'its snapshot')
  })

  test('say what is wrong, and what to do about it', async () => {
    await using volumes = await openVolumes({ folder: newFolder(), metadata: memoryVolumeMetadata() })
    await volumes.create({ name: 'disk', sizeBytes: mebibyte })
    await volumes.snapshot('disk', 'one')
    for (const name of ['', 'Disk', '-disk', 'disk.', 'a/b', '..', 'a b', 'x'.repeat(64), 'ü']) {
      await fails('INVALID_NAME', /take 1 to 63 of/, () => volumes.create({ name, sizeBytes: 4096 }))
      await fails('INVALID_NAME', /name of a snapshot/, () => volumes.snapshot('disk', name))
    }
    await fails('VOLUME_EXISTS', /choose another name/, () => volumes.create({ name: 'disk', sizeBytes: mebibyte }))
    for (const sizeBytes of [0, -4096, 512, 5000, 4096.5]) {
      await fails('INVALID_SIZE', /multiple of 4096, such as/, () => volumes.create({ name: 'new', sizeBytes }))
    }
    await fails('INVALID_SIZE', /such as 8192/, () => volumes.create({ name: 'new', sizeBytes: 5000 }))
    await fails('INVALID_SIZE', /larger partitions/, () => volumes.create({ name: 'new', sizeBytes: 2 ** 40, partitionBytes: 4 * mebibyte }))
    await fails('INVALID_SIZE', /needs a size/, () => volumes.create({ name: 'new' }))
    await fails('INVALID_OPTION', /power of two/, () => volumes.create({ name: 'new', sizeBytes: mebibyte, pageBytes: 100_000 }))
    await fails('INVALID_OPTION', /multiple of the page/, () => volumes.create({ name: 'new', sizeBytes: mebibyte, partitionBytes: 5 * mebibyte }))
    await fails('SIZE_TOO_SMALL', /can only grow/, () => volumes.resize('disk', mebibyte - 4096))
    await fails('INVALID_SIZE', /multiple of 4096/, () => volumes.resize('disk', mebibyte + 512))
    await fails('SNAPSHOT_EXISTS', /choose another name/, () => volumes.snapshot('disk', 'one'))
    await fails('UNKNOWN_SNAPSHOT', /"two": there is one/, () => volumes.openSnapshot('disk', 'two'))
    await fails('UNKNOWN_SNAPSHOT', /no snapshot "two"/, () => volumes.deleteSnapshot('disk', 'two'))
    await fails('UNKNOWN_SNAPSHOT', /"two"/, () => volumes.create({ name: 'new', from: { volume: 'disk', snapshot: 'two' } }))
    await fails('SIZE_TOO_SMALL', /at least as many/, () =>
      volumes.create({ name: 'new', sizeBytes: 8192, from: { volume: 'disk', snapshot: 'one' } }),
    )
    await fails('UNKNOWN_VOLUME', /"new": there is disk/, () => volumes.create({ name: 'new', from: { volume: 'new', snapshot: 'two' } }))
    for (const action of ['open', 'get', 'delete'] as const) await fails('UNKNOWN_VOLUME', /"other": there is disk/, () => volumes[action]('other'))
    assert.deepEqual(
      (await volumes.list()).map(({ name }) => name),
      ['disk'],
    )
    await volumes.close()
    await fails('CLOSED', /closed/, () => volumes.list())
    await fails('CLOSED', /closed/, () => volumes.open('disk'))
  })

  test('cannot be where no folder can be', async () => {
    const file = path.join(newFolder(), 'file')
    fs.writeFileSync(file, '')
    await fails('FOLDER_UNUSABLE', /cannot be used for volumes/, () =>
      openVolumes({ folder: path.join(file, 'volumes'), metadata: memoryVolumeMetadata() }),
    )
  })

  test('are damaged where a file is missing, which is told, and can be deleted', async () => {
    const folder = newFolder()
    const records = new VolumeRecords()
    await using volumes = await openVolumes({ folder, metadata: memoryVolumeMetadata(records) })
    const { id } = await volumes.create({ name: 'disk', sizeBytes: mebibyte })
    fs.rmSync(path.join(folder, id, '0.0'))
    await fails('DAMAGED', /0\.0 is missing/, () => volumes.open('disk'))
    await volumes.delete('disk')
    assert.deepEqual([await volumes.list(), fs.readdirSync(folder)], [[], []])
  })

  test('are made from a snapshot, larger where that is wanted, and are their own', async () => {
    await using volumes = await openVolumes({ folder: newFolder(), metadata: memoryVolumeMetadata() })
    await volumes.create({ name: 'disk', sizeBytes: mebibyte, partitionBytes: 262_144, pageBytes: 65_536 })
    const disk = await volumes.open('disk')
    const bytes = pattern(300_032)
    await disk.write([bytes], 200_192)
    await volumes.snapshot('disk', 'one')
    await disk.write([pattern(500_224, 2)], 512)
    await volumes.create({ name: 'copy', from: { volume: 'disk', snapshot: 'one' }, sizeBytes: 2 * mebibyte })
    await volumes.create({ name: 'other', from: { volume: 'disk', snapshot: 'one' }, partitionBytes: 65_536, options: { isReadOnly: true } })
    await volumes.delete('disk')
    const [copy, other] = [await volumes.open('copy'), await volumes.open('other')]
    const expected = Buffer.alloc(mebibyte)
    bytes.copy(expected, 200_192)
    assert.deepEqual([copy.sizeBytes, other.sizeBytes], [2 * mebibyte, mebibyte])
    assert.deepEqual(await contentOf(copy), Buffer.concat([expected, Buffer.alloc(mebibyte)]))
    assert.deepEqual(await contentOf(other), expected)
    assert.deepEqual(await copy.provisioning(0, 65_536, 9), [{ offset: 0, lengthBytes: 65_536, isMapped: false }])
    assert.equal(other.isReadOnly, true)
    assert.equal(other.writeNow([Buffer.alloc(512)], 0), false)
    await assert.rejects(other.write([Buffer.alloc(512)], 0), { code: 'READ_ONLY' })
  })

  test('belong to the manager that claimed them last; the one before can change nothing, and its device is gone then', async () => {
    const folder = newFolder()
    await using store = memoryStore()
    for (const metadata of [() => storeVolumeMetadata(store), sharedMemory()]) {
      await using first = await openVolumes({ folder, metadata: metadata() })
      await using second = await openVolumes({ folder, metadata: metadata() })
      await first.create({ name: 'disk', sizeBytes: mebibyte })
      const device = await first.open('disk')
      const taken = await second.open('disk')
      await fails('NOT_OWNER', /claimed by/, () => first.resize('disk', 2 * mebibyte))
      await assert.rejects(device.read([Buffer.alloc(512)], 0), { code: 'GONE' })
      await second.resize('disk', 3 * mebibyte)
      assert.equal(taken.sizeBytes, 3 * mebibyte)
      // Whoever opens it again claims it.
      assert.equal((await first.open('disk')).sizeBytes, 3 * mebibyte)
      await first.delete('disk')
    }
  })

  test('that are released can be opened again, here and elsewhere; their devices are gone', async () => {
    const folder = newFolder()
    await using volumes = await openVolumes({ folder, metadata: memoryVolumeMetadata() })
    await volumes.create({ name: 'disk', sizeBytes: mebibyte })
    const device = await volumes.open('disk')
    assert.equal(await volumes.open('disk'), device)
    await device.write([pattern(512)], 512)
    await volumes.release('disk')
    await assert.rejects(device.write([pattern(512)], 512), { code: 'GONE' })
    assert.deepEqual(await contentOf(await volumes.open('disk'), 512, 512), pattern(512))
    await volumes.release('nothing')
  })

  test('are what the record says, whatever becomes of the records: not written, written and not answered', async () => {
    for (const outcome of ['lost', 'unanswered'] as const) {
      for (const title of Object.keys(changes) as (keyof typeof changes)[]) {
        const folder = newFolder()
        const records = new VolumeRecords()
        const metadata = memoryVolumeMetadata(records)
        const failing = failingMetadata(metadata, outcome)
        const volumes = await openVolumes({ folder, metadata: failing.metadata })
        await volumes.create({ name: 'disk', sizeBytes: mebibyte })
        const device = await volumes.open('disk')
        await device.write([pattern(mebibyte)], 0)
        await volumes.snapshot('disk', 'old')
        await device.write([pattern(4096, 2)], 4096)
        const expected = await contentOf(device)
        for (const failures of [1, 2]) {
          failing.failures = failures
          await fails('RECORDS_UNAVAILABLE', /test/, () => changes[title](volumes))
          failing.failures = 0
          const again = await openVolumes({ folder, metadata: memoryVolumeMetadata(records) })
          const opened = await again.open('disk')
          assert.deepEqual((await contentOf(opened)).subarray(0, mebibyte), expected, `${title}, ${outcome} ${failures} times`)
          for (const { name } of opened.record.snapshots) {
            const content = (await contentOf(await again.openSnapshot('disk', name))).subarray(0, mebibyte)
            assert.deepEqual(content, name === 'old' ? pattern(mebibyte) : expected, `${title}: ${name}`)
          }
          await again.close()
          // The first one claims it again.
          await volumes.release('disk').catch(() => undefined)
          await volumes.open('disk')
        }
        await volumes.close()
      }
    }
  })
})

const sharedMemory = (): (() => VolumeMetadata) => {
  const records = new VolumeRecords()
  return () => memoryVolumeMetadata(records)
}

let snapshots = 0
const changes = {
  snapshot: (volumes: VolumeManager) => volumes.snapshot('disk', `s${++snapshots}`),
  resize: async (volumes: VolumeManager) => volumes.resize('disk', (await volumes.get('disk')).sizeBytes + mebibyte),
  deleteSnapshot: (volumes: VolumeManager) => volumes.deleteSnapshot('disk', 'old'),
} as const

/** Saves that fail, so many times. */
const failingMetadata = (metadata: VolumeMetadata, outcome: 'lost' | 'unanswered'): { metadata: VolumeMetadata; failures: number } => {
  const failing = {
    failures: 0,
    metadata: {
      ...metadata,
      save: async (record: Parameters<VolumeMetadata['save']>[0]): Promise<void> => {
        const isFailing = failing.failures > 0
        if (isFailing) failing.failures--
        if (!isFailing || outcome === 'unanswered') await metadata.save(record)
        if (isFailing) throw new VolumeError('RECORDS_UNAVAILABLE', 'test')
      },
    },
  }
  return failing
}
