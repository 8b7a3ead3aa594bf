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
import { joinPath, nameOf } from '../paths.ts'
import { fileTimeOfMs } from '../time.ts'
import { sameName } from '../upcase.ts'
import type { OpenContent, VirtualEntry, VirtualFileSystem } from './virtual.ts'

/** An open file or folder of a virtual filesystem. */
export class VirtualHandle implements FileHandle {
  readonly id: bigint
  readonly isFolder: boolean
  readonly #files: VirtualFileSystem
  #entry: VirtualEntry
  #path: string
  #content: OpenContent | undefined
  #fetching: Promise<OpenContent> | undefined
  #closed = false

  constructor(files: VirtualFileSystem, entry: VirtualEntry, path: string) {
    this.#files = files
    this.#entry = entry
    this.#path = path
    this.isFolder = entry.isFolder === true
    this.id = files.infoOf(entry, path).id
  }

  info(): FileInfo {
    const info = this.#files.infoOf(this.#entry, this.#path)
    const content = this.#content
    return content === undefined
      ? info
      : { ...info, sizeBytes: content.sizeBytes, allocationBytes: Math.ceil(content.sizeBytes / 4096) * 4096, id: this.id }
  }

  /** The content, at hand after the first time. */
  #bytes<T>(use: (content: OpenContent) => T): MaybePromise<T> {
    if (this.#closed) throw new FsError('invalid', 'the handle is closed')
    if (this.isFolder) throw new FsError('is-folder')
    if (this.#content !== undefined) return use(this.#content)
    this.#fetching ??= this.#files.acquire(this.#path).then(content => (this.#content = content))
    return this.#fetching.then(use)
  }

  #change<T>(use: (content: OpenContent) => T): MaybePromise<T> {
    this.#files.assertWritable()
    return this.#bytes(content => {
      content.changed = true
      content.writtenAt = fileTimeOfMs(Date.now())
      return use(content)
    })
  }

  read(target: Uint8Array, offset: number): MaybePromise<number> {
    return this.#bytes(({ content }) => {
      const part = content.subarray(offset, offset + target.length)
      target.set(part)
      return part.length
    })
  }

  write(source: Uint8Array, offset: number): MaybePromise<void> {
    return this.#change(content => {
      this.#resize(content, Math.max(content.sizeBytes, offset + source.length))
      content.bytes.set(source, offset)
    })
  }

  #resize(content: OpenContent, sizeBytes: number): void {
    if (sizeBytes > this.#files.options.maxFileBytes) throw new FsError('too-large')
    content.resize(sizeBytes)
  }

  setSize(sizeBytes: number): MaybePromise<void> {
    return this.#change(content => this.#resize(content, sizeBytes))
  }

  setAllocation(allocationBytes: number): MaybePromise<void> {
    if (allocationBytes > this.#files.options.maxFileBytes) throw new FsError('no-space')
    if (allocationBytes < this.info().sizeBytes) return this.setSize(allocationBytes)
  }

  /** Sources keep no attributes, and their own times. */
  setInfo(_change: InfoChange): void {
    this.#files.assertWritable()
  }

  flush(): MaybePromise<void> {
    if (this.#content !== undefined) return this.#files.save(this.#content)
  }

  zeroRange({ offset, length }: ByteRange): MaybePromise<void> {
    return this.#change(content => void content.content.fill(0, Math.min(offset, content.sizeBytes), Math.min(offset + length, content.sizeBytes)))
  }

  allocatedRanges({ offset, length }: ByteRange): MaybePromise<readonly ByteRange[]> {
    return this.#bytes(({ sizeBytes }) => {
      const end = Math.min(offset + length, sizeBytes)
      return end > offset ? [{ offset, length: end - offset }] : []
    })
  }

  async copyFrom(source: FileHandle, sourceOffset: number, targetOffset: number, lengthBytes: number): Promise<number> {
    if (!(source instanceof VirtualHandle)) throw new FsError('cross-device', 'a handle of another filesystem')
    const part = await source.#bytes(({ content }) => Buffer.from(content.subarray(sourceOffset, sourceOffset + lengthBytes)))
    await this.write(part, targetOffset)
    return part.length
  }

  cloneFrom(): void {
    throw new FsError('not-supported')
  }

  async entries(names?: readonly string[]): Promise<Iterable<FolderEntry | undefined>> {
    if (!this.isFolder) throw new FsError('not-folder')
    const entries = [...(await this.#files.source.list(this.#path))]
    const wanted = names === undefined ? entries : entries.filter(({ name }) => names.some(other => sameName(name, other)))
    return wanted.map(entry => this.#files.infoOf(entry, joinPath(this.#path, entry.name)))
  }

  streams(): readonly StreamInfo[] {
    const { sizeBytes, allocationBytes } = this.info()
    return this.isFolder ? [] : [{ name: '', sizeBytes, allocationBytes }]
  }

  extendedAttributes(): readonly ExtendedAttribute[] {
    return []
  }

  setExtendedAttributes(): void {
    throw new FsError('not-supported')
  }

  security(): undefined {
    return undefined
  }

  setSecurity(): void {
    throw new FsError('not-supported')
  }

  readLink(): undefined {
    return undefined
  }

  async rename(to: { readonly path: string; readonly stream?: string }, options: { readonly replace: boolean }): Promise<void> {
    const files = this.#files
    const { source } = files
    files.assertWritable()
    if (to.stream) throw new FsError('not-supported')
    const present = await files.find(to.path)
    if (present !== undefined && present.path !== this.#path) {
      if (!options.replace) throw new FsError('exists')
      if (present.entry.isFolder) throw new FsError('is-folder')
      await source.remove?.(present.path, false)
      files.moved(present.path, undefined)
    }
    const target = joinPath(await files.folderFor(to.path), nameOf(to.path))
    if (source.rename !== undefined) await source.rename(this.#path, target)
    else if (this.isFolder || source.remove === undefined) throw new FsError('not-supported')
    else {
      await this.#bytes(() => undefined)
      await source.write!(target, this.#content!.content)
      if (!sameName(target, this.#path)) await source.remove(this.#path, false)
    }
    files.moved(this.#path, target)
    this.#path = target
    this.#entry = { ...this.#entry, name: nameOf(target) }
  }

  link(): void {
    throw new FsError('not-supported')
  }

  async remove(): Promise<void> {
    const { source } = this.#files
    this.#files.assertWritable()
    if (this.#path === '') throw new FsError('access-denied')
    if (source.remove === undefined) throw new FsError('not-supported')
    if (this.isFolder) for (const _ of await source.list(this.#path)) throw new FsError('not-empty')
    await source.remove(this.#path, this.isFolder)
    this.#files.moved(this.#path, undefined)
    if (this.#content !== undefined) this.#content.removed = true
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    const content = this.#content ?? (await this.#fetching?.catch(() => undefined))
    if (content !== undefined) await this.#files.release(content)
  }
}
