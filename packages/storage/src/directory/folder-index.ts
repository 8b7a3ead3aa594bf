/**
 * Case-insensitive lookup of names in a folder: an index of upper-cased names for folders where an exact name was
 * missed. inotify keeps it exact (events of the folder are applied before it is asked), so a miss in a folder of
 * 100,000 names costs a map lookup, and so does a create. Where inotify cannot tell (network filesystems, limits reached), it is
 * built anew whenever the folder's modification time has moved or is too young to tell.
 */
import { O_DIRECTORY, O_RDONLY, close, openAt, readFolder, statFd, statTime, StatBuffer } from '@holdfast/posix'
import { upcase } from '../upcase.ts'
import { must } from './errors.ts'
import { decodeName } from './names.ts'
import type { FolderWatcher } from './watcher.ts'

/** The names of one folder. Where several differ in case only, all are kept. */
export class FolderIndex {
  readonly #names = new Map<string, string | string[]>()
  #count = 0

  get size(): number {
    return this.#count
  }

  add(name: string): void {
    const key = upcase(name)
    const present = this.#names.get(key)
    if (present === undefined) this.#names.set(key, name)
    else if (typeof present === 'string') {
      if (present === name) return
      this.#names.set(key, [present, name])
    } else if (present.includes(name)) return
    else present.push(name)
    this.#count++
  }

  delete(name: string): void {
    const key = upcase(name)
    const present = this.#names.get(key)
    if (present === name) this.#names.delete(key)
    else if (Array.isArray(present) && present.includes(name)) {
      const left = present.filter(other => other !== name)
      this.#names.set(key, left.length === 1 ? left[0] : left)
    } else return
    this.#count--
  }

  /** The stored name that equals `name` but for case; the exact one if it is there. */
  find(name: string): string | undefined {
    const present = this.#names.get(upcase(name))
    if (present === undefined || typeof present === 'string') return present
    return present.includes(name) ? name : present[0]
  }
}

/** How much may be indexed at a time, in one filesystem object. */
export interface IndexLimits {
  readonly folders: number
  readonly names: number
}

interface Entry {
  readonly index: FolderIndex
  /** inotify tells about changes. */
  readonly watched: boolean
  /** Modification time of the folder before it was read, where not watched. */
  readonly modified: number
  readonly builtAtMs: number
}

/** Coarse timestamps may miss changes within this time after the last one. */
const timestampGranularityMs = 20

/** Indexes of folders, least recently used ones dropped. */
export class FolderIndexes {
  readonly #entries = new Map<string, Entry>()
  readonly #watcher: FolderWatcher
  readonly #limits: IndexLimits
  readonly #stat = new StatBuffer()
  #names = 0
  /** How often a folder was read: what tests and metrics look at. */
  builds = 0

  constructor(watcher: FolderWatcher, limits: IndexLimits) {
    this.#watcher = watcher
    this.#limits = limits
  }

  get folders(): number {
    return this.#entries.size
  }

  /** The stored name in the folder open as `folderFd` that equals `name` but for case. */
  find(folderFd: number, name: string): string | undefined {
    const stat = this.#stat
    must(statFd(folderFd, stat), 'statx')
    const key = stat.key
    this.#watcher.drain()
    let entry = this.#entries.get(key)
    if (entry !== undefined && !entry.watched && !this.#unchanged(entry)) entry = undefined
    if (entry === undefined) entry = this.#build(folderFd, key)
    else if (this.#entries.size > 1) {
      this.#entries.delete(key)
      this.#entries.set(key, entry)
    }
    return entry.index.find(name)
  }

  /** What inotify tells about a folder. */
  changed(key: string, name: string, present: boolean): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    this.#names -= entry.index.size
    if (present) entry.index.add(name)
    else entry.index.delete(name)
    this.#names += entry.index.size
  }

  /** The folder's index can no longer be trusted. */
  drop(key: string): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    this.#entries.delete(key)
    this.#names -= entry.index.size
  }

  dropAll(): void {
    this.#entries.clear()
    this.#names = 0
  }

  #modified(): number {
    return this.#stat.seconds(statTime.modified) * 1e6 + Math.floor(this.#stat.nanoseconds(statTime.modified) / 1000)
  }

  #unchanged(entry: Entry): boolean {
    return entry.modified === this.#modified() && entry.builtAtMs - entry.modified / 1000 > timestampGranularityMs
  }

  #build(folderFd: number, key: string): Entry {
    this.drop(key)
    const modified = this.#modified()
    const watched = this.#watcher.keepIndexed(folderFd, key)
    const index = new FolderIndex()
    const fd = must(openAt(folderFd, '.', O_RDONLY | O_DIRECTORY), 'openat')
    try {
      must(
        readFolder(fd, (bytes, start, end) => index.add(decodeName(bytes, start, end))),
        'getdents64',
      )
    } finally {
      close(fd)
    }
    const entry = { index, watched, modified, builtAtMs: Date.now() }
    this.builds++
    this.#entries.set(key, entry)
    this.#names += index.size
    for (const oldest of this.#entries.keys()) {
      if (oldest === key || (this.#entries.size <= this.#limits.folders && this.#names <= this.#limits.names)) break
      this.drop(oldest)
      this.#watcher.forgetIndexed(oldest)
    }
    return entry
  }
}
