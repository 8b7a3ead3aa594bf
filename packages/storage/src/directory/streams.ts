/**
 * Named streams, and security descriptors too large for an attribute, as files of a hidden folder:
 *
 *     .holdfast-streams/3f/3f9c…(32 hex digits)/=NAME      a stream
 *                                              sd          a security descriptor
 *
 * The 32 digits are random; `user.holdfast.streams` of the base file has them and the base's inode number. So
 * streams follow renames and hard links of the base, an inode that is used again does not find the old ones, and a copy made
 * with its attributes (cp -a) does not share them. The folder is made before the attribute is set and removed after the
 * base: a crash between leaves space taken, never a stream that shows up where it should not.
 */
import { randomBytes } from 'node:crypto'
import {
  AT_REMOVEDIR,
  AT_SYMLINK_NOFOLLOW,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_PATH,
  O_RDONLY,
  O_RDWR,
  O_TRUNC,
  O_WRONLY,
  RENAME_NOREPLACE,
  XATTR_CREATE,
  StatBuffer,
  cString,
  close,
  errno,
  mkdirAt,
  openAt,
  pread,
  pwrite,
  readFolder,
  renameAt2,
  statAt,
  statFd,
  unlinkAt,
} from '@holdfast/posix'
import { FsError, type StreamInfo } from '../filesystem.ts'
import { sameName } from '../upcase.ts'
import { must } from './errors.ts'
import { allocationOf, getWholeXattr, xattr, type XattrTarget } from './metadata.ts'
import { decodeName, encodeStreamName } from './names.ts'
import { hiddenName, type Root } from './root.ts'

const tagName = cString('user.holdfast.streams')
const tagVersion = 1
const streamMark = 0x3d // '='

export class StreamStore {
  readonly #root: Root
  readonly #stat = new StatBuffer()
  #fd = -1

  constructor(root: Root) {
    this.#root = root
  }

