/** What a volume costs per request: `node packages/storage/src/block/volume/volume.bench.ts [folder]`. */
import fs from 'node:fs'
import path from 'node:path'
import { preadVector, pwriteVector, RWF_NOWAIT } from '@holdfast/posix'
import { memoryVolumeMetadata, openVolumes } from './index.ts'

const parent = process.argv[2] ?? '/dev/shm'
const folder = fs.mkdtempSync(path.join(parent, 'holdfast-volume-bench-'))
const mebibyte = 1 << 20
const fileBytes = 64 * mebibyte
const volumes = await openVolumes({ folder, metadata: memoryVolumeMetadata() })

/** Median of several rounds: others use the machine as well. CPU time, not time. */
const time = async (title: string, count: number, run: (i: number) => unknown, before?: () => Promise<void>): Promise<void> => {
  const rounds: number[] = []
  for (let round = 0; round < 7; round++) {
    await before?.()
    const begin = process.cpuUsage()
    for (let i = 0; i < count; i++) {
      const result = run(i)
      if (result instanceof Promise) await result
    }
    const { user, system } = process.cpuUsage(begin)
    rounds.push(((user + system) * 1000) / count)
  }
  rounds.sort((a, b) => a - b)
  console.log(`${title.padEnd(60)} ${rounds[3].toFixed(0).padStart(7)} ns (least ${rounds[0].toFixed(0)})`)
}

const must = (isDone: boolean): void => {
  if (!isDone) throw new Error('it was not done at once')
}

try {
  const shared = new SharedArrayBuffer(2 * mebibyte)
  const page = [Buffer.from(shared, 8192, 4096)]
  const pieces = Array.from({ length: 16 }, (_, index) => Buffer.from(shared, index * 8192, 4096))
  const megabyte = [Buffer.from(shared, 0, mebibyte)]
  const place = (i: number): number => ((i * 7919) % (fileBytes / 4096 - 256)) * 4096

  await volumes.create({ name: 'flat', sizeBytes: fileBytes })
  await volumes.create({ name: 'parts', sizeBytes: fileBytes, partitionBytes: 8 * mebibyte })
  await volumes.create({ name: 'layered', sizeBytes: fileBytes })
  await volumes.create({ name: 'checked', sizeBytes: fileBytes, options: { checksums: true } })
  for (const name of ['flat', 'parts', 'layered', 'checked']) {
    const device = await volumes.open(name)
    for (let at = 0; at < fileBytes; at += mebibyte) await device.write(megabyte, at)
    if (name === 'layered') {
      await volumes.snapshot(name, 'one').catch(() => undefined) // tmpfs and ext4 have layers; elsewhere it is flat
      for (let at = 0; at < fileBytes; at += 2 * mebibyte) await device.write(megabyte, at)
    }
    await time(`${name}: readNow of 4 KiB`, 100_000, i => must(device.readNow(page, place(i))))
    const flush = (): Promise<void> => device.flush()
    await time(`${name}: writeNow of 4 KiB`, 15_000, i => must(device.writeNow(page, place(i))), flush)
    await device.flush()
  }
  const device = await volumes.open('flat')
  const fd = fs.openSync(path.join(folder, device.record.id, '0.0'), 'r+')
  const isInMemory = preadVector(fd, page, 0, RWF_NOWAIT) < 0
  await time('system call: preadv2 of 4 KiB', 100_000, i => preadVector(fd, page, place(i), isInMemory ? 0 : RWF_NOWAIT))
  await time('system call: pwritev2 of 4 KiB', 15_000, i => pwriteVector(fd, page, place(i)))
  for (const name of ['flat', 'checked']) {
    const disk = await volumes.open(name)
    const flush = (): Promise<void> => disk.flush()
    await time(`${name}: readNow of 64 KiB in 16 buffers`, 20_000, i => must(disk.readNow(pieces, place(i))))
    await time(`${name}: writeNow of 64 KiB in 16 buffers`, 900, i => must(disk.writeNow(pieces, place(i))), flush)
  }
  await time('flat: readNow of 1 MiB', 1000, i => must(device.readNow(megabyte, place(i))))
  await time('flat: read of 4 KiB (thread pool)', 5000, i => device.read(page, place(i)))
  await time('flat: write of 4 KiB (thread pool)', 5000, i => device.write(page, place(i)))
  await time('flat: compareAndWrite of 512 bytes', 5000, i =>
    device.compareAndWrite([page[0].subarray(0, 512)], [page[0].subarray(0, 512)], place(i)),
  )
  fs.closeSync(fd)
} finally {
  await volumes.close()
  fs.rmSync(folder, { recursive: true })
}
