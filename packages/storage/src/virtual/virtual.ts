/**
 * A filesystem made of anything that can be listed, read and perhaps written whole: rows of a table, members of an
 * archive, documents of an API. Write a `VirtualSource`; what SMB clients expect of a filesystem is done here.
 *
 * A file's content is fetched when it is first read, kept while the file is open, shared by all who have it open, and
 * handed to `write` when a change is flushed or the last of them closes it.
 */
import { createHash } from 'node:crypto'
import { fileAttribute, shownAttributes } from '../attributes.ts'
import {
  FsError,
  type CreateOptions,
  type Features,
  type FileInfo,
  type FileSystem,
  type FileTime,
  type MaybePromise,
  type OpenAccess,
  type VolumeInfo,
} from '../filesystem.ts'
import { checkPath, joinPath, nameOf, parentOf } from '../paths.ts'
import { fileTimeOfMs } from '../time.ts'
import { sameName, upcase } from '../upcase.ts'
import { VirtualHandle } from './handle.ts'

/** A file or folder, as a source tells it. */
export interface VirtualEntry {
  readonly name: string
  readonly isFolder?: boolean
  /** Of a file's content; right to the byte. */
  readonly sizeBytes?: number
  readonly writtenAt?: Date
  readonly createdAt?: Date
}

/** Where a virtual filesystem's content is. Paths are separated by `/`; the root is `''`. Throw `FsError` to say what went wrong. */
export interface VirtualSource {
  /** Entries of a folder. Called only for `''` and folders it has listed. */
  list(folder: string): MaybePromise<Iterable<VirtualEntry>>
  /** All of a file's content. */
  read(path: string): MaybePromise<Uint8Array>
  /** Creates or replaces a file. Without it the filesystem is read-only. */
  write?(path: string, content: Uint8Array): MaybePromise<void>
  remove?(path: string, isFolder: boolean): MaybePromise<void>
  /** Without it, a file is renamed by writing a new one and removing the old one. */
  rename?(from: string, to: string): MaybePromise<void>
  makeFolder?(path: string): MaybePromise<void>
}

/** What a virtual filesystem says of itself, and how much it keeps in memory. */
export interface VirtualOptions {
  readonly label: string
  /** Larger files are refused with `too-large`, since an open one is kept in memory. Default 256 MiB. */
  readonly maxFileBytes: number
  /** Told as the volume's size. Default 1 TiB. */
  readonly capacityBytes: number
}

/** A file's content while it is open. */
export class OpenContent {
  path: string
  bytes: Buffer
  sizeBytes: number
  changed = false
  handles = 0
  removed = false
  writtenAt: FileTime | undefined

  constructor(path: string, content: Uint8Array) {
    this.path = path
    this.bytes = Buffer.from(content)
    this.sizeBytes = content.length
  }

  get content(): Buffer {
    return this.bytes.subarray(0, this.sizeBytes)
  }

  /** Makes room; what is beyond the size is always zeros. */
  resize(sizeBytes: number): void {
    if (sizeBytes > this.bytes.length) {
      const grown = Buffer.alloc(Math.max(sizeBytes, this.bytes.length * 2, 4096))
      this.bytes.copy(grown, 0, 0, this.sizeBytes)
      this.bytes = grown
    } else if (sizeBytes < this.sizeBytes) this.bytes.fill(0, sizeBytes, this.sizeBytes)
    this.sizeBytes = sizeBytes
  }
}

const allocationUnitBytes = 4096

/** The filesystem that `virtualFileSystem` makes of a source. */
export class VirtualFileSystem implements FileSystem {
  readonly features: Features
  readonly source: VirtualSource
  readonly options: VirtualOptions
  readonly #startedAt: FileTime
  readonly #open = new Map<string, OpenContent>()

  constructor(source: VirtualSource, options: Partial<VirtualOptions> = {}, clock: () => FileTime = () => fileTimeOfMs(Date.now())) {
    this.source = source
    this.options = { label: 'virtual', maxFileBytes: 256 << 20, capacityBytes: 2 ** 40, ...options }
    this.#startedAt = clock()
    this.features = {
      readOnly: source.write === undefined,
      namedStreams: false,
      extendedAttributes: false,
      securityDescriptors: false,
      sparseFiles: false,
      symlinks: false,
      hardLinks: false,
      blockCloning: false,
      watch: false,
    }
  }

  volume(): VolumeInfo {
    const units = Math.floor(this.options.capacityBytes / allocationUnitBytes)
    const serialNumber = createHash('sha256').update(this.options.label).digest().readUInt32LE(0)
    return {
      label: this.options.label,
      serialNumber,
      createdAt: this.#startedAt,
      allocationUnitBytes,
      sectorBytes: 512,
      totalUnits: units,
      freeUnits: units,
      availableUnits: units,
      maxNameLength: 255,
    }
  }

  /** The entry and path as stored of a path in any case, or undefined. */
  async find(path: string): Promise<{ entry: VirtualEntry; path: string } | undefined> {
    checkPath(path)
    if (path === '') return { entry: { name: '', isFolder: true }, path: '' }
    const parent = await this.find(parentOf(path))
    if (parent === undefined || parent.entry.isFolder !== true) return undefined
    const wanted = nameOf(path)
    for (const entry of await this.source.list(parent.path))
      if (sameName(entry.name, wanted)) return { entry, path: joinPath(parent.path, entry.name) }
    return undefined
  }

