/** Atomic writes and crashes: whatever is left in the journal and in place, a volume that is opened has all of a write, or nothing of it. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, describe, test } from 'node:test'
import { unsupportedReason } from '@holdfast/posix'
import { assertSame, contentOf, fails, filled, pattern } from '../compliance/scope.ts'
import { headerBytes, slotBytes } from './atomic-entry.ts'
import { journalBytes } from './atomic-journal.ts'
import { VolumeRecords, memoryVolumeMetadata, openVolumes } from './index.ts'
import type { NewVolume, StepHook, VolumeManager } from './index.ts'

const sectorBytes = 512
const partitionBytes = 65_536
const sizeBytes = 2 * partitionBytes
const old = pattern(sizeBytes)
/** Over the end of a partition, from the middle of a block to the middle of another. */
const offset = partitionBytes - 4608
const data = pattern(9728, 77)
const written = Buffer.from(old)
data.copy(written, offset)

const newFolder = (): string => {
  const folder = fs.mkdtempSync(path.join(fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir(), 'holdfast-atomic-'))
  after(() => fs.rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A volume with an atomic write that was going to be written in place when its process ended. */
class Interrupted {
  readonly #folder = newFolder()
  readonly #records = new VolumeRecords()

  static async make({ isLayered }: { isLayered: boolean }): Promise<Interrupted> {
    const made = new Interrupted()
    await using volumes = await made.open()
    await volumes.create({ name: 'disk', sizeBytes, partitionBytes, pageBytes: 65_536 })
    const device = await volumes.open('disk')
    await device.write([old], 0)
    if (isLayered) await volumes.snapshot('disk', 'one')
    return made
  }

  get folder(): string {
    return path.join(this.#folder, this.#records.byName.get('disk')!.id)
  }

  get #journal(): string {
    return path.join(this.folder, 'journal')
  }

  open(onStep?: StepHook): Promise<VolumeManager> {
    return openVolumes({ folder: this.#folder, metadata: memoryVolumeMetadata(this.#records), ...(onStep && { onStep }) })
  }

  /** The write begins, and nobody goes on when its entry is there. Resolves to what is in the slot, from the beginning of the data. */
  async interrupt(): Promise<Buffer> {
    let stopped = (): void => {}
    const isStopped = new Promise<void>(resolve => (stopped = resolve))
    const volumes = await this.open(step => {
      if (step !== 'write in place') return
      stopped()
      return new Promise<void>(() => {})
    })
    void (await volumes.open('disk')).write([data], offset, { isAtomic: true })
    await isStopped
    return fs.readFileSync(this.#journal).subarray(slotBytes - headerBytes - data.length, slotBytes)
  }

  /** What the power failure left: of the journal, of which the first `keptBytes` are there if that is told, and in place. */
  leave(entry: Buffer, { keptBytes = journalBytes, place }: { keptBytes?: number; place?: Buffer } = {}): void {
    const file = fs.openSync(this.#journal, 'w')
    fs.writeSync(file, entry, 0, entry.length, slotBytes - headerBytes - data.length)
    fs.ftruncateSync(file, keptBytes)
    fs.closeSync(file)
    if (place === undefined) return
    const { layers } = this.#records.byName.get('disk')!
    for (const partition of [0, 1]) {
      const target = fs.openSync(path.join(this.folder, `${partition}.${layers.at(-1)}`), 'r+')
      // Whole blocks, as they are written.
      const [begin, end] = partition === 0 ? [partitionBytes - 8192, partitionBytes] : [partitionBytes, partitionBytes + 8192]
      fs.writeSync(target, place, begin, end - begin, begin - partition * partitionBytes)
      fs.closeSync(target)
    }
  }

  /** What is there when the volume has been opened, twice: what was done again is not done again. */
  async content(): Promise<Buffer> {
    const contents: Buffer[] = []
    for (let times = 0; times < 2; times++) {
      await using volumes = await this.open()
      contents.push(await contentOf(await volumes.open('disk')))
      assert.deepEqual(fs.existsSync(this.#journal), false)
    }
    assert.ok(contents[0].equals(contents[1]))
    return contents[0]
  }

  async reset(): Promise<void> {
    await using volumes = await this.open()
    const device = await volumes.open('disk')
    await device.write([old.subarray(offset, offset + data.length)], offset)
  }
}

describe('an atomic write and a power failure', { skip: unsupportedReason ?? false }, () => {
  for (const isLayered of [false, true]) {
    const where = isLayered ? 'over a snapshot' : 'in place'

    test(`${where}: an entry that is torn at any sector, in any way, never was`, async () => {
      const volume = await Interrupted.make({ isLayered })
      const entry = await volume.interrupt()
      const noise = pattern(entry.length, 200)
      const firstOfHeader = data.length
      for (let cut = 0; cut <= entry.length; cut += sectorBytes) {
        const kept = entry.subarray(0, cut)
        const rest = entry.length - cut
        const one = Buffer.from(entry)
        noise.copy(one, cut, cut, Math.min(cut + sectorBytes, entry.length))
        const lost = Buffer.from(entry).fill(0, cut, Math.min(cut + sectorBytes, entry.length))
        const variants: Record<string, [Buffer, number?]> = {
          'cut off': [kept, slotBytes - rest],
          zeros: [Buffer.concat([kept, Buffer.alloc(rest)])],
          noise: [Buffer.concat([kept, noise.subarray(cut)])],
          'zeros before': [Buffer.concat([Buffer.alloc(cut), entry.subarray(cut)])],
          'one sector of noise': [one],
          'one sector lost': [lost],
        }
        for (const [title, [left, keptBytes]] of Object.entries(variants)) {
          volume.leave(left, { ...(keptBytes !== undefined && { keptBytes }) })
          // All but the header's first sector is padding.
          const length = firstOfHeader + sectorBytes
          const isWhole = left.length >= length && left.subarray(0, length).equals(entry.subarray(0, length))
          assertSame(await volume.content(), isWhole ? written : old, `${title} from ${cut} of ${entry.length}`)
          if (isWhole) await volume.reset()
        }
      }
    })

    test(`${where}: an entry that is whole happens, whatever is in place`, async () => {
      const volume = await Interrupted.make({ isLayered })
      const entry = await volume.interrupt()
      const mixtures: Buffer[] = []
      for (let cut = offset; cut <= offset + data.length; cut += sectorBytes) {
        mixtures.push(Buffer.concat([written.subarray(0, cut), old.subarray(cut)]), Buffer.concat([old.subarray(0, cut), written.subarray(cut)]))
      }
      for (const step of [1, 2, 3]) {
        const mixed = Buffer.from(old)
        for (let at = offset; at < offset + data.length; at += (step + 1) * sectorBytes) written.copy(mixed, at, at, at + step * sectorBytes)
        mixtures.push(mixed)
      }
      for (const [index, place] of mixtures.entries()) {
        volume.leave(entry, { place })
        assertSame(await volume.content(), written, `mixture ${index}`)
      }
    })
  }
})

describe('a volume that cannot be written when it is opened', { skip: unsupportedReason ?? false }, () => {
  test('keeps what it has to do again', async () => {
    const volume = await Interrupted.make({ isLayered: false })
    await volume.interrupt()
    for (const partition of [0, 1]) {
      await using volumes = await volume.open(step => {
        if (step === `redo ${offset}`) makeReadOnly(path.join(volume.folder, `${partition}.0`))
      })
      await fails('FOLDER_UNUSABLE', () => volumes.open('disk'))
    }
    assertSame(await volume.content(), written, 'after opening again')
  })
})

const steps = ['write entry', 'write in place', 'clear entry'] as const

/** An atomic write that waits for `during` at a step. */
const duringWrite = async (
  at: (typeof steps)[number],
  during: (volumes: VolumeManager) => Promise<void>,
  { shape, onStep }: { shape: Partial<NewVolume>; onStep?: StepHook },
): Promise<VolumeManager> => {
  const volumes = await openVolumes({
    folder: newFolder(),
    metadata: memoryVolumeMetadata(),
    onStep: step => (step === at ? during(volumes) : onStep?.(step)),
  })
  await volumes.create({ name: 'disk', sizeBytes, ...shape })
  const device = await volumes.open('disk')
  await device.write([old], 0)
  await device.write([data], offset, { isAtomic: true })
  return volumes
}

/** Long enough for what does not wait to happen. */
const aWhile = async (): Promise<void> => {
  for (let turns = 0; turns < 100; turns++) await fs.promises.stat('.')
}

describe('during an atomic write', { skip: unsupportedReason ?? false }, () => {
  for (const at of steps) {
    test(`a snapshot that is asked for at the step "${at}" waits until it is over, and has all of it`, async () => {
      let taken: Promise<unknown> | undefined
      let isOver = true
      const during = async (volumes: VolumeManager): Promise<void> => {
        isOver = false
        taken = volumes.snapshot('disk', 'one')
        await aWhile()
        isOver = at === 'clear entry'
      }
      const onStep: StepHook = step => {
        if (step === 'clear entry') isOver = true
        if (step === 'save record') assert.ok(isOver, 'a snapshot is made of what is half written')
      }
      await using volumes = await duringWrite(at, during, { shape: { partitionBytes, pageBytes: 65_536 }, onStep })
      await taken
      assertSame(await contentOf(await volumes.openSnapshot('disk', 'one')), written, 'snapshot')
      assertSame(await contentOf(await volumes.open('disk')), written, 'device')
    })

    test(`at the step "${at}" what overlaps waits, what does not is done`, async () => {
      const order: string[] = []
      const waiting: Promise<void>[] = []
      const during = async (volumes: VolumeManager): Promise<void> => {
        const device = await volumes.open('disk')
        for (const place of [offset, offset + data.length - sectorBytes]) {
          assert.equal(device.readNow([Buffer.alloc(sectorBytes)], place), false)
          assert.equal(device.writeNow([Buffer.alloc(sectorBytes)], place), false)
        }
        const elsewhere = filled(sectorBytes, 9)
        assert.equal(device.writeNow([elsewhere], 0), true)
        const [first, last] = [Buffer.alloc(sectorBytes), filled(sectorBytes, 8)]
        waiting.push(
          device.read([first], offset).then(() => void order.push(`read ${first.equals(data.subarray(0, sectorBytes))}`)),
          device.write([last], offset).then(() => void order.push('write')),
          device.orWrite([filled(sectorBytes, 0xff)], offset + sectorBytes).then(() => void order.push('or')),
        )
        await device.read([elsewhere], 0)
        await aWhile()
        assert.deepEqual(order, [])
      }
      await using volumes = await duringWrite(at, during, { shape: {} })
      await Promise.all(waiting)
      assert.deepEqual(order.toSorted(), ['or', 'read true', 'write'])
      const expected = Buffer.from(written)
      expected.fill(9, 0, sectorBytes).fill(8, offset, offset + sectorBytes)
      expected.fill(0xff, offset + sectorBytes, offset + 2 * sectorBytes)
      assertSame(await contentOf(await volumes.open('disk')), expected, 'device')
    })
  }
})

/** A file that this process has open to write becomes one that it can only read. */
const makeReadOnly = (file: string): void => {
  const targetOf = (fd: string): string | undefined => {
    try {
      return fs.readlinkSync(`/proc/self/fd/${fd}`)
    } catch {
      return undefined // it was that of reading the list
    }
  }
  for (const fd of fs.readdirSync('/proc/self/fd').filter(each => targetOf(each) === file)) {
    fs.closeSync(Number(fd))
    const opened = [fs.openSync(file, 'r')]
    while (opened.at(-1)! < Number(fd)) opened.push(fs.openSync(file, 'r'))
    assert.equal(opened.pop(), Number(fd))
    for (const spare of opened) fs.closeSync(spare)
  }
}

describe('an atomic write and a medium that fails', { skip: unsupportedReason ?? false }, () => {
  const withFailure = async (
    failure: { at: string; file: string },
    run: (volumes: VolumeManager, write: () => Promise<void>, steps: string[]) => Promise<void>,
  ): Promise<void> => {
    const folder = newFolder()
    const records = new VolumeRecords()
    let isArmed = true
    const taken: string[] = []
    const onStep: StepHook = step => {
      taken.push(step)
      if (step !== failure.at || !isArmed) return
      isArmed = false
      makeReadOnly(path.join(folder, records.byName.get('disk')!.id, failure.file))
    }
    await using volumes = await openVolumes({ folder, metadata: memoryVolumeMetadata(records), onStep })
    await volumes.create({ name: 'disk', sizeBytes, partitionBytes, pageBytes: 65_536 })
    const device = await volumes.open('disk')
    await device.write([old], 0)
    await run(volumes, () => device.write([data], offset, { isAtomic: true }), taken)
    assert.equal(isArmed, false)
  }

  for (const file of ['0.0', '1.0'])
    test(`of the partition ${file}: nothing is written`, async () => {
      await withFailure({ at: 'write in place', file }, async (volumes, write) => {
        await fails('WRITE_FAILED', write)
        assertSame(await contentOf(await volumes.open('disk')), old, 'after the failure')
        await volumes.release('disk')
        assertSame(await contentOf(await volumes.open('disk')), old, 'after opening again')
      })
    })

  test('of the journal, when it has happened: the device is gone, and the volume that is opened anew has all of it', async () => {
    await withFailure({ at: 'clear entry', file: 'journal' }, async (volumes, write, taken) => {
      const gone = await volumes.open('disk')
      await fails('WRITE_FAILED', write)
      await fails('GONE', () => gone.write([filled(512, 1)], offset))
      await fails('GONE', () => gone.read([filled(512, 1)], offset))
      assert.deepEqual([gone.writeNow([filled(512, 1)], offset), gone.readNow([filled(512, 1)], offset)], [false, false])
      const device = await volumes.open('disk')
      assert.ok(taken.includes(`redo ${offset}`))
      assertSame(await contentOf(device), written, 'after opening again')
      await device.write([old], 0, { isAtomic: true })
      assertSame(await contentOf(device), old, 'after another one')
    })
  })

  test('of the journal, before: nothing is written', async () => {
    await withFailure({ at: 'write entry', file: 'journal' }, async (volumes, write) => {
      await fails('WRITE_FAILED', write)
      assertSame(await contentOf(await volumes.open('disk')), old, 'after the failure')
    })
  })
})

describe('an atomic write and SIGKILL', { skip: unsupportedReason ?? false }, () => {
  test('at any time: the next process finds what the last one had been told is written, or all of what came after it', async () => {
    const folder = newFolder()
    const child = path.join(import.meta.dirname, 'test-support/atomic-child.ts')
    let last = 0
    for (let round = 1; round <= 6; round++) {
      const process_ = spawn(process.execPath, [child, folder], { stdio: ['ignore', 'pipe', 'inherit'] })
      let output = ''
      process_.stdout.setEncoding('utf8').on('data', (text: string) => {
        output += text
        if (output.split('\n').length > 3 * round) process_.kill('SIGKILL')
      })
      const [status, signal] = (await once(process_, 'close')) as [number | null, NodeJS.Signals | null]
      assert.equal(signal, 'SIGKILL', `status ${status}: ${output}`)
      const values = output.trim().split('\n').map(Number)
      assert.ok(values[0] === last || values[0] === last + 1, `found ${values[0]} after ${last}`)
      last = values.at(-1)!
    }
    assert.ok(last > 6)
  })
})
