/** The root of a directory filesystem: everything is opened beneath its descriptor and cannot leave it (openat2(2)). */
import {
  AT_FDCWD,
  O_DIRECTORY,
  O_PATH,
  RESOLVE_BENEATH,
  RESOLVE_NO_MAGICLINKS,
  StatBuffer,
  close,
  duplicateTo,
  errno,
  filesystemMagic,
  openAt,
  openAt2,
  statFd,
  statFilesystem,
  type FilesystemStat,
} from '@holdfast/posix'
import { FsError } from '../filesystem.ts'
import { joinPath, nameOf, parentOf } from '../paths.ts'
import { fsError, must, openSpecial } from './errors.ts'
import { FolderIndexes } from './folder-index.ts'
import { diskPath } from './names.ts'
import type { DirectoryOptions } from './options.ts'
import { FolderWatcher } from './watcher.ts'

const beneath = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS
/** A rename elsewhere while a path with `..` in a link is walked makes openat2 start again (EAGAIN). */
const openAttempts = 64

/** Holds streams and security descriptors that do not fit into attributes; not there for anybody else. */
export const hiddenName = '.holdfast-streams'
const hidden = /(?:^|\/)\.holdfast-streams(?:\/|$)/i

/** Whether a path names the hidden folder or something in it (of this root, or of another one that is served below it). */
export const isHidden = (path: string): boolean => hidden.test(path)

/** A folder that is open with O_PATH, and its path as stored. Give it back with `release`. */
export interface OpenFolder {
  readonly fd: number
  readonly path: string
}

const noInotify: ReadonlySet<number> = new Set([
  filesystemMagic.nfs,
  filesystemMagic.cifs,
  filesystemMagic.smb2,
  filesystemMagic.fuse,
  filesystemMagic.ceph,
  filesystemMagic.v9fs,
])

export class Root {
  readonly fd: number
  readonly options: DirectoryOptions
  readonly watcher: FolderWatcher
  readonly indexes: FolderIndexes
  device: number
  readonly fsType: number
  readonly readOnly: boolean
  /** inotify sees all changes, also those of others. */
  readonly watchable: boolean
  readonly #stat = new StatBuffer()
  readonly #folder: string
  #closed = false
  /** Reads never wait for a disk: no need to ask the kernel whether they would. */
  readonly inMemory: boolean
  /** preadv2 with RWF_NOWAIT works here. */
  nowait = true

  constructor(folder: string, options: DirectoryOptions) {
    this.options = options
    this.#folder = folder
    this.fd = must(openAt(AT_FDCWD, folder, O_PATH | O_DIRECTORY), `open ${folder}`, { ENOTDIR: 'not-folder' })
    const probe = openAt2(this.fd, '.', O_PATH | O_DIRECTORY, 0, beneath)
    if (probe < 0) {
      close(this.fd)
      throw fsError(probe, 'openat2 (Linux 5.6 or newer is needed, and a sandbox must allow it)')
    }
    close(probe)
    must(statFd(this.fd, this.#stat), 'statx')
    this.device = this.#stat.device
    const filesystem = this.filesystem()
    this.fsType = filesystem.type
    this.readOnly = options.readOnly || filesystem.readOnly
    this.watchable = !noInotify.has(filesystem.type)
    this.inMemory = filesystem.type === filesystemMagic.tmpfs
    this.watcher = new FolderWatcher({
      trusted: this.watchable,
      maxListenedFolders: options.maxWatchedFolders,
      pollIntervalMs: options.watchIntervalMs,
      hiddenName,
    })
    this.indexes = new FolderIndexes(this.watcher, { folders: options.maxIndexedFolders, names: options.maxIndexedNames })
    this.watcher.observer = this.indexes
    this.watcher.openFolder = path => this.open(path, O_PATH | O_DIRECTORY)
  }

  /** Whether the folder is there. One that was removed and made anew takes the old one's place (and its descriptor). */
  available(): boolean {
    if (this.#closed) return false
    if (statFd(this.fd, this.#stat) === 0 && this.#stat.links > 0) return true
    const fd = openAt(AT_FDCWD, this.#folder, O_PATH | O_DIRECTORY)
    if (fd < 0) return false
    must(duplicateTo(fd, this.fd), 'dup3')
    close(fd)
    must(statFd(this.fd, this.#stat), 'statx')
    this.device = this.#stat.device
    return true
  }

  filesystem(): FilesystemStat {
    const filesystem = statFilesystem(this.fd)
    if (typeof filesystem === 'number') throw fsError(filesystem, 'fstatfs')
    return filesystem
  }

  /** openat2 of a path beneath the root, exactly as it is written: a descriptor or -errno. */
  open(path: string, flags: number, mode = 0): number {
    if (this.#closed) throw new FsError('stale', 'the filesystem is closed')
    const onDisk = diskPath(path)
    let fd = 0
    for (let attempt = 0; attempt < openAttempts; attempt++) {
      fd = openAt2(this.fd, onDisk, flags, mode, beneath)
      if (fd !== -errno.EAGAIN && fd !== -errno.EINTR) break
    }
    return fd
  }

  /** Opens a folder in any case, with O_PATH. Throws `path-not-found`, `escapes`. */
  folder(path: string): OpenFolder {
    if (path === '') return { fd: this.fd, path: '' }
    const fd = this.open(path, O_PATH | O_DIRECTORY)
    if (fd >= 0) return { fd, path }
    if (fd !== -errno.ENOENT) throw this.#pathError(fd, path)
    const parent = this.folder(parentOf(path))
    try {
      const name = nameOf(path)
      const stored = this.findIn(parent, name)
      // The name is there as it is written and yet could not be opened: a link to nothing.
      if (stored === undefined || (stored === name && joinPath(parent.path, stored) === path)) throw this.missing('path-not-found', path)
      const storedPath = joinPath(parent.path, stored)
      const found = this.open(storedPath, O_PATH | O_DIRECTORY)
      if (found < 0) throw this.#pathError(found, path)
      return { fd: found, path: storedPath }
    } finally {
      this.release(parent)
    }
  }

  /** The stored name in a folder that equals `name` but for case. */
  findIn(folder: OpenFolder, name: string): string | undefined {
    const stored = this.indexes.find(folder.fd, name)
    return stored === hiddenName ? undefined : stored
  }

  /** The stored path of what `path`, which was not found as it is written, is but for case. Throws `not-found`, `path-not-found`. */
  findPath(path: string): string {
    const parent = this.folder(parentOf(path))
    try {
      const name = nameOf(path)
      const stored = this.findIn(parent, name)
      if (stored === undefined) throw this.missing('not-found', path)
      return joinPath(parent.path, stored)
    } finally {
      this.release(parent)
    }
  }

  release(folder: OpenFolder): void {
    if (folder.fd !== this.fd) close(folder.fd)
  }

  /** The error for something that is not there: `stale` where the root itself is gone. */
  missing(code: 'not-found' | 'path-not-found', path: string): FsError {
    if (statFd(this.fd, this.#stat) < 0 || this.#stat.links === 0) return new FsError('stale', 'the folder that is served has been deleted')
    return new FsError(code, path)
  }

  #pathError(result: number, path: string): FsError {
    return fsError(result, path, { ...openSpecial, ENOENT: 'path-not-found', ENOTDIR: 'path-not-found', ELOOP: 'path-not-found' })
  }

  assertWritable(): void {
    if (this.readOnly) throw new FsError('read-only')
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.watcher.close()
    this.indexes.dropAll()
    close(this.fd)
  }
}