  /** The path of the folder something is to be put into, as stored. Throws `path-not-found`. */
  async folderFor(path: string): Promise<string> {
    const parent = await this.find(parentOf(path))
    if (parent?.entry.isFolder !== true) throw new FsError('path-not-found', path)
    return parent.path
  }

  /** FileInfo of an entry; what is open counts more than what the source says. */
  infoOf(entry: VirtualEntry, path: string): FileInfo {
    const open = this.#open.get(upcase(path))
    const isFolder = entry.isFolder === true
    const sizeBytes = isFolder ? 0 : (open?.sizeBytes ?? entry.sizeBytes ?? 0)
    const writtenAt = open?.writtenAt ?? (entry.writtenAt ? fileTimeOfMs(entry.writtenAt.getTime()) : this.#startedAt)
    const attributes = this.features.readOnly && !isFolder ? fileAttribute.readOnly : isFolder ? 0 : fileAttribute.archive
    return {
      id: createHash('sha256').update(upcase(path)).digest().readBigUInt64LE(0),
      volumeId: 0n,
      name: entry.name,
      isFolder,
      kind: isFolder ? 'folder' : 'file',
      attributes: shownAttributes(attributes, isFolder),
      createdAt: entry.createdAt ? fileTimeOfMs(entry.createdAt.getTime()) : writtenAt,
      accessedAt: writtenAt,
      writtenAt,
      changedAt: writtenAt,
      sizeBytes,
      allocationBytes: Math.ceil(sizeBytes / allocationUnitBytes) * allocationUnitBytes,
      links: 1,
      eaSizeBytes: 0,
      reparseTag: 0,
    }
  }

  async open(path: string, stream: string, access: OpenAccess): Promise<VirtualHandle> {
    if (stream !== '') throw new FsError('not-found', 'no named streams here')
    const found = await this.find(path)
    if (found === undefined) {
      await this.folderFor(path)
      throw new FsError('not-found', path)
    }
    if (access.write) this.assertWritable()
    return new VirtualHandle(this, found.entry, found.path)
  }

  async create(path: string, stream: string, options: CreateOptions): Promise<VirtualHandle> {
    this.assertWritable()
    if (stream !== '') throw new FsError('not-supported', 'no named streams here')
    if ((await this.find(path)) !== undefined) throw new FsError('exists', path)
    const stored = joinPath(await this.folderFor(path), nameOf(path))
    if (options.folder) {
      if (this.source.makeFolder === undefined) throw new FsError('not-supported', 'no folders can be made here')
      await this.source.makeFolder(stored)
    } else await this.source.write!(stored, Buffer.alloc(0))
    return new VirtualHandle(this, { name: nameOf(path), isFolder: options.folder, sizeBytes: 0 }, stored)
  }

  async stat(path: string): Promise<FileInfo | undefined> {
    const found = await this.find(path)
    return found && this.infoOf(found.entry, found.path)
  }

  assertWritable(): void {
    if (this.features.readOnly) throw new FsError('read-only')
  }

  /** The content of a file that is open, fetched once. Give it back with `release`. */
  async acquire(path: string): Promise<OpenContent> {
    const key = upcase(path)
    let content = this.#open.get(key)
    if (content === undefined) {
      const fetched = await this.source.read(path)
      if (fetched.length > this.options.maxFileBytes) throw new FsError('too-large')
      content = this.#open.get(key)
      if (content === undefined) {
        content = new OpenContent(path, fetched)
        this.#open.set(key, content)
      }
    }
    content.handles++
    return content
  }

  async save(content: OpenContent): Promise<void> {
    if (!content.changed || content.removed) return
    content.changed = false
    await this.source.write!(content.path, content.content)
  }

  async release(content: OpenContent): Promise<void> {
    if (--content.handles > 0) return
    try {
      await this.save(content)
    } finally {
      if (content.handles === 0 && !content.removed && this.#open.get(upcase(content.path)) === content) this.#open.delete(upcase(content.path))
    }
  }

  /** Forgets or renames what is open under a path. */
  moved(from: string, to: string | undefined): void {
    const content = this.#open.get(upcase(from))
    if (content === undefined) return
    this.#open.delete(upcase(from))
    if (to === undefined) content.removed = true
    else {
      content.path = to
      this.#open.set(upcase(to), content)
    }
  }

  async close(): Promise<void> {
    for (const content of this.#open.values()) await this.save(content)
    this.#open.clear()
  }
}

/**
 * Makes a filesystem of a source.
 *
 * @example
 * const greetings = virtualFileSystem({
 *   list: () => [{ name: 'hello.txt', sizeBytes: 5 }],
 *   read: () => Buffer.from('hello'),
 * })
 * const info = await greetings.stat('hello.txt')
 * info?.sizeBytes // => 5
 */
export const virtualFileSystem = (source: VirtualSource, options: Partial<VirtualOptions> = {}): VirtualFileSystem =>
  new VirtualFileSystem(source, options)
