import { createHash } from 'node:crypto'
import nodePath from 'node:path'
import {
  AT_REMOVEDIR,
  FALLOC_FL_KEEP_SIZE,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOCTTY,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_PATH,
  O_RDONLY,
  O_RDWR,
  O_TMPFILE,
  O_WRONLY,
  StatBuffer,
  close,
  errno,
  fallocate,
  filesystemMagic,
  linkFdAt,
  mkdirAt,
  openAt2,
  requireSupport,
  RESOLVE_BENEATH,
  statFd,
  statTime,
  symlinkAt,
  unlinkAt,
} from '@holdfast/posix'
import { fileAttribute, storableAttributes } from '../attributes.ts'
import {
  FsError,
  type CreateOptions,
  type ExternalChange,
  type Features,
  type FileInfo,
  type FileSystem,
  type OpenAccess,
  type VolumeInfo,
} from '../filesystem.ts'
import { checkPath, checkStream, joinPath, nameOf, parentOf } from '../paths.ts'
import { fileTimeOf } from '../time.ts'
import { upcase } from '../upcase.ts'
import { compresses, setCompressed } from './compression.ts'
import { fsError, must, openSpecial } from './errors.ts'
import { writeExtendedAttributes } from './extended-attributes.ts'
import { DirectoryHandle, type HandleParts } from './handle.ts'
import { infoOf, nothingStored, readStored, writeCreationToken, writeStored, xattr, type XattrTarget } from './metadata.ts'
import { diskPath, encodeText } from './names.ts'
import { directoryDefaults, type DirectoryOptions } from './options.ts'
import { hiddenName, isHidden, Root } from './root.ts'
import { isLink, isShownLink, markShown } from './shown-links.ts'
import { StreamStore } from './streams.ts'

/** Neither waits for a fifo's other end nor makes a terminal ours. */
const quiet = O_NONBLOCK | O_NOCTTY
const stat = new StatBuffer()
const noAccess: OpenAccess = { read: false, write: false }

interface OpenedFile {
  readonly fd: number
  readonly path: string
  readonly pathOnly: boolean
  readonly readable: boolean
  readonly writable: boolean
}

/** A local folder as a filesystem. Linux only (`UNSUPPORTED_PLATFORM` elsewhere); see `directory`. */
export class DirectoryFileSystem implements FileSystem {
  readonly features: Features
  readonly #root: Root
  readonly #store: StreamStore

