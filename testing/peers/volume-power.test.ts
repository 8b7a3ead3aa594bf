/** Volumes and the power: a filesystem that is shut down without writing anything back, and mounted again. */
import assert from 'node:assert/strict'
import { closeSync, fsyncSync, mkdirSync, mkdtempSync, openSync, readdirSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { contentOf } from '../../packages/storage/src/block/compliance/scope.ts'
import { VolumeSubject } from '../../packages/storage/src/block/volume/test-support/subject.ts'
import { mustRun, runCommand } from './command.ts'
import { temporaryFolder } from './folder.ts'
import type { TemporaryFolder } from './folder.ts'
import { missing } from './packages.ts'
import type { PeerName } from './packages.ts'

const sectorBytes = 512
const mebibyte = 1024 * 1024
const sizeBytes = 2 * mebibyte
const shape = { sizeBytes, partitionBytes: 1 << 20, pageBytes: 65_536 }
const rounds = 8
const stepsPerRound = 40

const filesystems: readonly { name: string; program: PeerName; options: readonly string[] }[] = [
  { name: 'ext4', program: 'mkfs.ext4', options: ['-q'] },
  { name: 'XFS', program: 'mkfs.xfs', options: ['-q'] },
  { name: 'XFS that cannot clone', program: 'mkfs.xfs', options: ['-q', '-m', 'reflink=0'] },
]

/** The kernel puts on the disk what it likes, when it likes: here a file of the volume, and none of the others. */
function writeBackSomeFile(folder: string, below: (limit: number) => number): void {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
  const { parentPath, name } = files[below(files.length)]
  const fd = openSync(join(parentPath, name), 'r')
  fsyncSync(fd)
  closeSync(fd)
}

/** For each sector what it may hold: what it held when the last flush began, and all that was written since. */
class Model {
  readonly #now: Uint8Array
  readonly #allowed: Set<number>[]

  constructor(sectors: number) {
    this.#now = new Uint8Array(sectors)
    this.#allowed = Array.from(this.#now, value => new Set([value]))
  }

  write(offset: number, lengthBytes: number, value: number): void {
    for (let at = offset / sectorBytes; at < (offset + lengthBytes) / sectorBytes; at++) {
      this.#now[at] = value
      this.#allowed[at].add(value)
    }
  }

  flushed(offset = 0, lengthBytes = this.#now.length * sectorBytes): void {
    for (let at = offset / sectorBytes; at < (offset + lengthBytes) / sectorBytes; at++) this.#allowed[at] = new Set([this.#now[at]])
  }

  /** What is found, is from now on. */
  take(content: Buffer): void {
    for (let sector = 0; sector < this.#now.length; sector++) {
      const bytes = content.subarray(sector * sectorBytes, (sector + 1) * sectorBytes)
      const value = bytes[0]
      assert.ok(
        bytes.every(byte => byte === value),
        `sector ${sector} is torn`,
      )
      assert.ok(this.#allowed[sector].has(value), `sector ${sector} has ${value}, and may have ${[...this.#allowed[sector]].join(', ')}`)
      this.#now[sector] = value
    }
    this.flushed()
  }
}

for (const { name, program, options } of filesystems) {
  describe(`the power fails, volumes on ${name}`, { skip: missing('root', 'mount', 'mkfs.xfs', program) }, () => {
    let folder: TemporaryFolder
    let cannot: string | undefined

    const mount = (): ReturnType<typeof runCommand> => runCommand('mount', ['-o', 'loop', folder.at('image'), folder.at('mounted')])

    before(async () => {
      folder = temporaryFolder('power', { needBytes: 1024 * mebibyte })
      mkdirSync(folder.at('mounted'))
      writeFileSync(folder.at('image'), '')
      truncateSync(folder.at('image'), 512 * mebibyte)
      await mustRun(program, [...options, folder.at('image')])
      const { status, stderr } = await mount()
      if (status !== 0) cannot = `this machine does not mount it: ${stderr.trim()}`
    })
    after(async () => {
      if (cannot === undefined) await mustRun('umount', ['-l', folder.at('mounted')])
      await folder[Symbol.asyncDispose]()
    })

    /** Nothing that is not on the disk comes there any more (FS_IOC_SHUTDOWN without a flush of the log). */
    const failPower = async (subject: VolumeSubject): Promise<void> => {
      await mustRun('xfs_io', ['-x', '-c', 'shutdown', folder.at('mounted')])
      await subject.closeFiles()
      await mustRun('umount', [folder.at('mounted')])
      await mustRun('mount', ['-o', 'loop', folder.at('image'), folder.at('mounted')])
    }

    for (const checksums of [false, true])
      test(
        `what was flushed is there, what was not is old or new, sector by sector${checksums ? '; with checksums' : ''}`,
        { timeout: 300_000 },
        async t => {
          if (cannot !== undefined) return t.skip(cannot)
          await using subject = await VolumeSubject.make(mkdtempSync(folder.at('mounted', 'v-')), { ...shape, options: { checksums } })
          const model = new Model(sizeBytes / sectorBytes)
          await subject.device.write([Buffer.alloc(sizeBytes, 1)], 0, { isDurable: true })
          model.write(0, sizeBytes, 1)
          model.flushed()
          await subject.snapshot('first')
          let seed = 1
          const below = (limit: number): number => {
            seed = (seed * 48_271) % 0x7fff_ffff
            return seed % limit
          }
          for (let round = 0; round < rounds; round++) {
            for (let step = 0; step < stepsPerRound; step++) {
              const lengthBytes = sectorBytes * (1 + below(below(3) === 0 ? 400 : 24))
              const offset = sectorBytes * below((sizeBytes - lengthBytes) / sectorBytes + 1)
              const value = 1 + below(254)
              const what = below(24)
              if (what < 9) {
                model.write(offset, lengthBytes, value)
                const bytes = [Buffer.alloc(lengthBytes, value)]
                const isDurable = what < 2
                if (isDurable || !subject.device.writeNow(bytes, offset)) await subject.device.write(bytes, offset, { isDurable })
                if (isDurable) model.flushed(offset, lengthBytes)
              } else if (what < 12) {
                model.write(offset, lengthBytes, 0)
                await subject.device[what < 11 ? 'unmap' : 'zero'](offset, lengthBytes)
              } else if (what < 14) {
                await subject.device.flush()
                model.flushed()
              } else if (what === 14) {
                await subject.snapshot(`s${round}.${step}`)
              } else if (what === 15) await subject.reopen(false)
              else writeBackSomeFile(subject.folder, below)
            }
            // Whoever opens it after its process has ended answers for what that one wrote.
            if (round % 2 === 1) {
              const device = await subject.reopen(false)
              await device.flush()
              model.flushed()
            }
            await failPower(subject)
            model.take(await contentOf(await subject.reopen(false)))
            const [oldest] = subject.snapshots
            if (round % 3 === 2 && oldest !== undefined) await subject.deleteSnapshot(oldest)
          }
        },
      )
  })
}
