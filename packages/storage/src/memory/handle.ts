import { storableAttributes } from '../attributes.ts'
import {
  FsError,
  type ByteRange,
  type ExtendedAttribute,
  type FileHandle,
  type FileInfo,
  type FolderEntry,
  type InfoChange,
  type StreamInfo,
} from '../filesystem.ts'
import { checkStream } from '../paths.ts'
import { sameName, upcase } from '../upcase.ts'
import type { SparseBytes } from './bytes.ts'
import type { MemoryFileSystem } from './memory.ts'
import { addEntry, freeIfUnused, nodeBytes, nodeInfo, removeEntry, type Entry, type Node, type Stream } from './node.ts'

/** An open file, folder or stream of a memory filesystem. */
export class MemoryHandle implements FileHandle {
  readonly id: bigint
  readonly isFolder: boolean
  readonly #files: MemoryFileSystem
  readonly #entry: Entry
  readonly #node: Node
  readonly #stream: Stream | undefined
  #closed = false

  constructor(files: MemoryFileSystem, entry: Entry, node: Node, stream: Stream | undefined) {
    this.#files = files
    this.#entry = entry
    this.#node = node
    this.#stream = stream
    this.id = node.id
    this.isFolder = node.kind === 'folder' && stream === undefined
    node.handles++
  }

  #open(): Node {
    if (this.#closed) throw new FsError('invalid', 'the handle is closed')
    return this.#node
  }

  #bytes(): SparseBytes {
    const node = this.#open()
    if (this.isFolder) throw new FsError('is-folder')
    if (node.kind === 'symlink' && this.#stream === undefined) throw new FsError('not-supported')
    return this.#stream?.bytes ?? node.data
  }

