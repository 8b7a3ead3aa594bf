import { S_IFMT, S_IFDIR, S_IFLNK, S_IFREG } from './constants.ts'
import { cPath, cString, libc, type PathArgument } from './libc.ts'
import { AT_EMPTY_PATH, AT_NO_AUTOMOUNT, STATX_ATTR_COMPRESSED, STATX_BASIC_STATS, STATX_BTIME } from './constants.ts'

const twoTo32 = 0x1_0000_0000

/** Byte offsets of struct statx's timestamps (statx(2)); the same on every CPU. */
export const statTime = { accessed: 64, created: 80, changed: 96, modified: 112 } as const
export type StatTime = (typeof statTime)[keyof typeof statTime]

/**
 * struct statx, read in place (statx(2)). Preallocate one and use it for every call: its fields are those of
 * the last call.
 */
export class StatBuffer {
  readonly bytes: Buffer = Buffer.alloc(256)
  readonly #words: Uint32Array
  readonly #longs: BigUint64Array

  constructor() {
    const { buffer, byteOffset } = this.bytes
    this.#words = new Uint32Array(buffer, byteOffset, 64)
    this.#longs = new BigUint64Array(buffer, byteOffset, 32)
  }

  #number(index: number): number {
    return this.#words[index] + this.#words[index + 1] * twoTo32
  }

  /** Which fields are valid (STATX_*). */
  get mask(): number {
    return this.#words[0]
  }
  get attributes(): bigint {
    return this.#longs[1]
  }
  get links(): number {
    return this.#words[4]
  }
  get uid(): number {
    return this.#words[5]
  }
  get gid(): number {
    return this.#words[6]
  }
  get mode(): number {
    return this.#words[7] & 0xffff
  }
  get inode(): bigint {
    return this.#longs[4]
  }
  get sizeBytes(): number {
    return this.#number(10)
  }
  /** Units of 512 bytes. */
  get blocks(): number {
    return this.#number(12)
  }
  get deviceMajor(): number {
    return this.#words[34]
  }
  get deviceMinor(): number {
    return this.#words[35]
  }
  /** One number for the device, 0 … 2^53-1. */
  get device(): number {
    return this.#words[34] * 0x10_0000 + this.#words[35]
  }
  get isFolder(): boolean {
    return (this.#words[7] & S_IFMT) === S_IFDIR
  }
  get isRegular(): boolean {
    return (this.#words[7] & S_IFMT) === S_IFREG
  }
  get isSymlink(): boolean {
    return (this.#words[7] & S_IFMT) === S_IFLNK
  }
  /** The filesystem compresses what is written to it (STATX_ATTR_COMPRESSED). */
  get isCompressed(): boolean {
    return (this.#words[2] & STATX_ATTR_COMPRESSED) !== 0
  }
  /** False where the filesystem keeps no creation time. */
  get hasCreatedTime(): boolean {
    return (this.#words[0] & STATX_BTIME) !== 0
  }

  /** Seconds since 1970, negative before. */
  seconds(time: StatTime): number {
    return this.#words[time / 4] + (this.#words[time / 4 + 1] | 0) * twoTo32
  }

  nanoseconds(time: StatTime): number {
    return this.#words[time / 4 + 2]
  }

  /** Identifies the file on this machine while it exists: a key for maps. */
  get key(): string {
    return `${this.device}:${this.#number(8)}`
  }

  /** The same file as the one `other` describes. */
  sameFile(other: StatBuffer): boolean {
    const a = this.#words
    const b = other.#words
    return a[8] === b[8] && a[9] === b[9] && a[34] === b[34] && a[35] === b[35]
  }
}

const emptyPath = cString('')

/** statx(2) of a path relative to `folderFd`: 0 or -errno, the result in `into`. `flags`: AT_*. */
export const statAt = (folderFd: number, path: PathArgument, flags: number, into: StatBuffer): number =>
  libc.statx(folderFd, cPath(path), flags | AT_NO_AUTOMOUNT, STATX_BASIC_STATS | STATX_BTIME, into.bytes)

/** statx(2) of an open file (O_PATH too): 0 or -errno, the result in `into`. */
export const statFd = (fd: number, into: StatBuffer): number => libc.statx(fd, emptyPath, AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, into.bytes)

/** What statfs(2) says; counts are in units of `unitBytes`. */
export interface FilesystemStat {
  readonly type: number
  readonly unitBytes: number
  readonly totalUnits: number
  readonly freeUnits: number
  /** Free to those who are not root. */
  readonly availableUnits: number
  readonly id: number
  readonly maxNameLength: number
  readonly readOnly: boolean
}

const statfsBytes = Buffer.alloc(120)

/** fstatfs(2) (what statvfs tells and the type besides), or -errno. struct statfs is the same on x86_64 and arm64. */
export const statFilesystem = (fd: number): FilesystemStat | number => {
  const result = libc.fstatfs(fd, statfsBytes)
  if (result < 0) return result
  const long = (offset: number): number => Number(statfsBytes.readBigUInt64LE(offset))
  return {
    type: long(0),
    unitBytes: long(72) || long(8),
    totalUnits: long(16),
    freeUnits: long(24),
    availableUnits: long(32),
    id: (statfsBytes.readUInt32LE(56) ^ statfsBytes.readUInt32LE(60)) >>> 0,
    maxNameLength: long(64),
    readOnly: (long(80) & 1) !== 0,
  }
}
