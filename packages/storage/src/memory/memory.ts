import { storableAttributes } from '../attributes.ts'
import {
  FsError,
  type CreateOptions,
  type Features,
  type FileInfo,
  type FileSystem,
  type FileTime,
  type OpenAccess,
  type VolumeInfo,
} from '../filesystem.ts'
import { checkPath, checkStream, nameOf, parentOf } from '../paths.ts'
import { fileTimeOfMs } from '../time.ts'
import { upcase } from '../upcase.ts'
import { Budget, SparseBytes, allocationUnitBytes } from './bytes.ts'
import { MemoryHandle, setExtendedAttributes } from './handle.ts'
import { addEntry, freeIfUnused, makeNode, nodeBytes, nodeInfo, removeEntry, type Entry, type Node, type Stream } from './node.ts'

/** How `memory` is set up. */
export interface MemoryOptions {
  /** Bytes of all files together (default 256 MiB); more fails with `no-space`. */
  readonly capacityBytes: number
  readonly label: string
  readonly serialNumber: number
  /** The time now, in 100 ns since 1601. */
  readonly clock: () => FileTime
}

const maxNameUnits = 255
/** As many links as Linux follows in one path. */
const maxLinks = 40

/** A filesystem in memory with everything there is: streams, extended attributes, security descriptors, links, sparse files. */
export class MemoryFileSystem implements FileSystem {
  readonly features: Features = {
    readOnly: false,
    namedStreams: true,
    extendedAttributes: true,
    securityDescriptors: true,
    sparseFiles: true,
    symlinks: true,
    hardLinks: true,
    blockCloning: false,
    watch: false,
  }
  readonly budget: Budget
  readonly root: Node
  readonly now: () => FileTime
  readonly #rootEntry: Entry
  readonly #options: MemoryOptions
  #nextId = 2n

  constructor(options: Partial<MemoryOptions> = {}) {
    this.#options = { capacityBytes: 256 << 20, label: 'memory', serialNumber: 0x6d656d, clock: () => fileTimeOfMs(Date.now()), ...options }
    this.budget = new Budget(this.#options.capacityBytes)
    this.now = this.#options.clock
    this.root = makeNode(this.budget, { id: 1n, kind: 'folder', attributes: 0, now: this.now() })
    this.#rootEntry = { name: '', node: this.root, parent: undefined }
  }

  volume(): VolumeInfo {
    const freeUnits = Math.floor(this.budget.freeBytes / allocationUnitBytes)
    return {
      label: this.#options.label,
      serialNumber: this.#options.serialNumber,
      createdAt: this.root.createdAt,
      allocationUnitBytes,
      sectorBytes: 512,
      totalUnits: Math.floor(this.budget.limitBytes / allocationUnitBytes),
      freeUnits,
      availableUnits: freeUnits,
      maxNameLength: maxNameUnits,
    }
  }

  /** The name at a path. Throws `not-found`, `path-not-found`, `escapes`. */
  lookup(path: string, noFollow = false): Entry {
    checkPath(path)
    let entry = this.#rootEntry
    /** Folders walked through, for `..` in links. */
    const above: Entry[] = []
    const components = path === '' ? [] : path.split('/')
    let links = 0
    while (components.length > 0) {
      const component = components.shift()!
      if (component === '.' || component === '') continue
      if (component === '..') {
        if (above.length === 0) throw new FsError('escapes')
        entry = above.pop()!
        continue
      }
      const missing = components.length > 0 ? 'path-not-found' : 'not-found'
      if (entry.node.kind !== 'folder') throw new FsError('path-not-found', path)
      const next = entry.node.children.get(upcase(component))
      if (next === undefined) throw new FsError(missing, path)
      const { target } = next.node
      if (target !== undefined && !(noFollow && components.length === 0)) {
        if (target.startsWith('/')) throw new FsError('escapes')
        if (++links > maxLinks) throw new FsError(missing, 'too many links')
        components.unshift(...target.split('/'))
        continue
      }
      above.push(entry)
      entry = next
    }
    return entry
  }

  /** The name at a path, and what it stands for (they differ where the name is that of a link). */
  #find(path: string, noFollow: boolean): { entry: Entry; node: Node } {
    const entry = this.lookup(path, true)
    return { entry, node: noFollow || entry.node.target === undefined ? entry.node : this.lookup(path).node }
  }

  /** What an entry is shown as: what a link points to, or the link itself where that is not there. */
  shown(entry: Entry): Node {
    if (entry.node.target === undefined) return entry.node
    try {
      return this.lookup(this.pathOf(entry)).node
    } catch {
      return entry.node
    }
  }

  /** The path of a name; folders have one name each. */
  pathOf(entry: Entry): string {
    const names = [entry.name]
    for (let folder = entry.parent; folder !== undefined && folder !== this.root;) {
      const found: Entry | undefined = this.#entryOf(folder)
      if (found === undefined) break
      names.unshift(found.name)
      folder = found.parent
    }
    return names.join('/')
  }

