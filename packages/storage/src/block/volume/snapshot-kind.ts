/** How a filesystem can keep a state of a file: found out by doing it. */
import { randomUUID } from 'node:crypto'
import fs from 'node:fs/promises'
import path from 'node:path'
import { statFilesystem } from '@holdfast/posix'
import { BackingFile } from './backing-file.ts'
import type { SnapshotKind } from './record.ts'
import { cloneWhole } from './volume-files.ts'

const smallestBlockBytes = 4096
const largestBlockBytes = 65_536
const probeBytes = 1 << 20

/** What `findSnapshotKind` found. */
export interface SnapshotAbility {
  readonly kind: SnapshotKind
  /** What a layer has or has not. */
  readonly blockBytes: number
}

/**
 * Clones, where two files can share blocks. Layers, where the filesystem tells exactly which blocks of a sparse file were written, also where
 * zeros were; where it keeps pieces smaller than a block of 4 KiB, a write that fails for want of space could leave zeros around it.
 */
export const findSnapshotKind = async (folder: string): Promise<SnapshotAbility> => {
  const paths = ['a', 'b'].map(which => path.join(folder, `probe-${randomUUID()}-${which}`))
  try {
    await using source = await fs.open(paths[0], 'w+')
    await using target = await fs.open(paths[1], 'w+')
    await source.truncate(2 * probeBytes)
    await source.write(Buffer.alloc(smallestBlockBytes), 0, smallestBlockBytes, probeBytes)
    if (await cloneWhole(source.fd, target.fd)) return { kind: 'clones', blockBytes: smallestBlockBytes }
    await source.sync()
    const blockBytes = await writtenBytes(paths[0])
    const filesystem = statFilesystem(source.fd)
    const isExact = blockBytes !== undefined && typeof filesystem !== 'number' && filesystem.unitBytes >= smallestBlockBytes
    return isExact ? { kind: 'layers', blockBytes } : { kind: 'none', blockBytes: smallestBlockBytes }
  } finally {
    for (const probe of paths) await fs.rm(probe, { force: true })
  }
}

/** How much counts as written around the one block that was; undefined where it is not just a block. */
const writtenBytes = async (file: string): Promise<number | undefined> => {
  const probe = new BackingFile(file)
  try {
    const before = await probe.runAt(0, 2 * probeBytes)
    if (before.isData || before.end !== probeBytes) return undefined
    const written = await probe.runAt(probeBytes, 2 * probeBytes)
    const bytes = written.end - probeBytes
    const isBlock = written.isData && bytes >= smallestBlockBytes && bytes <= largestBlockBytes && Math.log2(bytes) % 1 === 0
    return isBlock ? bytes : undefined
  } finally {
    await probe.close()
  }
}
