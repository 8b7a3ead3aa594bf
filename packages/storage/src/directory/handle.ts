import {
  O_NONBLOCK,
  O_RDONLY,
  O_RDWR,
  O_WRONLY,
  StatBuffer,
  close,
  cString,
  errno,
  fdatasyncAsync,
  fsyncAsync,
  readLinkAt,
  reopen,
  setTimes,
  statAt,
  statFd,
} from '@holdfast/posix'
import { storableAttributes } from '../attributes.ts'
import {
  FsError,
  type ByteRange,
  type ExtendedAttribute,
  type FileHandle,
  type FileInfo,
  type FolderEntry,
  type InfoChange,
  type MaybePromise,
  type StreamInfo,
} from '../filesystem.ts'
import { nameOf } from '../paths.ts'
import { unixTimeOf } from '../time.ts'
import { setCompressed } from './compression.ts'
import { entryNames, listEntries } from './entries.ts'
import { fsError, must } from './errors.ts'
import { readExtendedAttributes, writeExtendedAttributes } from './extended-attributes.ts'
import * as io from './io.ts'
import { allocationOf, changedNow, getWholeXattr, infoOf, readCreationToken, readStored, writeStored, xattr, type XattrTarget } from './metadata.ts'
import { terminatedPath } from './names.ts'
import * as naming from './naming.ts'
import type { Root } from './root.ts'
import { isVersion, type Version, versionOf } from './version.ts'
import { withoutMark } from './shown-links.ts'
import type { StreamStore } from './streams.ts'

/** What a handle is made of. */
export interface HandleParts {
  readonly root: Root
  readonly store: StreamStore
  /** Descriptor of the base file or folder. */
  readonly baseFd: number
  /** The base was opened with O_PATH. */
  readonly pathOnly: boolean
  readonly readable: boolean
  readonly writable: boolean
  /** Path as stored. */
  readonly path: string
  readonly writeThrough: boolean
  readonly stream?: { readonly fd: number; readonly name: string; readonly writable: boolean }
  /** What statx said of the base. */
  readonly stat: StatBuffer
}

const stat = new StatBuffer()
const securityName = cString('user.holdfast.sd')
/** Larger ones go to a file at once: ext4 has room for 4 KiB of attributes in all. */
const maxSecurityXattrBytes = 3072
const tooLargeForXattr: ReadonlySet<number> = new Set([-errno.ENOSPC, -errno.E2BIG, -errno.ERANGE])

/** An open file, folder or stream of a directory filesystem: descriptors, and the path for what needs a name. */
export class DirectoryHandle implements FileHandle {
  readonly root: Root
  readonly store: StreamStore
  readonly id: bigint
  readonly device: number
  readonly isFolder: boolean
  /** The base is a folder (of which this handle may be a stream). */
  readonly baseIsFolder: boolean
  readonly isRegular: boolean
  readonly writeThrough: boolean
  /** Of the base, as stored. */
  path: string
  /** `''`: the unnamed data stream. */
  streamName: string
  #baseFd: number
  #pathOnly: boolean
  /** Where bytes are: the base's descriptor or the stream's. */
  #fd: number
  #readable: boolean
  #writable: boolean
  readonly #retired: number[] = []
  #pending = 0
  #closed = false
  /** As it was opened. */
  readonly #opened: Version
  #diskPath: Buffer | undefined

  constructor(parts: HandleParts) {
    this.root = parts.root
    this.store = parts.store
    this.id = parts.stat.inode
    this.#opened = versionOf(parts.stat)
    this.device = parts.stat.device
    this.baseIsFolder = parts.stat.isFolder
    this.isFolder = this.baseIsFolder && parts.stream === undefined
    this.isRegular = parts.stat.isRegular || parts.stream !== undefined
    this.path = parts.path
    this.streamName = parts.stream?.name ?? ''
    this.writeThrough = parts.writeThrough
    this.#baseFd = parts.baseFd
    this.#pathOnly = parts.pathOnly
    this.#fd = parts.stream?.fd ?? parts.baseFd
    this.#readable = parts.stream !== undefined || parts.readable
    this.#writable = parts.stream?.writable ?? parts.writable
  }

