/** The files that are read, and those that were a moment ago: a file that is asked for again and has not changed need not be opened again. */

import { formatHttpDate, responseHead, type ResponseFields } from '@holdfast/http'
import { type FileHandle, type FileInfo, FsError, type MaybePromise, unixTimeOf } from '@holdfast/storage'
import { mediaTypeOf } from './media-types.ts'
import type { ContentShare, Reader } from './shares.ts'

/** How many files stay open, and for how long after they were read. */
export interface OpenFilesLimits {
  readonly filesMax: number
  readonly idleMs: number
}

/** What a browser may do with a document of a share that has no active content: show it, and nothing else (CSP 3, `sandbox`). */
const inert = 'sandbox'

/** An open file or folder, with all that its responses say of it. */
export class OpenFile {
  readonly share: ContentShare
  readonly path: string
  readonly handle: FileHandle
  readonly isFolder: boolean
  readonly sizeBytes: number
  /** Strong (RFC 9110 8.8.3): another version of the file has another size or change time, another file another id. */
  readonly etag: string
  /** Seconds since 1970; undefined where the file says that it is of the future, which no response may say (RFC 9110 8.8.2.1). */
  readonly lastModified: number | undefined
  readonly fields: ResponseFields
  /** Of a 200 response, but for the fields that a connection adds. */
  readonly wholeHead: Buffer
  readonly #security: Uint8Array | undefined
  readonly #mayRead = new WeakMap<Reader, boolean>()
  /** Responses that are made of it. */
  users = 0
  usedAtMs = 0
  #isDropped = false

  constructor(of: {
    readonly share: ContentShare
    readonly path: string
    readonly handle: FileHandle
    readonly info: FileInfo
    readonly security: Uint8Array | undefined
  }) {
    const { share, path, handle, info } = of
    this.share = share
    this.path = path
    this.handle = handle
    this.isFolder = info.isFolder
    this.sizeBytes = info.sizeBytes
    this.#security = of.security
    this.etag = `"${info.id.toString(36)}-${info.sizeBytes.toString(36)}-${info.changedAt.toString(36)}"`
    const { seconds } = unixTimeOf(info.writtenAt)
    this.lastModified = seconds * 1000 > Date.now() ? undefined : seconds
    const media = mediaTypeOf(path)
    this.fields = {
      'Content-Type': media.value,
      ETag: this.etag,
      'Last-Modified': this.lastModified === undefined ? undefined : formatHttpDate(this.lastModified * 1000),
      'Accept-Ranges': 'bytes',
      'Content-Security-Policy': media.isScriptable && !share.hasActiveContent ? inert : undefined,
      ...shareFields(share),
    }
    this.wholeHead = Buffer.from(withoutEnd(responseHead(200, { ...this.fields, 'Content-Length': String(this.sizeBytes) })), 'latin1')
  }

  mayBeReadBy(reader: Reader): boolean {
    let may = this.#mayRead.get(reader)
    if (may === undefined) this.#mayRead.set(reader, (may = this.share.mayRead(reader, this.#security)))
    return may
  }

  /** Nobody gets it any more: it is closed as soon as nobody has it. */
  drop(): void {
    if (this.#isDropped) return
    this.#isDropped = true
    if (this.users === 0) void this.handle.close()
  }

  release(): void {
    this.users--
    if (this.users === 0 && this.#isDropped) void this.handle.close()
  }
}

/** What every response of a share says: caches ask each time, and other origins get nothing that somebody had to log in for. */
export const shareFields = (share: ContentShare): ResponseFields => ({
  'Cache-Control': share.isPublic ? 'no-cache' : 'private, no-cache',
  'X-Content-Type-Options': 'nosniff',
  'Cross-Origin-Resource-Policy': share.isPublic ? undefined : 'same-origin',
})

/** A head to which fields are added. */
export const withoutEnd = (head: string): string => head.slice(0, -2)

/** By share and path. What `open` gives is given back with `release`. */
export class OpenFiles {
  readonly #limits: OpenFilesLimits
  readonly #nowMs: () => number
  /** Those that know whether they are current; the one that was opened first goes first. */
  readonly #kept = new Map<string, OpenFile>()

  constructor(limits: OpenFilesLimits, nowMs: () => number) {
    this.#limits = limits
    this.#nowMs = nowMs
  }

  get size(): number {
    return this.#kept.size
  }

  /** Opens to read, in any case of its name. Throws FsError. */
  open(share: ContentShare, path: string): MaybePromise<OpenFile> {
    const key = `${share.name}/${path}`
    const kept = this.#kept.get(key)
    if (kept !== undefined) {
      if (kept.share === share && kept.handle.isCurrent?.() === true) return this.#use(kept)
      this.#kept.delete(key)
      kept.drop()
    }
    // A folder that has been removed is no share until it is back, as for a tree connect.
    const available = share.fileSystem.available?.() ?? true
    if (available instanceof Promise) return available.then(is => this.#openNow(share, path, is))
    return this.#openNow(share, path, available)
  }

  #openNow(share: ContentShare, path: string, isAvailable: boolean): MaybePromise<OpenFile> {
    if (!isAvailable) throw new FsError('stale')
    const handle = share.fileSystem.open(path, '', { read: true, write: false })
    return handle instanceof Promise ? handle.then(opened => this.#opened(share, path, opened)) : this.#opened(share, path, handle)
  }

  #use(file: OpenFile): OpenFile {
    file.users++
    file.usedAtMs = this.#nowMs()
    return file
  }

  #opened(share: ContentShare, path: string, handle: FileHandle): MaybePromise<OpenFile> {
    try {
      const info = handle.info()
      const security = handle.security()
      if (!(info instanceof Promise) && !(security instanceof Promise)) return this.#made({ share, path, handle, info, security })
      return Promise.all([info, security])
        .then(([info, security]) => this.#made({ share, path, handle, info, security }))
        .catch(async (error: unknown) => {
          await handle.close()
          throw error
        })
    } catch (error) {
      void handle.close()
      throw error
    }
  }

  #made(of: ConstructorParameters<typeof OpenFile>[0]): OpenFile {
    if (of.info.kind !== 'file' && of.info.kind !== 'folder') throw new FsError('access-denied', 'neither a file nor a folder')
    const file = this.#use(new OpenFile(of))
    // A name in another case may be another file's a moment later.
    const isKept = !file.isFolder && of.handle.isCurrent !== undefined && of.handle.path === of.path
    if (isKept) this.#keep(file)
    else file.drop()
    return file
  }

  #keep(file: OpenFile): void {
    const key = `${file.share.name}/${file.path}`
    this.#kept.get(key)?.drop()
    this.#kept.set(key, file)
    if (this.#kept.size <= this.#limits.filesMax) return
    const [[oldest, dropped]] = this.#kept
    this.#kept.delete(oldest)
    dropped.drop()
  }

  /** Closes those that have not been read for a while: what has been deleted shall not take space for long. */
  sweep(): void {
    const before = this.#nowMs() - this.#limits.idleMs
    for (const [key, file] of this.#kept) {
      if (file.users > 0 || file.usedAtMs > before) continue
      this.#kept.delete(key)
      file.drop()
    }
  }

  close(): void {
    for (const file of this.#kept.values()) file.drop()
    this.#kept.clear()
  }
}
