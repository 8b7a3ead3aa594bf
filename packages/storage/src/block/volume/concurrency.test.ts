import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, describe, test } from 'node:test'
import * as fc from 'fast-check'
import { unsupportedReason } from '@holdfast/posix'
import type { BlockDevice } from '../block-device.ts'
import { assertSame, contentOf, filled, pattern } from '../compliance/scope.ts'
import { VolumeRecords, memoryVolumeMetadata, openVolumes } from './index.ts'
import type { StepHook, VolumeManager } from './index.ts'

const mebibyte = 1 << 20
const shape = { sizeBytes: mebibyte, partitionBytes: 262_144, pageBytes: 65_536 }

const newFolder = (): string => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-concurrency-'))
  after(() => fs.rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A request, and what it makes of the model; resolves to what it read, or to where it found a difference. */
interface Request {
  readonly run: (device: BlockDevice) => Promise<unknown>
  readonly model: (content: Buffer) => unknown
}

const sectors = mebibyte / 512
const range = fc
  .record({ first: fc.nat(sectors - 1), count: fc.oneof(fc.integer({ min: 1, max: 16 }), fc.integer({ min: 1, max: 600 })) })
  // Near the ends of partitions as a rule, so that much overlaps.
  .map(({ first, count }) => ({ offset: (first % 3 === 0 ? first : 480 + (first % 64)) * 512, lengthBytes: count * 512 }))
  .map(({ offset, lengthBytes }) => ({ offset, lengthBytes: Math.min(lengthBytes, mebibyte - offset) }))

const request: fc.Arbitrary<Request> = fc
  .record({
    range,
    value: fc.integer({ min: 1, max: 254 }),
    kind: fc.constantFrom('write', 'now', 'durable', 'read', 'unmap', 'zero', 'or', 'compare'),
  })
  .map(({ range: { offset, lengthBytes }, value, kind }) => {
    const bytes = filled(lengthBytes, value)
    const end = offset + lengthBytes
    const put = (content: Buffer): void => void content.fill(value, offset, end)
    const requests: Record<typeof kind, Request> = {
      write: { run: device => device.write([bytes], offset), model: put },
      now: { run: async device => void (device.writeNow([bytes], offset) || (await device.write([bytes], offset))), model: put },
      durable: { run: device => device.write([bytes], offset, { isDurable: true }), model: put },
      read: {
        run: async device => {
          const into = [Buffer.alloc(lengthBytes)]
          if (!device.readNow(into, offset)) await device.read(into, offset)
          return into[0]
        },
        model: content => Buffer.from(content.subarray(offset, end)),
      },
      unmap: { run: device => device.unmap(offset, lengthBytes), model: content => void content.fill(0, offset, end) },
      zero: { run: device => device.zero(offset, lengthBytes), model: content => void content.fill(0, offset, end) },
      or: {
        run: device => device.orWrite([bytes], offset),
        model: content => {
          for (let at = offset; at < end; at++) content[at] |= value
        },
      },
      compare: {
        // Two values: one of them may well be there.
        run: device => device.compareAndWrite([filled(lengthBytes, 0)], [bytes], offset),
        model: content => {
          const mismatchAt = content.subarray(offset, end).findIndex(byte => byte !== 0)
          if (mismatchAt === -1) put(content)
          return mismatchAt
        },
      },
    }
    return requests[kind]
  })

const endless: StepHook = () => new Promise<void>(() => {})

describe('volumes under concurrent requests', { skip: unsupportedReason ?? false }, () => {
  for (const isLayered of [false, true]) {
    test(`requests at the same time are answered as if one came after the other${isLayered ? ', over a snapshot' : ''}`, async () => {
      await using volumes = await openVolumes({ folder: newFolder(), metadata: memoryVolumeMetadata() })
      await volumes.create({ name: 'disk', ...shape })
      const device = await volumes.open('disk')
      const model = pattern(mebibyte)
      await device.write([model], 0)
      if (isLayered) await volumes.snapshot('disk', 'one')
      await fc.assert(
        fc.asyncProperty(fc.array(request, { maxLength: 12 }), async requests => {
          const expected = requests.map(one => one.model(model))
          const results = await Promise.all(requests.map(one => one.run(device)))
          assert.deepEqual(results, expected)
          assertSame(await contentOf(device), model, 'afterwards')
        }),
        // What was written stays: a smaller example would begin with something else.
        { numRuns: 150, endOnFailure: true },
      )
    })
  }

  test('sectors of blocks that a layer does not have yet are written at the same time, and all of them are there', async () => {
    await using volumes = await openVolumes({ folder: newFolder(), metadata: memoryVolumeMetadata() })
    await volumes.create({ name: 'disk', ...shape })
    const device = await volumes.open('disk')
    const model = pattern(mebibyte)
    await device.write([model], 0)
    for (let round = 1; round <= 5; round++) {
      await volumes.snapshot('disk', `s${round}`)
      const places = Array.from({ length: 64 }, (_, index) => 40_960 + index * 512)
      const bytes = pattern(64 * 512, round)
      const writes = places.map((place, index) => ({ place, part: [bytes.subarray(index * 512, index * 512 + 512)] }))
      await Promise.all(writes.map(({ place, part }, index) => device.write(part, place, { isDurable: index % 3 === round % 3 })))
      bytes.copy(model, 40_960)
      assertSame(await contentOf(device), model, `round ${round}`)
    }
  })

  test('what is written and unmapped while a snapshot is deleted is there, now and when it is opened again', async () => {
    const records = new VolumeRecords()
    const folder = newFolder()
    const volumes = await openVolumes({ folder, metadata: memoryVolumeMetadata(records) })
    await volumes.create({ name: 'disk', ...shape })
    const device = await volumes.open('disk')
    const model = pattern(mebibyte)
    await device.write([model], 0)
    for (const name of ['a', 'b', 'c']) {
      await volumes.snapshot('disk', name)
      await device.write([filled(mebibyte / 2, name.charCodeAt(0))], mebibyte / 4)
      model.fill(name.charCodeAt(0), mebibyte / 4, (mebibyte * 3) / 4)
    }
    let value = 0
    const disturb = async (isOver: () => boolean): Promise<void> => {
      while (!isOver()) {
        const offset = ((++value * 37) % 250) * 4096 + 512 * (value % 8)
        const bytes = filled(512 * (1 + (value % 20)), value % 255)
        if (value % 3 > 0 || !device.writeNow([bytes], offset)) await device.write([bytes], offset, { isDurable: value % 5 === 0 })
        bytes.copy(model, offset)
        const gone = ((value * 101) % 250) * 4096
        await device.unmap(gone, 4096 + 512)
        model.fill(0, gone, gone + 4608)
        assertSame(await contentOf(device), model, `step ${value}`)
      }
    }
    for (const name of ['b', 'c', 'a']) {
      let isOver = false
      const before = value
      const deleting = volumes.deleteSnapshot('disk', name).finally(() => (isOver = true))
      await disturb(() => isOver)
      await deleting
      assert.ok(value > before, 'something happened meanwhile')
      assertSame(await contentOf(device), model, `without ${name}`)
    }
    assert.deepEqual(records.byName.get('disk')?.layers, [0])
    await volumes.close()
    await using again = await openVolumes({ folder, metadata: memoryVolumeMetadata(records) })
    assertSame(await contentOf(await again.open('disk')), model, 'opened again')
  })

  test('a merge that a crash has interrupted goes on when the volume is opened', async t => {
    const records = new VolumeRecords()
    const folder = newFolder()
    const open = (onStep?: StepHook): Promise<VolumeManager> =>
      openVolumes({ folder, metadata: memoryVolumeMetadata(records), ...(onStep && { onStep }) })
    const merging = new Promise<void>((resolve, reject) => {
      void (async () => {
        let isDeleting = false
        const volumes = await open(step => {
          if (!isDeleting || !step.startsWith('punch')) return undefined
          resolve()
          return endless(step)
        })
        await volumes.create({ name: 'disk', ...shape })
        const device = await volumes.open('disk')
        await volumes.snapshot('disk', 'one')
        await device.write([pattern(mebibyte)], 0)
        isDeleting = true
        await volumes.deleteSnapshot('disk', 'one')
        resolve()
      })().catch(reject)
    })
    await merging
    if (records.byName.get('disk')?.snapshotKind !== 'layers') return t.skip('snapshots are no layers here')
    assert.deepEqual(records.byName.get('disk')?.layers, [0, 1])
    await using again = await open()
    assertSame(await contentOf(await again.open('disk')), pattern(mebibyte), 'while it is merged')
    // What changes the volume waits for it.
    await again.resize('disk', 2 * mebibyte)
    const { layers, mergingLayer, id } = records.byName.get('disk')!
    assert.deepEqual([layers, mergingLayer], [[0], undefined])
    assert.equal(
      fs.readdirSync(path.join(folder, id)).some(name => name.endsWith('.1')),
      false,
    )
    assertSame((await contentOf(await again.open('disk'))).subarray(0, mebibyte), pattern(mebibyte), 'merged')
  })
})