  close(): void {
    if (this.#fd >= 0) close(this.#fd)
    this.#fd = -1
  }

  /** The 32 digits of a base file, or undefined where it has none. 25 bytes are stored: version 1 (1), inode number (8), digits (16). */
  tagOf(base: XattrTarget): string | undefined {
    const value = getWholeXattr(base, tagName)
    if (value === undefined || value.length !== 25 || value[0] !== tagVersion || statFd(base.fd, this.#stat) < 0) return undefined
    return value.readBigUInt64LE(1) === this.#stat.inode ? value.toString('hex', 9) : undefined
  }

  /** Streams of a base, the unnamed one not among them. */
  list(base: XattrTarget): StreamInfo[] {
    const streams: StreamInfo[] = []
    this.#inFolder(base, fd => {
      for (const name of this.#names(fd)) {
        if (statAt(fd, encodeStreamName(name), AT_SYMLINK_NOFOLLOW, this.#stat) < 0) continue
        streams.push({ name, sizeBytes: this.#stat.sizeBytes, allocationBytes: allocationOf(this.#stat, this.#root.fsType, 0) })
      }
    })
    return streams
  }

  /** Opens a stream in any case: its descriptor and stored name. Throws `not-found`. */
  open(base: XattrTarget, name: string, writable: boolean): { fd: number; name: string } {
    const flags = (writable ? O_RDWR : O_RDONLY) | O_NOFOLLOW
    const opened = this.#inFolder(base, folder => {
      const stored = this.#find(folder, name)
      if (stored === undefined) return undefined
      return { fd: must(openAt(folder, encodeStreamName(stored), flags), 'open stream'), name: stored }
    })
    if (opened === undefined) throw new FsError('not-found', `no stream ${JSON.stringify(name)}`)
    return opened
  }

  /** Makes an empty stream and opens it. Throws `exists`. */
  create(base: XattrTarget, name: string): { fd: number; name: string } {
    const onDisk = encodeStreamName(name)
    const folder = this.#openOrCreate(base)
    try {
      if (this.#find(folder, name) !== undefined) throw new FsError('exists')
      return { fd: must(openAt(folder, onDisk, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, this.#root.options.fileMode), 'create stream'), name }
    } finally {
      close(folder)
    }
  }

  remove(base: XattrTarget, name: string): void {
    const done = this.#inFolder(base, folder => must(unlinkAt(folder, encodeStreamName(name)), 'unlink stream'))
    if (done === undefined) throw new FsError('not-found')
  }

  rename(base: XattrTarget, from: string, to: string, replace: boolean): void {
    const target = encodeStreamName(to)
    const done = this.#inFolder(base, folder => {
      const stored = this.#find(folder, to)
      if (stored !== undefined && stored !== from) {
        if (!replace) throw new FsError('exists')
        if (stored !== to) must(unlinkAt(folder, encodeStreamName(stored)), 'unlink stream')
      }
      return must(renameAt2(folder, encodeStreamName(from), folder, target, replace ? 0 : RENAME_NOREPLACE), 'rename stream')
    })
    if (done === undefined) throw new FsError('not-found')
  }

  /** Removes all that belongs to a tag, after its base file is gone. */
  removeAll(tag: string): void {
    const parent = this.#openShard(tag)
    if (parent < 0) return
    const folder = openAt(parent, tag, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
    if (folder >= 0) {
      const names: Buffer[] = []
      readFolder(folder, (bytes, start, end) => names.push(Buffer.concat([bytes.subarray(start, end), Buffer.from([0])])))
      for (const name of names) unlinkAt(folder, name)
      close(folder)
      unlinkAt(parent, tag, AT_REMOVEDIR)
    }
    close(parent)
  }

  readSecurity(base: XattrTarget): Buffer | undefined {
    return this.#inFolder(base, folder => {
      const fd = openAt(folder, 'sd', O_RDONLY | O_NOFOLLOW)
      if (fd < 0) return undefined
      try {
        must(statFd(fd, this.#stat), 'statx')
        const bytes = Buffer.allocUnsafe(this.#stat.sizeBytes)
        return bytes.subarray(0, must(pread(fd, bytes, 0), 'pread'))
      } finally {
        close(fd)
      }
    })
  }

  writeSecurity(base: XattrTarget, descriptor: Uint8Array): void {
    const folder = this.#openOrCreate(base)
    try {
      const fd = must(openAt(folder, 'sd.new', O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, this.#root.options.fileMode), 'create sd')
      const written = pwrite(fd, descriptor, 0)
      close(fd)
      must(written, 'pwrite')
      if (written < descriptor.length) throw new FsError('no-space')
      must(renameAt2(folder, 'sd.new', folder, 'sd', 0), 'rename sd')
    } finally {
      close(folder)
    }
  }

  removeSecurity(base: XattrTarget): void {
    this.#inFolder(base, folder => unlinkAt(folder, 'sd'))
  }

  #names(folder: number): string[] {
    const names: string[] = []
    // A descriptor for reading names of its own: positions of one descriptor are shared.
    const fd = must(openAt(folder, '.', O_RDONLY | O_DIRECTORY), 'open streams')
    const result = readFolder(fd, (bytes, start, end) => {
      if (bytes[start] === streamMark) names.push(decodeName(bytes, start + 1, end, true))
    })
    close(fd)
    must(result, 'getdents64')
    return names
  }

  #find(folder: number, name: string): string | undefined {
    if (statAt(folder, encodeStreamName(name), AT_SYMLINK_NOFOLLOW, this.#stat) === 0) return name
    return this.#names(folder).find(stored => sameName(stored, name))
  }

  /** Runs `use` with the base's folder open; undefined where it has none. */
  #inFolder<T>(base: XattrTarget, use: (folder: number) => T): T | undefined {
    const tag = this.tagOf(base)
    if (tag === undefined) return undefined
    const parent = this.#openShard(tag)
    if (parent < 0) return undefined
    const folder = openAt(parent, tag, O_PATH | O_DIRECTORY | O_NOFOLLOW)
    close(parent)
    if (folder < 0) return undefined
    try {
      return use(folder)
    } finally {
      close(folder)
    }
  }

  #openOrCreate(base: XattrTarget): number {
    this.#root.assertWritable()
    const known = this.tagOf(base)
    const tag = known ?? randomBytes(16).toString('hex')
    this.#makeHidden()
    const shard = tag.slice(0, 2)
    if (!isMade(mkdirAt(this.#fd, shard, 0o700))) {
      // The hidden folder was deleted behind our back: its descriptor leads nowhere.
      this.close()
      this.#makeHidden()
      must(ignoreExists(mkdirAt(this.#fd, shard, 0o700)), 'mkdir')
    }
    const parent = must(this.#openShard(tag), 'open streams')
    try {
      must(ignoreExists(mkdirAt(parent, tag, 0o700)), 'mkdir')
      if (known === undefined) {
        must(statFd(base.fd, this.#stat), 'statx')
        const value = Buffer.alloc(25)
        value[0] = tagVersion
        value.writeBigUInt64LE(this.#stat.inode, 1)
        value.write(tag, 9, 'hex')
        let result = xattr.set(base, tagName, value, XATTR_CREATE)
        if (result === -errno.EEXIST) {
          // Another worker was faster, or the tag is that of the file this one was copied from.
          if (this.tagOf(base) !== undefined) {
            unlinkAt(parent, tag, AT_REMOVEDIR)
            return this.#openOrCreate(base)
          }
          result = xattr.set(base, tagName, value)
        }
        if (result < 0) unlinkAt(parent, tag, AT_REMOVEDIR)
        must(result, 'setxattr')
      }
      return must(openAt(parent, tag, O_PATH | O_DIRECTORY | O_NOFOLLOW), 'open streams')
    } finally {
      close(parent)
    }
  }

  #makeHidden(): void {
    if (this.#fd >= 0) return
    must(ignoreExists(mkdirAt(this.#root.fd, hiddenName, 0o700)), 'mkdir')
    this.#openHidden()
  }

  #openHidden(): number {
    if (this.#fd < 0) this.#fd = openAt(this.#root.fd, hiddenName, O_PATH | O_DIRECTORY | O_NOFOLLOW)
    return this.#fd
  }

  #openShard(tag: string): number {
    let hidden = this.#openHidden()
    if (hidden < 0) return hidden
    const shard = openAt(hidden, tag.slice(0, 2), O_PATH | O_DIRECTORY | O_NOFOLLOW)
    if (shard >= 0 || statFd(hidden, this.#stat) < 0 || this.#stat.links > 0) return shard
    this.close()
    hidden = this.#openHidden()
    return hidden < 0 ? hidden : openAt(hidden, tag.slice(0, 2), O_PATH | O_DIRECTORY | O_NOFOLLOW)
  }
}

const ignoreExists = (result: number): number => (result === -errno.EEXIST ? 0 : result)
const isMade = (result: number): boolean => ignoreExists(result) === 0
