/**
 * What a share serves: an async filesystem interface in the spirit of FUSE's low-level one.
 *
 * `directory` and `memory` implement it, and anybody's own filesystem may. A method returns its result at
 * once where it can and a promise where it must wait (`MaybePromise`), so that data the page cache holds
 * costs no turn of the event loop.
 *
 * Division of labour: a filesystem keeps names, bytes and metadata. Share modes, byte-range locks, oplocks,
 * delete-on-close, access checks and change notification of what the server itself does are the server's.
 *
 * Paths are relative to the filesystem's root, components separated by `/`, without leading slash, `.` or
 * `..`; the root is `''`. Names are compared without regard to case (simple upper-casing of UTF-16 code
 * units, as Windows does) and keep the case they were created with. A name is any string of UTF-16 code
 * units (unpaired surrogates included) without NUL, `/` and `\`. A filesystem may refuse with `invalid-name` what
 * SMB cannot carry (`"*:<>?|` and control characters). Streams' names have neither NUL, `/`, `\` nor `:`.
 */

/** A result at hand, or one that will come. */
export type MaybePromise<T> = T | Promise<T>

/** Time in 100 ns units since 1601-01-01 UTC (MS-DTYP 2.3.3); 0n is "not set". */
export type FileTime = bigint

/** FILE_ATTRIBUTE_* bits (MS-FSCC 2.6). */
export type FileAttributes = number

/** Metadata of a file, folder or named stream, in the terms of MS-FSCC 2.4. */
export interface FileInfo {
  /** Unique in this filesystem while the file exists, and the same for all its names and streams. */
  readonly id: bigint
  /** Distinguishes filesystems below one root (a device number), 0n where there is only one. */
  readonly volumeId: bigint
  /** The last component as stored (the case it was created with); `''` for the root. */
  readonly name: string
  readonly isFolder: boolean
  /** Set when the object is a symbolic link that is shown as such, or something neither file nor folder. */
  readonly kind: 'file' | 'folder' | 'symlink' | 'other'
  readonly attributes: FileAttributes
  readonly createdAt: FileTime
  readonly accessedAt: FileTime
  readonly writtenAt: FileTime
  readonly changedAt: FileTime
  /** End of file of the opened stream, in bytes. */
  readonly sizeBytes: number
  /** Space it occupies (a multiple of the allocation unit, 0 where nothing is allocated). */
  readonly allocationBytes: number
  readonly links: number
  /** Total size of the extended attributes as FILE_FULL_EA_INFORMATION, 0 where there are none. */
  readonly eaSizeBytes: number
  /** FILE_ATTRIBUTE_REPARSE_POINT's tag, 0 without one. */
  readonly reparseTag: number
}

/** A name in a folder, with its metadata. */
export interface FolderEntry extends FileInfo {}

/** What can be changed of a file's metadata; what is left out stays. */
export interface InfoChange {
  /** All that are to be set: also SPARSE, which is kept as given. 0 and NORMAL: none. */
  readonly attributes?: FileAttributes
  readonly createdAt?: FileTime
  readonly accessedAt?: FileTime
  readonly writtenAt?: FileTime
  /** Counts until the next change. A filesystem whose system keeps this time by itself may ignore it. */
  readonly changedAt?: FileTime
}

/** A data stream of a file (MS-FSCC 2.4.49). */
export interface StreamInfo {
  /** `''` is the unnamed data stream. */
  readonly name: string
  readonly sizeBytes: number
  readonly allocationBytes: number
}

/** A small named value that a file carries (MS-FSCC 2.4.16). */
export interface ExtendedAttribute {
  /** As given by the client; compared without regard to case. At most 255 bytes. */
  readonly name: string
  readonly value: Uint8Array
  /** FILE_NEED_EA (MS-FSCC 2.4.16). */
  readonly flags: number
}

/** A part of a file, in bytes. */
export interface ByteRange {
  readonly offset: number
  readonly length: number
}

/** What an open is going to do; a filesystem may use it to choose how it opens. */
export interface OpenAccess {
  readonly read: boolean
  readonly write: boolean
  /** Show a symbolic link itself instead of what it points to. */
  readonly noFollow?: boolean
  /** Fail with `symlink` at a link that folder listings show as one: made with `shown`, or leading nowhere. A filesystem may ignore it. */
  readonly stopAtLink?: boolean
  /** Every write must be on stable storage before it is answered. */
  readonly writeThrough?: boolean
}

/** What a new file, folder or stream is to be like. */
export interface CreateOptions {
  readonly folder: boolean
  readonly attributes: FileAttributes
  /** A self-relative SECURITY_DESCRIPTOR (MS-DTYP 2.4.6) to store, if the server has one. */
  readonly security?: Uint8Array
  readonly extendedAttributes?: readonly ExtendedAttribute[]
  /** Space to reserve; never changes the size. */
  readonly allocationBytes?: number
  /** Of a file that is not a folder: it bears this from the very moment it has its name, so that whoever repeats the creation knows it (`FileHandle.creationToken`). Optional to support. */
  readonly creationToken?: string
  /** Whether it is compressed is not taken over from the folder: it is not. Default false. */
  readonly uncompressed?: boolean
  readonly access: OpenAccess
}

