import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, describe, test } from 'node:test'
import { unsupportedReason } from '@holdfast/posix'
import { BlockDeviceError } from '../block-device.ts'
import type { BlockWriteOptions } from '../block-device.ts'
import { fails, filled, pattern } from '../compliance/scope.ts'
import { memoryDevice } from '../memory-device.ts'
import { maximumDataBytes } from './atomic-entry.ts'
import { AtomicJournal, journalBytes, readEntries } from './atomic-journal.ts'
import { BackingFile } from './backing-file.ts'
import { RoutedVolume } from './routed-volume.ts'
import type { Partition } from './routed-volume.ts'

/** A file whose writes fail when that is asked for; `afterwards`: when all has been written. */
class FailingFile extends BackingFile {
  readonly failures: ('before' | 'afterwards' | undefined)[] = []
  writes = 0

  override async write(...given: Parameters<BackingFile['write']>): Promise<void> {
    this.writes++
    const failure = this.failures.shift()
    if (failure !== 'before') await super.write(...given)
    if (failure !== undefined) throw new BlockDeviceError('WRITE_FAILED')
  }
}

/** A journal in a file, and what it says. */
const newJournal = (): { journal: AtomicJournal; file: FailingFile; steps: string[]; isTorn: () => boolean; sequences: () => Promise<number[]> } => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-journal-'))
  after(() => fs.rmSync(folder, { recursive: true }))
  const name = path.join(folder, 'journal')
  fs.writeFileSync(name, '')
  fs.truncateSync(name, journalBytes)
  const file = new FailingFile(name)
  const steps: string[] = []
  let isTorn = false
  const journal = new AtomicJournal({ make: async () => file, onStep: step => void steps.push(step), onTorn: () => (isTorn = true) })
  const sequences = async (): Promise<number[]> => (await readEntries(file)).map(({ sequence }) => sequence)
  return { journal, file, steps, isTorn: () => isTorn, sequences }
}

const inPlace = async (): Promise<undefined> => undefined

describe('the journal of atomic writes', { skip: unsupportedReason ?? false }, () => {
  test('has an entry while it is written in place, and none before or afterwards', async () => {
    const { journal, file, steps } = newJournal()
    const data = [pattern(1000), pattern(24, 2), pattern(maximumDataBytes - 1024, 3)]
    assert.deepEqual(await readEntries(file), [])
    await journal.run({ offset: 2 ** 45 + 512, data }, async () => {
      assert.deepEqual(await readEntries(file), [{ sequence: 1, offset: 2 ** 45 + 512, data: [Buffer.concat(data)] }])
      return undefined
    })
    assert.deepEqual(await readEntries(file), [])
    assert.deepEqual(steps, ['write entry', 'write in place', 'clear entry'])
    await journal.close()
  })

  test('has as many entries at a time as it has slots, all whole, in the order of their beginning; others wait', async () => {
    const { journal, file } = newJournal()
    const gates: (() => void)[] = []
    let most = 0
    const runs = Array.from({ length: 50 }, (_, index) =>
      journal.run({ offset: index * 8192, data: [pattern(8192, index)] }, async () => {
        await new Promise<void>(resolve => gates.push(resolve))
        const entries = await readEntries(file)
        most = Math.max(most, entries.length)
        for (const { offset, data } of entries) assert.ok(data[0].equals(pattern(8192, offset / 8192)))
        const sequences = entries.map(({ sequence }) => sequence)
        assert.deepEqual(
          sequences,
          sequences.toSorted((a, b) => a - b),
        )
        return undefined
      }),
    )
    const all = Promise.all(runs)
    for (let done = 0; done < runs.length; done++) {
      while (gates.length < Math.min(16, runs.length - done)) await new Promise(setImmediate)
      assert.ok(gates.length <= 16)
      gates.shift()?.()
    }
    await all
    assert.ok(most > 1)
    assert.deepEqual(await readEntries(file), [])
    assert.equal(fs.statSync(`/proc/self/fd/${file.descriptors.data}`).size, journalBytes)
    await journal.close()
  })

  for (const when of ['before', 'afterwards'] as const) {
    test(`an entry whose writing fails ${when} is none, nothing is written in place, and the next one works`, async () => {
      const { journal, file, isTorn, sequences } = newJournal()
      file.failures.push(when)
      await fails('WRITE_FAILED', () => journal.run({ offset: 0, data: [pattern(8192)] }, () => assert.fail('written in place')))
      assert.deepEqual([await sequences(), isTorn(), file.writes], [[], false, when === 'before' ? 1 : 2])
      await journal.run({ offset: 0, data: [pattern(8192)] }, inPlace)
      assert.equal(isTorn(), false)
      await journal.close()
    })
  }

  test('an entry that may be there and cannot be cleared: nobody may go on', async () => {
    const { journal, file, isTorn, sequences } = newJournal()
    file.failures.push('afterwards', 'before')
    await fails('WRITE_FAILED', () => journal.run({ offset: 0, data: [pattern(8192)] }, () => assert.fail('written in place')))
    assert.deepEqual([await sequences(), isTorn()], [[1], true])
    await journal.close()
  })

  test('one that has happened and cannot be cleared: nobody may go on', async () => {
    const { journal, file, isTorn, sequences } = newJournal()
    file.failures.push(undefined, 'before')
    await fails('WRITE_FAILED', () => journal.run({ offset: 0, data: [pattern(8192)] }, inPlace))
    assert.deepEqual([await sequences(), isTorn()], [[1], true])
    await journal.close()
  })

  test('one that was refused is none any more, and the refusal is told', async () => {
    const { journal, isTorn, sequences } = newJournal()
    await fails('NO_SPACE', () => journal.run({ offset: 0, data: [pattern(8192)] }, async () => new BlockDeviceError('NO_SPACE')))
    assert.deepEqual([await sequences(), isTorn()], [[], false])
    await journal.close()
  })

  test('one that was written in part stays', async () => {
    const { journal, isTorn, sequences } = newJournal()
    await fails('WRITE_FAILED', () => journal.run({ offset: 0, data: [pattern(8192)] }, () => Promise.reject(new BlockDeviceError('WRITE_FAILED'))))
    assert.deepEqual([await sequences(), isTorn()], [[1], true])
    await journal.close()
  })
})