  constructor(folder: string, options: Partial<DirectoryOptions> = {}) {
    requireSupport()
    const absolute = nodePath.resolve(folder)
    const label = nodePath.basename(absolute) || 'root'
    const serialNumber = createHash('sha256').update(absolute).digest().readUInt32LE(0)
    this.#root = new Root(absolute, { ...directoryDefaults, label, serialNumber, ...options })
    this.#store = new StreamStore(this.#root)
    const hasXattr = this.#probeXattr()
    const reflink: readonly number[] = [filesystemMagic.btrfs, filesystemMagic.xfs, filesystemMagic.bcachefs]
    this.features = {
      readOnly: this.#root.readOnly,
      namedStreams: hasXattr,
      extendedAttributes: hasXattr,
      securityDescriptors: hasXattr,
      sparseFiles: true,
      symlinks: true,
      hardLinks: true,
      blockCloning: reflink.includes(this.#root.fsType),
      compression: compresses(this.#root.fsType),
      watch: this.#root.watchable,
    }
  }

  /** Counters for tests and metrics. */
  get statistics(): { readonly indexBuilds: number; readonly indexedFolders: number } {
    return { indexBuilds: this.#root.indexes.builds, indexedFolders: this.#root.indexes.folders }
  }

  #probeXattr(): boolean {
    const result = xattr.get({ fd: this.#root.fd, pathOnly: true }, 'user.holdfast.dos', Buffer.alloc(0))
    return result !== -errno.EOPNOTSUPP && result !== -errno.ENOSYS
  }

  available(): boolean {
    return this.#root.available()
  }

  volume(): VolumeInfo {
    const filesystem = this.#root.filesystem()
    must(statFd(this.#root.fd, stat), 'statx')
    return {
      label: this.#root.options.label,
      serialNumber: this.#root.options.serialNumber,
      createdAt: fileTimeOf(stat.seconds(statTime.created), stat.nanoseconds(statTime.created)),
      allocationUnitBytes: filesystem.unitBytes,
      sectorBytes: 512,
      totalUnits: filesystem.totalUnits,
      freeUnits: filesystem.freeUnits,
      availableUnits: filesystem.availableUnits,
      maxNameLength: filesystem.maxNameLength,
    }
  }

  open(path: string, stream: string, access: OpenAccess): DirectoryHandle {
    checkStream(stream)
    if (access.write) this.#root.assertWritable()
    const base = this.#openFile(path, stream === '' ? access : noAccess, access.noFollow ?? false)
    try {
      must(statFd(base.fd, stat), 'statx')
      if (stream === '') return this.#handle(base, access)
      const opened = this.#store.open({ fd: base.fd, pathOnly: base.pathOnly }, stream, access.write)
      return this.#handle(base, access, { ...opened, writable: access.write })
    } catch (error) {
      close(base.fd)
      throw error
    }
  }

  #handle(file: OpenedFile, access: OpenAccess, stream?: NonNullable<HandleParts['stream']>): DirectoryHandle {
    const { fd, path, pathOnly, readable, writable } = file
    const parts = {
      root: this.#root,
      store: this.#store,
      baseFd: fd,
      path,
      pathOnly,
      readable,
      writable,
      stat,
      writeThrough: access.writeThrough ?? false,
    }
    // The base is what the last statx was of; a stream was opened after it with another buffer.
    return new DirectoryHandle(stream === undefined ? parts : { ...parts, stream })
  }

  /** Opens in any case, as much as `access` asks for and the object allows. */
  #openFile(path: string, access: OpenAccess, noFollow: boolean): OpenedFile {
    checkPath(path)
    if (isHidden(path)) throw new FsError('not-found')
    const opened = this.#tryOpen(path, access, noFollow)
    if (typeof opened !== 'number') return opened
    if (opened === -errno.ENOENT) {
      // It is there in another case, is a link to nothing, or somebody has made it since.
      const stored = this.#root.findPath(path)
      const again = this.#tryOpen(stored, access, noFollow)
      if (typeof again !== 'number') return again
      if (again !== -errno.ENOENT) throw fsError(again, path, openSpecial)
      if (access.stopAtLink === true && isLink(this.#root, stored)) throw new FsError('symlink', path)
      throw this.#root.missing('not-found', path)
    }
    throw fsError(opened, path, openSpecial)
  }

  #tryOpen(path: string, access: OpenAccess, noFollow: boolean): OpenedFile | number {
    const root = this.#root
    const follow = noFollow || access.stopAtLink === true ? O_NOFOLLOW : 0
    const wantsData = access.read || access.write
    let fd = root.open(path, (access.write ? O_RDWR : O_RDONLY) | quiet | follow)
    if (fd >= 0) return { fd, path, pathOnly: false, readable: true, writable: access.write }
    if (fd === -errno.EISDIR) {
      fd = root.open(path, O_RDONLY | O_DIRECTORY | follow)
      return fd < 0 ? fd : { fd, path, pathOnly: false, readable: true, writable: false }
    }
    if (fd === -errno.ELOOP && access.stopAtLink === true && !noFollow) {
      if (isShownLink(root, path)) throw new FsError('symlink', path)
      return this.#tryOpen(path, { ...access, stopAtLink: false }, false)
    }
    if (fd === -errno.EACCES && access.write && !access.read) {
      fd = root.open(path, O_WRONLY | quiet | follow)
      if (fd >= 0) return { fd, path, pathOnly: false, readable: false, writable: true }
    }
    // A link that is not to be followed, a socket, or metadata of what may not be read.
    const pathOnly = (fd === -errno.ELOOP && noFollow) || fd === -errno.ENXIO || fd === -errno.ENODEV || (fd === -errno.EACCES && !wantsData)
    if (!pathOnly) return fd
    fd = root.open(path, O_PATH | follow)
    return fd < 0 ? fd : { fd, path, pathOnly: true, readable: false, writable: false }
  }

  create(path: string, stream: string, options: CreateOptions): DirectoryHandle {
    const root = this.#root
    root.assertWritable()
    checkPath(path)
    checkStream(stream)
    if (path === '') throw new FsError(stream === '' ? 'exists' : 'not-supported')
    if (isHidden(path)) throw new FsError('access-denied', 'the name is reserved')
    if (stream !== '') return this.#createStream(path, stream, options)
    const folder = root.folder(parentOf(path))
    const name = nameOf(path)
    const onDisk = diskPath(name)
    root.watcher.begin(name)
    try {
      const stored = root.findIn(folder, name)
      if (stored !== undefined) throw new FsError('exists', stored)
      const fd = options.folder ? this.#makeFolder(folder.fd, onDisk) : this.#makeFile(folder.fd, onDisk, options)
      try {
        if (options.folder || options.creationToken === undefined) this.#initialise(fd, options)
        must(statFd(fd, stat), 'statx')
        return this.#handle({ fd, path: joinPath(folder.path, name), pathOnly: false, readable: true, writable: !options.folder }, options.access)
      } catch (error) {
        const tag = this.#store.tagOf({ fd, pathOnly: false })
        close(fd)
        unlinkAt(folder.fd, onDisk, options.folder ? AT_REMOVEDIR : 0)
        if (tag !== undefined) this.#store.removeAll(tag)
        throw error
      }
    } finally {
      root.watcher.end(name)
      root.release(folder)
    }
  }

  #makeFile(folderFd: number, name: string | Buffer, options: CreateOptions): number {
    const { creationToken } = options
    return creationToken === undefined ? this.#makeNamed(folderFd, name) : this.#makeWhole(folderFd, name, { ...options, creationToken })
  }

  #makeNamed(folderFd: number, name: string | Buffer): number {
    const flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW
    return must(openAt2(folderFd, name, flags, this.#root.options.fileMode, RESOLVE_BENEATH), 'create', { ENOENT: 'stale' })
  }

  /** Nobody ever sees it without what belongs to it: it is given its name last, where the filesystem can do that. */
  #makeWhole(folderFd: number, name: string | Buffer, options: CreateOptions & { readonly creationToken: string }): number {
    const unnamed = openAt2(folderFd, '.', O_RDWR | O_TMPFILE, this.#root.options.fileMode, RESOLVE_BENEATH)
    const needsName = unnamed !== -errno.EOPNOTSUPP
    const fd = needsName ? must(unnamed, 'create', { ENOENT: 'stale' }) : this.#makeNamed(folderFd, name)
    try {
      writeCreationToken({ fd, pathOnly: false }, options.creationToken)
      this.#initialise(fd, options)
      if (needsName) must(linkFdAt(fd, folderFd, name), 'create', { ENOENT: 'stale' })
      return fd
    } catch (error) {
      close(fd)
      if (!needsName) unlinkAt(folderFd, name)
      throw error
    }
  }

  #makeFolder(folderFd: number, name: string | Buffer): number {
    must(mkdirAt(folderFd, name, this.#root.options.folderMode), 'mkdir', { ENOENT: 'stale' })
    return must(openAt2(folderFd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, RESOLVE_BENEATH), 'open')
  }

  #initialise(fd: number, options: CreateOptions): void {
    const base: XattrTarget = { fd, pathOnly: false }
    if (options.uncompressed === true && this.features.compression === true) setCompressed(fd, false)
    const attributes = options.attributes & storableAttributes
    if (attributes !== (options.folder ? 0 : fileAttribute.archive)) writeStored(base, options.folder, { ...nothingStored, attributes })
    if (options.extendedAttributes !== undefined) writeExtendedAttributes(base, options.extendedAttributes)
    if (options.security !== undefined) {
      must(statFd(fd, stat), 'statx')
      const parts = {
        root: this.#root,
        store: this.#store,
        baseFd: fd,
        path: '',
        pathOnly: false,
        readable: true,
        writable: true,
        stat,
        writeThrough: false,
      }
      void new DirectoryHandle(parts).setSecurity(options.security)
    }
    if (!options.folder && (options.allocationBytes ?? 0) > 0) {
      const result = fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, options.allocationBytes!)
      if (result < 0 && result !== -errno.EOPNOTSUPP && result !== -errno.ENOSYS)
        throw fsError(result, 'fallocate', { EFBIG: 'no-space', EINVAL: 'no-space' })
    }
  }

  #createStream(path: string, stream: string, options: CreateOptions): DirectoryHandle {
    const base = this.#openFile(path, noAccess, options.access.noFollow ?? false)
    const baseName = nameOf(base.path)
    this.#root.watcher.begin(baseName)
    try {
      const target = { fd: base.fd, pathOnly: base.pathOnly }
      const opened = this.#store.create(target, stream)
      if (options.extendedAttributes !== undefined) writeExtendedAttributes(target, options.extendedAttributes)
      if ((options.allocationBytes ?? 0) > 0) fallocate(opened.fd, FALLOC_FL_KEEP_SIZE, 0, options.allocationBytes!)
      must(statFd(base.fd, stat), 'statx')
      return this.#handle(base, options.access, { ...opened, writable: true })
    } catch (error) {
      close(base.fd)
      throw error
    } finally {
      this.#root.watcher.end(baseName)
    }
  }

  stat(path: string, options: { readonly noFollow?: boolean } = {}): FileInfo | undefined {
    let file: OpenedFile
    try {
      file = this.#openFile(path, noAccess, options.noFollow ?? false)
    } catch (error) {
      if (error instanceof FsError && (error.code === 'not-found' || error.code === 'path-not-found')) return undefined
      throw error
    }
    try {
      must(statFd(file.fd, stat), 'statx')
      return infoOf(this.#root, stat, nameOf(file.path), readStored(file))
    } finally {
      close(file.fd)
    }
  }

  symlink(path: string, target: string, options: { readonly shown?: boolean } = {}): void {
    const root = this.#root
    root.assertWritable()
    checkPath(path)
    if (path === '' || isHidden(path) || upcase(target).includes(upcase(hiddenName))) throw new FsError('access-denied')
    if (target === '' || target.includes('\0')) throw new FsError('invalid-name')
    const folder = root.folder(parentOf(path))
    const name = nameOf(path)
    root.watcher.begin(name)
    try {
      if (root.findIn(folder, name) !== undefined) throw new FsError('exists')
      must(symlinkAt(encodeText(options.shown === true ? markShown(target) : target), folder.fd, diskPath(name)), 'symlink')
    } finally {
      root.watcher.end(name)
      root.release(folder)
    }
  }

  watch(path: string, options: { readonly recursive: boolean }, listener: (change: ExternalChange) => void): Disposable {
    checkPath(path)
    const folder = this.#root.folder(path)
    try {
      return this.#root.watcher.listen(folder.fd, folder.path, options.recursive, listener)
    } finally {
      this.#root.release(folder)
    }
  }

  pollChanges(): void {
    this.#root.watcher.drain()
  }

  close(): void {
    this.#store.close()
    this.#root.close()
  }
}

/**
 * Serves a local folder.
 *
 * @example
 * const files = directory('./docs')
 * const handle = await files.open('hello.txt', '', { read: true, write: false })
 * const target = Buffer.alloc(5)
 * await handle.read(target, 0) // => 5
 * target.toString() // => 'hello'
 * await handle.close()
 * files.close()
 *
 * @throws `FsError` `not-found`, `not-folder`, `access-denied`; `UNSUPPORTED_PLATFORM` where there is no Linux >= 5.6.
 */
export const directory = (folder: string, options: Partial<DirectoryOptions> = {}): DirectoryFileSystem => new DirectoryFileSystem(folder, options)