/** What a filesystem says of itself as a volume (MS-FSCC 2.5); a unit has `allocationUnitBytes`. */
export interface VolumeInfo {
  readonly label: string
  readonly serialNumber: number
  readonly createdAt: FileTime
  readonly allocationUnitBytes: number
  readonly sectorBytes: number
  readonly totalUnits: number
  readonly freeUnits: number
  /** Free to the caller, quotas considered. */
  readonly availableUnits: number
  readonly maxNameLength: number
}

/** What a filesystem can do; clients are told (MS-FSCC 2.5.1), and what it cannot is refused with `not-supported`. */
export interface Features {
  readonly readOnly: boolean
  readonly namedStreams: boolean
  readonly extendedAttributes: boolean
  readonly securityDescriptors: boolean
  readonly sparseFiles: boolean
  readonly symlinks: boolean
  readonly hardLinks: boolean
  /** `cloneRange` shares blocks instead of copying (reflink). */
  readonly blockCloning: boolean
  /** Files can be compressed: handles have `setCompressed`. Default false. */
  readonly compression?: boolean
  /** `watch` reports changes made behind the server's back. */
  readonly watch: boolean
}

/**
 * A change that somebody else made (not through this FileSystem object), as seen by `watch`. A `name` of `''` says that changes
 * were lost: anything in and below the folder may have changed.
 */
export interface ExternalChange {
  /** Path of the folder it happened in. */
  readonly folder: string
  readonly action: 'added' | 'removed' | 'modified' | 'metadata' | 'renamed-from' | 'renamed-to'
  readonly name: string
  readonly isFolder: boolean
}

/**
 * An open file, folder or named stream. It stays usable when the file is renamed or deleted by name.
 * Every method may fail with an `FsError`.
 */
export interface FileHandle {
  /** As of the open or the last change through this handle; `info()` asks again. */
  readonly id: bigint
  readonly isFolder: boolean
  /** Path of the file as stored, when it was opened; optional. */
  readonly path?: string
  /** Name of the stream as stored, `''` for the data stream; optional. */
  readonly streamName?: string
  info(): MaybePromise<FileInfo>
  /** `CreateOptions.creationToken` of the file, undefined where it was created without one. Optional. */
  creationToken?(): MaybePromise<string | undefined>
  /** Reads into `target` at a byte offset; returns the number of bytes read, less than asked only at the end of file. */
  read(target: Uint8Array, offset: number): MaybePromise<number>
  /**
   * Where in an open file of this system bytes are that are in memory, so that the kernel can send them without a copy; undefined where they are not, or it
   * is not known. The descriptor is good until the handle is closed. Optional.
   */
  inMemory?(offset: number, lengthBytes: number): { readonly descriptor: number; readonly offset: number } | undefined
  /** Whether the path it was opened by still leads to it, and neither bytes nor metadata have changed since. Cheap. Optional: it is not known. */
  isCurrent?(): boolean
  /** Writes all of `source` or fails; extends the file where needed. Past-the-end gaps read as zeros. */
  write(source: Uint8Array, offset: number): MaybePromise<void>
  setSize(sizeBytes: number): MaybePromise<void>
  /** Reserves space beyond or up to `allocationBytes`; never changes the size unless smaller than it. */
  setAllocation(allocationBytes: number): MaybePromise<void>
  setInfo(change: InfoChange): MaybePromise<void>
  /**
   * Whether what is written from now on is compressed; of a folder, what is made in it. Shown as the attribute COMPRESSED, which `setInfo`
   * does not change. Fails with `not-supported` where this file can't be. Optional: `Features.compression`.
   */
  setCompressed?(on: boolean): MaybePromise<void>
  /** To stable storage: data and metadata. */
  flush(): MaybePromise<void>
  /** Deallocates; the range reads as zeros afterwards and the size stays. */
  zeroRange(range: ByteRange): MaybePromise<void>
  /** The parts of `range` that may hold data. */
  allocatedRanges(range: ByteRange): MaybePromise<readonly ByteRange[]>
  /** Copies between files of this filesystem, in the kernel where possible; returns bytes copied. */
  copyFrom(source: FileHandle, sourceOffset: number, targetOffset: number, lengthBytes: number): MaybePromise<number>
  /** Shares blocks of `source` (reflink); fails with `not-supported` where it cannot. */
  cloneFrom(source: FileHandle, sourceOffset: number, targetOffset: number, lengthBytes: number): MaybePromise<void>

