/** The files of one volume: `<folder>/<id>/<partition>.<layer>`, what belongs to each of these, and the journal of its atomic writes. */
import fs from 'node:fs/promises'
import path from 'node:path'
import { cloneFileRangeAsync, errno, orThrow } from '@holdfast/posix'
import { VolumeError } from './errors.ts'
import type { StepHook } from './manager.ts'

/** Where a volume is, and who wants to know each step. */
export interface VolumeFilesOptions {
  readonly folder: string
  readonly id: string
  readonly onStep: StepHook
}

/** A layer's bytes, the map of its blocks that are valid, its checksums. */
export type LayerPart = 'data' | 'map' | 'sums'

/** A file of a layer. */
export interface LayerFileName {
  readonly partition: number
  readonly layer: number
  readonly part?: LayerPart
}

/** A file to be made. */
export interface NewFile extends LayerFileName {
  readonly sizeBytes: number
  /** It takes its space at once: what is written there later cannot fail for want of it. */
  readonly isFull?: boolean
}

const suffixes: Readonly<Record<LayerPart, string>> = { data: '', map: '.map', sums: '.sums' }

const nameOf = ({ partition, layer, part = 'data' }: LayerFileName): string => `${partition}.${layer}${suffixes[part]}`

/** The names that the files of these partitions and layers can have. */
export const layerFileNames = ({ partitions, layers }: { readonly partitions: number; readonly layers: readonly number[] }): string[] =>
  Array.from({ length: partitions }, (_, partition) =>
    layers.flatMap(layer => Object.values(suffixes).map(suffix => `${partition}.${layer}${suffix}`)),
  ).flat()

const journalName = 'journal'
const noSpace: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

/** What the filesystem says, as what it means for volumes. */
export const filesystemError = (error: unknown, folder: string): unknown => {
  if (error instanceof VolumeError || !(error instanceof Error) || !('code' in error)) return error
  const code = String(error.code)
  if (noSpace.has(code)) {
    return new VolumeError('NO_SPACE', `there is no space left on the filesystem of ${folder}: make room there, or use another folder`, {
      cause: error,
    })
  }
  return new VolumeError('FOLDER_UNUSABLE', `${folder} cannot be used for volumes: ${error.message}`, { cause: error })
}

/** What is made is on stable storage when it resolves. Rejects with `VolumeError`. */
export class VolumeFiles {
  readonly path: string
  readonly #folder: string
  readonly #onStep: StepHook

  constructor({ folder, id, onStep }: VolumeFilesOptions) {
    this.#folder = folder
    this.path = path.join(folder, id)
    this.#onStep = onStep
  }

  pathOf(partition: number, layer: number, part?: LayerPart): string {
    return path.join(this.path, nameOf({ partition, layer, ...(part && { part }) }))
  }

  get journalPath(): string {
    return path.join(this.path, journalName)
  }

  async makeFolder(): Promise<void> {
    await this.#step('make folder', async () => {
      await fs.mkdir(this.path, { recursive: true })
      await syncFolder(this.#folder)
    })
  }

  /** Empty files of these sizes, in place of what may be there. */
  async make(files: readonly NewFile[]): Promise<void> {
    for (const { sizeBytes, isFull = false, ...file } of files) {
      await this.#step(`make ${nameOf(file)}`, async () => {
        await using handle = await fs.open(path.join(this.path, nameOf(file)), 'w')
        if (isFull) await handle.writeFile(Buffer.alloc(sizeBytes))
        else await handle.truncate(sizeBytes)
        await handle.sync()
      })
    }
    await this.#step('sync folder', () => syncFolder(this.path))
  }

  /** Makes what a file holds the content of another, by sharing its blocks. False: this filesystem does not do that. */
  async clone(sourceFd: number, file: LayerFileName): Promise<boolean> {
    return this.#step(`clone ${nameOf(file)}`, async () => {
      await using target = await fs.open(path.join(this.path, nameOf(file)), 'r+')
      return await cloneWhole(sourceFd, target.fd)
    })
  }

  /** What was cloned is on stable storage. */
  async sync(file: LayerFileName, sizeBytes?: number): Promise<void> {
    await this.#step(`sync ${nameOf(file)}`, async () => {
      await using handle = await fs.open(path.join(this.path, nameOf(file)), 'r+')
      if (sizeBytes !== undefined) await handle.truncate(sizeBytes)
      await handle.sync()
    })
  }

  /** A journal of nothing, in place of what may be there. */
  async makeJournal(sizeBytes: number): Promise<void> {
    await this.#step('make journal', async () => {
      await using file = await fs.open(this.journalPath, 'w')
      await file.truncate(sizeBytes)
      await file.sync()
      await syncFolder(this.path)
    })
  }

  async hasJournal(): Promise<boolean> {
    return (await this.#attempt(() => fs.readdir(this.path))).includes(journalName)
  }

  /** It does not come back. */
  async removeJournal(): Promise<void> {
    await this.#step('remove journal', async () => {
      await fs.rm(this.journalPath, { force: true })
      await syncFolder(this.path)
    })
  }

  /** Removes all files but those of these partitions and layers, and the journal. */
  async keepOnly(named: Parameters<typeof layerFileNames>[0]): Promise<void> {
    const kept = new Set([...layerFileNames(named), journalName])
    for (const name of await this.#attempt(() => fs.readdir(this.path))) {
      if (!kept.has(name)) await this.#step(`remove ${name}`, () => fs.rm(path.join(this.path, name), { force: true, recursive: true }))
    }
  }

  /** Removes all of it, whatever there is. */
  async removeAll(): Promise<void> {
    await this.#step('remove folder', async () => {
      await fs.rm(this.path, { force: true, recursive: true })
      await syncFolder(this.#folder)
    })
  }

  async #step<T>(step: string, action: () => Promise<T>): Promise<T> {
    await this.#onStep(step)
    return this.#attempt(action)
  }

  async #attempt<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action()
    } catch (error) {
      throw filesystemError(error, this.#folder)
    }
  }
}

const cannotClone: ReadonlySet<number> = new Set([-errno.EOPNOTSUPP, -errno.ENOTTY, -errno.EINVAL, -errno.EXDEV, -errno.ENOSYS])

/** FICLONERANGE of a whole file. False: this filesystem does not do that. Throws `PosixError`. */
export const cloneWhole = async (sourceFd: number, targetFd: number): Promise<boolean> => {
  const result = await cloneFileRangeAsync({ sourceFd, sourceOffset: 0, targetFd, targetOffset: 0, lengthBytes: 0 })
  if (cannotClone.has(result)) return false
  orThrow(result, 'FICLONERANGE')
  return true
}

const syncFolder = async (folder: string): Promise<void> => {
  await using handle = await fs.open(folder, 'r')
  await handle.sync()
}