const halfBytes = 65_536

/** A partition that writes half of what it is given, and fails; the next `times` times. */
const failing = (times: number): { partition: Partition; left: () => number } => {
  const inner = memoryDevice({ sizeBytes: halfBytes })
  let left = times
  const partition: Partition = Object.create(inner, {
    readNow: { value: (into: Buffer[], offset: number) => inner.readNow(into, offset) },
    read: { value: (into: Buffer[], offset: number) => inner.read(into, offset) },
    writeNow: { value: () => false },
    write: {
      value: async (from: Buffer[], offset: number, _: BlockWriteOptions) => {
        const bytes = Buffer.concat(from)
        if (left === 0) return inner.write([bytes], offset)
        left--
        await inner.write([bytes.subarray(0, bytes.length / 2)], offset)
        throw new BlockDeviceError('NO_SPACE', { offset: offset + bytes.length / 2 })
      },
    },
  })
  return { partition, left: () => left }
}

describe('an atomic write of several partitions', { skip: unsupportedReason ?? false }, () => {
  const volumeOf = (journal: AtomicJournal, partitions: readonly Partition[]): RoutedVolume =>
    new RoutedVolume({
      sizeBytes: halfBytes * partitions.length,
      partitionBytes: halfBytes,
      partitionAt: index => partitions[index],
      atomicWrites: journal,
    })

  test('is undone in all of them where one has no space for it', async () => {
    const { journal, isTorn, sequences } = newJournal()
    const volume = volumeOf(journal, [memoryDevice({ sizeBytes: halfBytes }), memoryDevice({ sizeBytes: halfBytes }), failing(1).partition])
    const old = pattern(3 * halfBytes)
    await Promise.all([0, 1].map(index => volume.write([old.subarray(index * halfBytes, (index + 1) * halfBytes)], index * halfBytes)))
    old.fill(0, 2 * halfBytes)
    const refused = volume.write([filled(2 * halfBytes, 1)], halfBytes / 2, { isAtomic: true })
    await assert.rejects(refused, new BlockDeviceError('NO_SPACE', { offset: 2 * halfBytes + halfBytes / 4 }))
    const content = Buffer.alloc(3 * halfBytes)
    await volume.read([content], 0)
    assert.ok(content.equals(old))
    assert.deepEqual([await sequences(), isTorn()], [[], false])
    await volume.write([filled(2 * halfBytes, 1)], halfBytes / 2, { isAtomic: true })
    await volume.read([content], 0)
    assert.ok(content.equals(old.fill(1, halfBytes / 2, (5 * halfBytes) / 2)))
    await journal.close()
  })

  test('stays in the journal where that cannot be undone', async () => {
    const { journal, isTorn, sequences } = newJournal()
    const { partition, left } = failing(2)
    const volume = volumeOf(journal, [memoryDevice({ sizeBytes: halfBytes }), partition])
    await fails('NO_SPACE', () => volume.write([filled(2 * halfBytes, 1)], 0, { isAtomic: true }))
    assert.deepEqual([await sequences(), isTorn(), left()], [[1], true, 0])
    await journal.close()
  })

  test('goes to the journal where it is more than a page, or crosses into the next one', async () => {
    const { journal, steps } = newJournal()
    const volume = volumeOf(journal, [memoryDevice({ sizeBytes: halfBytes })])
    assert.equal(volume.maximumAtomicBytes, 1 << 20)
    for (const [offset, lengthBytes] of [
      [0, 4096],
      [3584, 512],
      [8192, 1024],
      [0, 0],
    ])
      await volume.write([filled(lengthBytes, 1)], offset, { isAtomic: true })
    await volume.write([filled(8192, 1)], 0)
    assert.deepEqual(steps, [])
    await volume.write([filled(1024, 1)], 3584, { isAtomic: true })
    await volume.write([filled(4608, 1)], 0, { isAtomic: true })
    assert.equal(steps.length, 6)
    await journal.close()
  })
})