  /** The base, for metadata. */
  get base(): XattrTarget {
    this.#assertOpen()
    return { fd: this.#baseFd, pathOnly: this.#pathOnly }
  }

  get name(): string {
    return nameOf(this.path)
  }

  get isStream(): boolean {
    return this.#fd !== this.#baseFd
  }

  get closed(): boolean {
    return this.#closed
  }

  #assertOpen(): void {
    if (this.#closed) throw new FsError('invalid', 'the handle is closed')
  }

  /** The descriptor for bytes. One that was opened for less than is asked now is opened once more. */
  ioFd(forWriting: boolean): number {
    this.#assertOpen()
    if (this.isFolder) throw new FsError('is-folder')
    if (!this.isRegular) throw new FsError('not-supported', 'neither a file nor a folder')
    if (forWriting ? this.#writable : this.#readable) return this.#fd
    if (forWriting) this.root.assertWritable()
    let fd = reopen(this.#fd, (forWriting ? O_RDWR : O_RDONLY) | O_NONBLOCK)
    let readable = true
    if (forWriting && fd === -errno.EACCES) {
      fd = reopen(this.#fd, O_WRONLY | O_NONBLOCK)
      readable = false
    }
    must(fd, 'open')
    // The old one may still be in use by something asynchronous.
    this.#retired.push(this.#fd)
    if (!this.isStream) {
      this.#baseFd = fd
      this.#pathOnly = false
    }
    this.#fd = fd
    this.#readable = readable
    this.#writable ||= forWriting
    return fd
  }

  /** A handle of a stream's base, for its data. */
  openBase(): DirectoryHandle {
    const fd = must(reopen(this.base.fd, O_RDWR | O_NONBLOCK), 'open')
    must(statFd(fd, stat), 'statx')
    const { root, store, path } = this
    return new DirectoryHandle({ root, store, path, baseFd: fd, pathOnly: false, readable: true, writable: true, writeThrough: false, stat })
  }

  /** Keeps the descriptors open until `work` is done. */
  holding<T>(work: Promise<T>): Promise<T> {
    this.#pending++
    return work.finally(() => {
      if (--this.#pending === 0 && this.#closed) this.#closeDescriptors()
    })
  }

  /** Runs a change of this file, so that `watch` does not report it as somebody else's. */
  #own<T>(change: () => MaybePromise<T>): MaybePromise<T> {
    const { watcher } = this.root
    if (!watcher.listening) return change()
    const { name } = this
    watcher.begin(name)
    let result: MaybePromise<T>
    try {
      result = change()
    } catch (error) {
      watcher.end(name)
      throw error
    }
    if (result instanceof Promise) return result.finally(() => watcher.end(name))
    watcher.end(name)
    return result
  }

  creationToken(): string | undefined {
    return readCreationToken(this.base)
  }

  info(): FileInfo {
    const { base } = this
    must(statFd(base.fd, stat), 'statx')
    const info = infoOf(this.root, stat, this.name, readStored(base))
    if (!this.isStream) return info
    must(statFd(this.#fd, stat), 'statx')
    return {
      ...info,
      isFolder: false,
      kind: 'file',
      attributes: info.attributes & ~0x10 || 0x80,
      sizeBytes: stat.sizeBytes,
      allocationBytes: allocationOf(stat, this.root.fsType, info.attributes),
    }
  }

  read(target: Uint8Array, offset: number): MaybePromise<number> {
    return io.read(this, target, offset)
  }

  inMemory(offset: number, lengthBytes: number): { descriptor: number; offset: number } | undefined {
    return io.inMemory(this, offset, lengthBytes)
  }

  /** By the kernel's change time, which nobody can set: whatever is done to a file moves it. A link on the way may lead elsewhere by now. */
  isCurrent(): boolean {
    if (this.#closed || this.isStream) return false
    this.#diskPath ??= terminatedPath(this.path)
    if (statAt(this.root.fd, this.#diskPath, 0, stat) !== 0) return false
    return stat.inode === this.id && stat.device === this.device && isVersion(this.#opened, stat)
  }

  write(source: Uint8Array, offset: number): MaybePromise<void> {
    if (!this.root.watcher.listening) return io.write(this, source, offset)
    return this.#own(() => io.write(this, source, offset))
  }

  setSize(sizeBytes: number): MaybePromise<void> {
    return this.#own(() => io.setSize(this, sizeBytes))
  }

  setAllocation(allocationBytes: number): MaybePromise<void> {
    return this.#own(() => io.setAllocation(this, allocationBytes))
  }

  setInfo(change: InfoChange): MaybePromise<void> {
    this.root.assertWritable()
    const { base } = this
    return this.#own(() => {
      if (change.accessedAt !== undefined || change.writtenAt !== undefined) {
        const accessed = change.accessedAt === undefined ? undefined : unixTimeOf(change.accessedAt)
        const written = change.writtenAt === undefined ? undefined : unixTimeOf(change.writtenAt)
        must(setTimes(base.fd, accessed, written), 'utimensat')
      }
      // Last, as it is the change that a change time has to outlive.
      if (change.attributes !== undefined || change.createdAt !== undefined || change.changedAt !== undefined) {
        const stored = readStored(base)
        writeStored(base, this.baseIsFolder, {
          attributes: change.attributes === undefined ? stored.attributes : change.attributes & storableAttributes,
          createdAt: change.createdAt ?? stored.createdAt,
          changed: change.changedAt === undefined ? undefined : changedNow(change.changedAt),
        })
      }
    })
  }

  setCompressed(on: boolean): MaybePromise<void> {
    this.root.assertWritable()
    if (this.isStream || this.#pathOnly) throw new FsError('not-supported')
    return this.#own(() => setCompressed(this.base.fd, on))
  }

  flush(): MaybePromise<void> {
    this.#assertOpen()
    if (this.root.inMemory || this.#pathOnly) return
    const sync = this.isFolder || !this.#writable ? fsyncAsync(this.#fd) : this.isStream ? fsyncAsync(this.#fd) : fdatasyncAsync(this.#fd)
    return this.holding(sync.then(result => void must(result, 'fsync')))
  }

  zeroRange(range: ByteRange): MaybePromise<void> {
    return this.#own(() => io.zeroRange(this, range))
  }

  allocatedRanges(range: ByteRange): readonly ByteRange[] {
    return io.allocatedRanges(this, range)
  }

  copyFrom(source: FileHandle, sourceOffset: number, targetOffset: number, lengthBytes: number): MaybePromise<number> {
    const from = this.#sibling(source)
    return this.#own(() => io.copyFrom(this, from, sourceOffset, targetOffset, lengthBytes))
  }

  cloneFrom(source: FileHandle, sourceOffset: number, targetOffset: number, lengthBytes: number): MaybePromise<void> {
    const from = this.#sibling(source)
    return this.#own(() => io.cloneFrom(this, from, sourceOffset, targetOffset, lengthBytes))
  }

  #sibling(source: FileHandle): DirectoryHandle {
    if (!(source instanceof DirectoryHandle)) throw new FsError('cross-device', 'a handle of another filesystem')
    return source
  }

  entries(names?: readonly string[]): Iterable<MaybePromise<FolderEntry | undefined>> {
    return listEntries(this, names)
  }

  entryNames(): readonly string[] {
    return entryNames(this)
  }

  streams(): readonly StreamInfo[] {
    const streams = this.store.list(this.base)
    if (this.baseIsFolder) return streams
    must(statFd(this.base.fd, stat), 'statx')
    return [{ name: '', sizeBytes: stat.sizeBytes, allocationBytes: allocationOf(stat, this.root.fsType, 0) }, ...streams]
  }

  extendedAttributes(): readonly ExtendedAttribute[] {
    return readExtendedAttributes(this.base)
  }

  setExtendedAttributes(changes: readonly ExtendedAttribute[]): MaybePromise<void> {
    this.root.assertWritable()
    return this.#own(() => writeExtendedAttributes(this.base, changes))
  }

  security(): Uint8Array | undefined {
    const { base } = this
    return getWholeXattr(base, securityName) ?? this.store.readSecurity(base)
  }

  setSecurity(descriptor: Uint8Array): MaybePromise<void> {
    this.root.assertWritable()
    const { base } = this
    return this.#own(() => {
      const result = descriptor.length > maxSecurityXattrBytes ? -errno.E2BIG : xattr.set(base, securityName, descriptor)
      if (tooLargeForXattr.has(result)) {
        this.store.writeSecurity(base, descriptor)
        xattr.remove(base, securityName)
        return
      }
      must(result, 'setxattr')
      this.store.removeSecurity(base)
    })
  }

  readLink(): string | undefined {
    const { fd } = this.base
    const target = readLinkAt(fd, '')
    if (typeof target !== 'number') return withoutMark(target.toString('utf8'))
    if (target === -errno.ENOENT || target === -errno.EINVAL || target === -errno.ENOTDIR) return undefined
    throw fsError(target, 'readlink')
  }

  rename(to: { readonly path: string; readonly stream?: string }, options: { readonly replace: boolean }): MaybePromise<void> {
    return naming.rename(this, to, options.replace)
  }

  link(path: string, options: { readonly replace: boolean }): void {
    naming.link(this, path, options.replace)
  }

  remove(): void {
    naming.remove(this)
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    if (this.#pending === 0) this.#closeDescriptors()
  }

  #closeDescriptors(): void {
    if (this.#fd !== this.#baseFd) close(this.#fd)
    close(this.#baseFd)
    for (const fd of this.#retired) close(fd)
    this.#retired.length = 0
  }
}