  readonly #folderEntries = new WeakMap<Node, Entry>()

  #entryOf(folder: Node): Entry | undefined {
    return this.#folderEntries.get(folder)
  }

  /** Whether `folder` is `ancestor` or below it. */
  isWithin(folder: Node, ancestor: Node): boolean {
    for (let at: Node | undefined = folder; at !== undefined; at = this.#entryOf(at)?.parent) if (at === ancestor) return true
    return false
  }

  /** Where a new name goes. Throws `path-not-found`, `invalid-name`, `name-too-long`. */
  placeFor(path: string): { parent: Node; name: string } {
    checkPath(path)
    if (path === '') throw new FsError('access-denied')
    const name = nameOf(path)
    if (name.length > maxNameUnits) throw new FsError('name-too-long')
    let parent: Node
    try {
      parent = this.lookup(parentOf(path)).node
    } catch (error) {
      if (error instanceof FsError && error.code === 'not-found') throw new FsError('path-not-found', path)
      throw error
    }
    if (parent.kind !== 'folder') throw new FsError('path-not-found', path)
    return { parent, name }
  }

  open(path: string, stream: string, access: OpenAccess): MemoryHandle {
    checkStream(stream)
    const { entry, node } = this.#find(path, access.noFollow ?? false)
    return new MemoryHandle(this, entry, node, stream === '' ? undefined : this.#streamOf(node, stream))
  }

  #streamOf(node: Node, name: string): Stream {
    const stream = node.streams.get(upcase(name))
    if (stream === undefined) throw new FsError('not-found', `no stream ${JSON.stringify(name)}`)
    return stream
  }

  create(path: string, stream: string, options: CreateOptions): MemoryHandle {
    checkPath(path)
    checkStream(stream)
    if (stream !== '') return this.#createStream(path, stream, options)
    if (path === '') throw new FsError('exists')
    const { parent, name } = this.placeFor(path)
    if (parent.children.has(upcase(name))) throw new FsError('exists')
    const kind = options.folder ? 'folder' : 'file'
    const now = this.now()
    const node = makeNode(this.budget, { id: this.#nextId++, kind, attributes: options.attributes & storableAttributes, now })
    const entry = addEntry(parent, name, node, now)
    if (options.folder) this.#folderEntries.set(node, entry)
    const handle = new MemoryHandle(this, entry, node, undefined)
    try {
      if (options.security !== undefined) node.security = Buffer.from(options.security)
      if (options.extendedAttributes !== undefined) setExtendedAttributes(node, options.extendedAttributes)
      if (!options.folder && options.allocationBytes) handle.setAllocation(options.allocationBytes)
    } catch (error) {
      removeEntry(entry, now)
      handle.close()
      throw error
    }
    return handle
  }

  #createStream(path: string, name: string, options: CreateOptions): MemoryHandle {
    const { entry, node } = this.#find(path, options.access.noFollow ?? false)
    if (node.streams.has(upcase(name))) throw new FsError('exists')
    this.budget.take(nodeBytes)
    const stream = { name, bytes: new SparseBytes(this.budget) }
    stream.bytes.reservedBytes = options.allocationBytes ?? 0
    node.streams.set(upcase(name), stream)
    return new MemoryHandle(this, entry, node, stream)
  }

  stat(path: string, options: { readonly noFollow?: boolean } = {}): FileInfo | undefined {
    try {
      const { entry, node } = this.#find(path, options.noFollow ?? false)
      return nodeInfo(node, entry.name)
    } catch (error) {
      if (error instanceof FsError && (error.code === 'not-found' || error.code === 'path-not-found')) return undefined
      throw error
    }
  }

  symlink(path: string, target: string): void {
    const { parent, name } = this.placeFor(path)
    if (target === '' || target.includes('\0')) throw new FsError('invalid-name')
    if (parent.children.has(upcase(name))) throw new FsError('exists')
    const now = this.now()
    addEntry(parent, name, makeNode(this.budget, { id: this.#nextId++, kind: 'symlink', attributes: 0, now, target }), now)
  }

  /** Frees what nothing refers to any more; handles stay usable. */
  close(): void {
    const drop = (folder: Node): void => {
      for (const entry of folder.children.values()) {
        drop(entry.node)
        removeEntry(entry, 0n)
        freeIfUnused(this.budget, entry.node)
      }
    }
    drop(this.root)
  }
}

/**
 * A filesystem in memory, for tests and scratch space.
 *
 * @example
 * const files = memory({ capacityBytes: 64 << 20 })
 * const handle = await files.create('note.txt', '', { folder: false, attributes: 0, access: { read: true, write: true } })
 * await handle.write(Buffer.from('milk'), 0)
 * const info = await files.stat('note.txt')
 * info?.sizeBytes // => 4
 */
export const memory = (options: Partial<MemoryOptions> = {}): MemoryFileSystem => new MemoryFileSystem(options)
