/** A directory of bpffs: what has a name there outlives the process. */

import { existsSync, mkdirSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createMap, isBpfFilesystem, mountBpfFilesystem, openPinnedLink, openPinnedMap } from '@holdfast/posix/bpf'
import type { BpfLink, BpfMap, BpfObject, MapShape } from '@holdfast/posix/bpf'

/** Where bpffs belongs; there is a directory for it, in which nothing can be made before it is mounted. */
const usualMount = '/sys/fs/bpf'

/** Names in bpffs have no dots, those of interfaces may. */
export const pinName = (text: string): string => text.replaceAll('.', '_')

/** What is pinned in a directory; without one, nothing is, and nothing is found. */
export class Pins {
  /** Why nothing outlives the process although a directory was given. */
  readonly notPinned: string | undefined
  readonly #directory: string | undefined
  #found = false

  private constructor(directory: string | undefined, notPinned: string | undefined) {
    this.#directory = directory
    this.notPinned = notPinned
  }

  /** Opens a directory: makes it, and mounts bpffs when that is not there and we may. */
  static open(directory: string | undefined): Pins {
    if (directory === undefined) return new Pins(undefined, undefined)
    try {
      prepare(directory)
      return new Pins(directory, undefined)
    } catch (error) {
      return new Pins(undefined, `${directory} is no place to pin to: ${(error as Error).message}`)
    }
  }

  get isThere(): boolean {
    return this.#directory !== undefined
  }

  /** Whether a map was there already. */
  get isResumed(): boolean {
    return this.#found
  }

  /** Opens a map that is pinned, or makes and pins it. One of another layout (of another version) is replaced. */
  map(name: string, shape: MapShape): BpfMap {
    const path = this.#path(name)
    if (path === undefined) return createMap(shape)
    const found = openPinnedMap(path)
    const made = createMap(shape)
    if (found !== undefined) {
      if (found.type === made.type && found.keyBytes === made.keyBytes && found.valueBytes === made.valueBytes) {
        made[Symbol.dispose]()
        this.#found = true
        return found
      }
      found[Symbol.dispose]()
      unlinkSync(path)
    }
    made.pin(path)
    return made
  }

  /** Opens a link that is pinned. */
  link(name: string): BpfLink | undefined {
    const path = this.#path(name)
    return path === undefined ? undefined : openPinnedLink(path)
  }

  pin(name: string, object: BpfObject): void {
    const path = this.#path(name)
    if (path !== undefined) object.pin(path)
  }

  /** Takes a name away. */
  remove(name: string): void {
    const path = this.#path(name)
    if (path !== undefined && existsSync(path)) unlinkSync(path)
  }

  #path(name: string): string | undefined {
    return this.#directory === undefined ? undefined : join(this.#directory, name)
  }
}

function prepare(directory: string): void {
  const existing = nearest(directory)
  if (!isBpfFilesystem(existing)) {
    const isUsual = directory === usualMount || directory.startsWith(`${usualMount}/`)
    if (!isUsual) make(directory)
    mountBpfFilesystem(isUsual ? usualMount : directory)
  }
  make(directory)
}

/** The directory itself, or the nearest one above it that is there. */
function nearest(directory: string): string {
  return existsSync(directory) ? directory : nearest(dirname(directory))
}

/** Makes a directory with those above it. Node's own way does not return where the kernel lets nobody make one (/proc). */
function make(directory: string): void {
  if (existsSync(directory)) return
  make(dirname(directory))
  mkdirSync(directory, { mode: 0o700 })
}

/** Takes all that is pinned in a directory away, and the directory. */
export function removePins(directory: string): void {
  if (!existsSync(directory) || !isBpfFilesystem(directory)) return
  // The root of bpffs has two files of the kernel's own, with dots in their names.
  for (const name of readdirSync(directory)) if (!name.includes('.')) unlinkSync(join(directory, name))
  try {
    rmdirSync(directory)
  } catch {
    // It is where bpffs is mounted: empty, it does no harm.
  }
}