  #touch(written: boolean): void {
    const now = this.#files.now()
    if (written) this.#node.writtenAt = now
    this.#node.changedAt = now
  }

  info(): FileInfo {
    return nodeInfo(this.#open(), this.#entry.name, this.#stream)
  }

  read(target: Uint8Array, offset: number): number {
    return this.#bytes().read(target, offset)
  }

  write(source: Uint8Array, offset: number): void {
    this.#bytes().write(source, offset)
    this.#touch(true)
  }

  setSize(sizeBytes: number): void {
    this.#bytes().setSize(sizeBytes)
    this.#touch(true)
  }

  setAllocation(allocationBytes: number): void {
    const bytes = this.#bytes()
    if (allocationBytes - bytes.allocationBytes(false) > this.#files.budget.freeBytes) throw new FsError('no-space')
    if (allocationBytes < bytes.sizeBytes) bytes.setSize(allocationBytes)
    bytes.reservedBytes = allocationBytes
    this.#touch(true)
  }

  setInfo(change: InfoChange): void {
    const node = this.#open()
    if (change.attributes !== undefined) node.attributes = change.attributes & storableAttributes
    node.createdAt = change.createdAt ?? node.createdAt
    node.accessedAt = change.accessedAt ?? node.accessedAt
    node.writtenAt = change.writtenAt ?? node.writtenAt
    node.changedAt = change.changedAt ?? this.#files.now()
  }

  flush(): void {
    this.#open()
  }

  zeroRange(range: ByteRange): void {
    this.#bytes().zero(range)
    this.#touch(true)
  }

  allocatedRanges(range: ByteRange): readonly ByteRange[] {
    return this.#bytes().allocatedRanges(range)
  }

  copyFrom(source: FileHandle, sourceOffset: number, targetOffset: number, lengthBytes: number): number {
    if (!(source instanceof MemoryHandle)) throw new FsError('cross-device', 'a handle of another filesystem')
    const from = source.#bytes()
    const to = this.#bytes()
    const length = Math.min(lengthBytes, Math.max(0, from.sizeBytes - sourceOffset))
    const buffer = Buffer.allocUnsafe(Math.min(length, 1 << 20))
    const backwards = from === to && targetOffset > sourceOffset
    for (let done = 0; done < length;) {
      const part = buffer.subarray(0, Math.min(buffer.length, length - done))
      const at = backwards ? length - done - part.length : done
      from.read(part, sourceOffset + at)
      to.write(part, targetOffset + at)
      done += part.length
    }
    if (length > 0) this.#touch(true)
    return length
  }

  cloneFrom(): void {
    throw new FsError('not-supported')
  }

  entries(names?: readonly string[]): Iterable<FolderEntry | undefined> {
    const { children } = this.#folder()
    const entries = names === undefined ? [...children.values()] : names.map(name => children.get(upcase(name)))
    return this.#list(entries.filter(entry => entry !== undefined))
  }

  *#list(entries: readonly Entry[]): Generator<FolderEntry | undefined> {
    for (const entry of entries) yield entry.parent === undefined ? undefined : nodeInfo(this.#files.shown(entry), entry.name)
  }

  entryNames(): readonly string[] {
    return [...this.#folder().children.values()].map(entry => entry.name)
  }

  #folder(): Node {
    const node = this.#open()
    if (!this.isFolder) throw new FsError('not-folder')
    return node
  }

  streams(): readonly StreamInfo[] {
    const node = this.#open()
    const named = [...node.streams.values()]
    const all = node.kind === 'file' ? [{ name: '', bytes: node.data }, ...named] : named
    return all.map(({ name, bytes }) => ({ name, sizeBytes: bytes.sizeBytes, allocationBytes: bytes.allocationBytes(false) }))
  }

  extendedAttributes(): readonly ExtendedAttribute[] {
    return [...this.#open().extendedAttributes.values()]
  }

  setExtendedAttributes(changes: readonly ExtendedAttribute[]): void {
    setExtendedAttributes(this.#open(), changes)
    this.#touch(false)
  }

  security(): Uint8Array | undefined {
    return this.#open().security
  }

  setSecurity(descriptor: Uint8Array): void {
    this.#open().security = Buffer.from(descriptor)
    this.#touch(false)
  }

  readLink(): string | undefined {
    return this.#open().target
  }

  rename(to: { readonly path: string; readonly stream?: string }, options: { readonly replace: boolean }): void {
    const node = this.#open()
    if (this.#stream !== undefined) return this.#renameStream(to, options.replace)
    if (to.stream) throw new FsError('not-supported', 'a file cannot become a stream')
    const entry = this.#entry
    if (entry.parent === undefined) throw new FsError(node === this.#files.root ? 'access-denied' : 'not-found')
    const { parent, name } = this.#files.placeFor(to.path)
    if (entry.node.kind === 'folder' && this.#files.isWithin(parent, node)) throw new FsError('invalid', 'a folder cannot move into itself')
    const present = parent.children.get(upcase(name))
    if (present === entry && present.name === name) return
    if (present !== undefined && present !== entry) this.#replace(present, options.replace)
    const now = this.#files.now()
    removeEntry(entry, now)
    entry.name = name
    entry.parent = parent
    parent.children.set(upcase(name), entry)
    parent.writtenAt = now
    parent.changedAt = now
    entry.node.links++
  }

  /** Makes room for this handle's file under a name that is taken. */
  #replace(present: Entry, replace: boolean): void {
    if (!replace) throw new FsError('exists')
    const isFolder = this.#entry.node.kind === 'folder'
    if (present.node.kind === 'folder' && !isFolder) throw new FsError('is-folder')
    if (present.node.kind !== 'folder' && isFolder) throw new FsError('not-folder')
    if (present.node.children.size > 0) throw new FsError('not-empty')
    removeEntry(present, this.#files.now())
    freeIfUnused(this.#files.budget, present.node)
  }

  #renameStream(to: { readonly path: string; readonly stream?: string }, replace: boolean): void {
    const node = this.#node
    const stream = this.#stream!
    const name = to.stream ?? ''
    checkStream(name)
    if (this.#files.lookup(to.path).node !== node) throw new FsError('invalid', 'a stream stays with its file')
    if (name === '') {
      if (node.kind === 'folder') throw new FsError('is-folder')
      if (node.data.sizeBytes > 0 && !replace) throw new FsError('exists')
      node.data.setSize(0)
      const buffer = Buffer.allocUnsafe(stream.bytes.sizeBytes)
      stream.bytes.read(buffer, 0)
      node.data.write(buffer, 0)
      this.remove()
      return
    }
    const present = node.streams.get(upcase(name))
    if (present !== undefined && present !== stream) {
      if (!replace) throw new FsError('exists')
      present.bytes.free()
      this.#files.budget.give(nodeBytes)
    }
    node.streams.delete(upcase(stream.name))
    stream.name = name
    node.streams.set(upcase(name), stream)
  }

  link(path: string, options: { readonly replace: boolean }): void {
    const node = this.#open()
    if (this.isFolder) throw new FsError('is-folder')
    const { parent, name } = this.#files.placeFor(path)
    const present = parent.children.get(upcase(name))
    if (present !== undefined) {
      if (present.node === node && options.replace) {
        present.name = name
        return
      }
      this.#replace(present, options.replace)
    }
    addEntry(parent, name, node, this.#files.now())
  }

  remove(): void {
    const node = this.#open()
    if (this.#stream !== undefined) {
      if (node.streams.get(upcase(this.#stream.name)) !== this.#stream) throw new FsError('not-found')
      node.streams.delete(upcase(this.#stream.name))
      this.#files.budget.give(nodeBytes)
      return
    }
    if (node === this.#files.root) throw new FsError('access-denied', 'the root has no name')
    if (this.#entry.parent === undefined) throw new FsError('not-found')
    // Through a followed link it is the link that goes.
    const named = this.#entry.node
    if (named.children.size > 0) throw new FsError('not-empty')
    removeEntry(this.#entry, this.#files.now())
    freeIfUnused(this.#files.budget, named)
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#node.handles--
    if (this.#node !== this.#files.root) freeIfUnused(this.#files.budget, this.#node)
  }
}

/** Applies changes to a node's extended attributes; an empty value removes. */
export const setExtendedAttributes = (node: Node, changes: readonly ExtendedAttribute[]): void => {
  for (const { name } of changes) if (name === '' || name.length > 255) throw new FsError('invalid-name', 'not the name of an extended attribute')
  for (const { name, value, flags } of changes) {
    const stored = node.extendedAttributes.get(upcase(name))
    if (value.length === 0) node.extendedAttributes.delete(upcase(name))
    else
      node.extendedAttributes.set(upcase(name), {
        name: stored !== undefined && sameName(stored.name, name) ? stored.name : name,
        value: Buffer.from(value),
        flags,
      })
  }
}