  /**
   * Entries of a folder in a stable order, without `.` and `..`. The iterable is a snapshot of the names
   * (a name created or removed meanwhile may or may not appear); metadata is read as it is consumed.
   * `names` limits it to exactly these names (case-insensitive), so that a query without wildcards is a lookup.
   */
  entries(names?: readonly string[]): MaybePromise<Iterable<MaybePromise<FolderEntry | undefined>>>

  /** Names of all entries without metadata, which is much cheaper where only some will be asked for (with `entries(names)`). Optional. */
  entryNames?(): MaybePromise<readonly string[]>

  /** All data streams; a file's unnamed one is among them, with the name `''`. */
  streams(): MaybePromise<readonly StreamInfo[]>
  extendedAttributes(): MaybePromise<readonly ExtendedAttribute[]>
  /** An empty value removes the attribute. */
  setExtendedAttributes(changes: readonly ExtendedAttribute[]): MaybePromise<void>
  /** The stored self-relative SECURITY_DESCRIPTOR, or undefined where none was stored. */
  security(): MaybePromise<Uint8Array | undefined>
  setSecurity(descriptor: Uint8Array): MaybePromise<void>
  /** The reparse data (symlink target) or undefined. */
  readLink(): MaybePromise<string | undefined>

  /** Gives the file (or, on a stream's handle, the stream) the path `to`. Fails with `exists` unless `replace`. */
  rename(to: { readonly path: string; readonly stream?: string }, options: { readonly replace: boolean }): MaybePromise<void>
  /** A further name for the file. */
  link(path: string, options: { readonly replace: boolean }): MaybePromise<void>
  /** Removes the name this handle was opened by (or last renamed to), or the stream. `not-empty` for a folder with entries. */
  remove(): MaybePromise<void>
  /** Idempotent. */
  close(): MaybePromise<void>
}

/** What a share serves. Every method may fail with an `FsError`. */
export interface FileSystem {
  readonly features: Features
  /** False while there is nothing to serve (the folder has been removed); asked when a client connects to the share. Optional: always there. */
  available?(): MaybePromise<boolean>
  volume(): MaybePromise<VolumeInfo>
  /**
   * Opens what exists; changes nothing. `stream` is a named stream's name without `:$DATA` (`''`: the data
   * stream). Fails with `not-found` (last component or stream), `path-not-found` (an earlier one),
   * `access-denied`, `escapes` (a symbolic link that leads out of the root), `not-folder` (an earlier
   * component is a file: also `path-not-found`).
   */
  open(path: string, stream: string, access: OpenAccess): MaybePromise<FileHandle>
  /** Creates a file, folder, or a stream of an existing file; fails with `exists` when it is there (in any case). */
  create(path: string, stream: string, options: CreateOptions): MaybePromise<FileHandle>
  /** Metadata by path, undefined where nothing exists; the cheap form of open + info + close. */
  stat(path: string, options?: { readonly noFollow?: boolean }): MaybePromise<FileInfo | undefined>
  /**
   * Creates a symbolic link. With `shown` it is one for the client to follow: folder listings show the link itself, not what it points to.
   * Optional.
   */
  symlink?(path: string, target: string, options?: { readonly shown?: boolean }): MaybePromise<void>
  /** Reports external changes in a folder (and below, when `recursive`) until disposed. */
  watch?(path: string, options: { readonly recursive: boolean }, listener: (change: ExternalChange) => void): MaybePromise<Disposable>
  /** Reports pending external changes now. `watch` does so by a timer; a worker that blocks its event loop calls this between. Optional. */
  pollChanges?(): void
  close(): MaybePromise<void>
}

/** All codes of `FsError`. */
export const fsErrorCodes = [
  'not-found',
  'path-not-found',
  'exists',
  'not-empty',
  'is-folder',
  'not-folder',
  'access-denied',
  'read-only',
  'no-space',
  'quota',
  'invalid-name',
  'name-too-long',
  'too-many-open',
  'not-supported',
  'cross-device',
  'escapes',
  'symlink',
  'stale',
  'busy',
  'invalid',
  'too-large',
  'io',
] as const
/** A code of `FsError`: stable, for programs. */
export type FsErrorCode = (typeof fsErrorCodes)[number]

/** Outcomes of ordinary requests: nobody wants to know where they were made, and a stack costs more than the request. */
const withoutStack: ReadonlySet<FsErrorCode> = new Set(['not-found', 'path-not-found', 'exists', 'not-empty', 'access-denied'])

/** What a filesystem throws; `code` is stable, the message is for people. */
export class FsError extends Error {
  readonly code: FsErrorCode
  constructor(code: FsErrorCode, message: string = code, options?: ErrorOptions) {
    const limit = Error.stackTraceLimit
    if (withoutStack.has(code)) Error.stackTraceLimit = 0
    super(message, options)
    Error.stackTraceLimit = limit
    this.name = 'FsError'
    this.code = code
  }
}
