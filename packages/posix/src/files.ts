/** Files by descriptor. Every call returns its result, or -errno; asynchronous ones resolve with the same. */
import { addressOf, callAsync, cPath, cString, libc, type PathArgument } from './libc.ts'
import { AT_EMPTY_PATH, O_CLOEXEC, UTIME_OMIT } from './constants.ts'

const openHow = Buffer.alloc(24)
const openHowWords = new Uint32Array(openHow.buffer, openHow.byteOffset, 6)

/** openat2(2): a descriptor or -errno. `resolve`: RESOLVE_*. O_CLOEXEC is added. `mode` counts only with O_CREAT. */
export const openAt2 = (folderFd: number, path: PathArgument, flags: number, mode: number, resolve: number): number => {
  openHowWords[0] = (flags | O_CLOEXEC) >>> 0
  openHowWords[2] = mode
  openHowWords[4] = resolve
  return libc.openat2(folderFd, cPath(path), openHow, 24)
}

/** openat(2) with O_CLOEXEC: a descriptor or -errno. */
export const openAt = (folderFd: number, path: PathArgument, flags: number, mode = 0): number =>
  libc.openat(folderFd, cPath(path), flags | O_CLOEXEC, mode)

/** Opens once more what a descriptor stands for (O_PATH too), with other flags, by its link in /proc. */
export const reopen = (fd: number, flags: number): number => openAt(-1, `/proc/self/fd/${fd}`, flags)

/** close(2): 0 or -errno. The descriptor is gone either way. */
export const close = (fd: number): number => libc.close(fd)

/** Reads into all of `target`, or up to the end of file. */
export const pread = (fd: number, target: Uint8Array, offset: number): number => libc.pread(fd, target, target.length, offset)
/** pwrite(2): bytes written, which may be fewer than `source` has, or -errno. `offset` in bytes. */
export const pwrite = (fd: number, source: Uint8Array, offset: number): number => libc.pwrite(fd, source, source.length, offset)

const ioVector = Buffer.alloc(16)
const ioVectorLongs = new BigUint64Array(ioVector.buffer, ioVector.byteOffset, 2)
const ioVectorWords = new Uint32Array(ioVector.buffer, ioVector.byteOffset, 4)

const pointAt = (bytes: Uint8Array): void => {
  ioVectorLongs[0] = addressOf(bytes)
  ioVectorWords[2] = bytes.length
  ioVectorWords[3] = 0
}

/** preadv2(2) of one buffer; RWF_NOWAIT: only what needs no disk (-EAGAIN: nothing, a part is possible). */
export const preadFlags = (fd: number, target: Uint8Array, offset: number, flags: number): number => {
  pointAt(target)
  return libc.preadv2(fd, ioVector, 1, offset, 0, flags)
}

/** pwritev2(2) of one buffer; RWF_DSYNC: on stable storage when it returns. */
export const pwriteFlags = (fd: number, source: Uint8Array, offset: number, flags: number): number => {
  pointAt(source)
  return libc.pwritev2(fd, ioVector, 1, offset, 0, flags)
}

/** pwritev2(2) on the thread pool. `source` must not change until it resolves. */
export const pwriteFlagsAsync = (fd: number, source: Uint8Array, offset: number, flags: number): Promise<number> => {
  const vector = Buffer.allocUnsafeSlow(16)
  vector.writeBigUInt64LE(addressOf(source), 0)
  vector.writeBigUInt64LE(BigInt(source.length), 8)
  return callAsync('pwritev2', fd, vector, 1, offset, 0, flags).finally(() => void source)
}

/** pread(2) on the thread pool; `target` is written to until it resolves. */
export const preadAsync = (fd: number, target: Uint8Array, offset: number): Promise<number> => callAsync('pread', fd, target, target.length, offset)
/** pwrite(2) on the thread pool. `source` must not change until it resolves. */
export const pwriteAsync = (fd: number, source: Uint8Array, offset: number): Promise<number> => callAsync('pwrite', fd, source, source.length, offset)
/** fsync(2) on the thread pool: data and metadata. */
export const fsyncAsync = (fd: number): Promise<number> => callAsync('fsync', fd)
/** fdatasync(2) on the thread pool: data, and what is needed to read it again. */
export const fdatasyncAsync = (fd: number): Promise<number> => callAsync('fdatasync', fd)
/** fsync(2), blocking: 0 or -errno. */
export const fsync = (fd: number): number => libc.fsync(fd)
/** fdatasync(2), blocking: 0 or -errno. */
export const fdatasync = (fd: number): number => libc.fdatasync(fd)

/** dup3(2): `to` becomes another descriptor of what `from` is, and what it was is closed. */
export const duplicateTo = (from: number, to: number): number => libc.dup3(from, to, O_CLOEXEC)

/** ftruncate(2): 0 or -errno. What is added reads as zeros. */
export const ftruncate = (fd: number, sizeBytes: number): number => libc.ftruncate(fd, sizeBytes)
/** fallocate(2); `mode`: FALLOC_FL_*. */
export const fallocate = (fd: number, mode: number, offset: number, length: number): number => libc.fallocate(fd, mode, offset, length)
/** `fallocate` on the thread pool. */
export const fallocateAsync = (fd: number, mode: number, offset: number, length: number): Promise<number> =>
  callAsync('fallocate', fd, mode, offset, length)
/** lseek(2); SEEK_DATA and SEEK_HOLE give -ENXIO at or beyond the end of file. */
export const lseek = (fd: number, offset: number, whence: number): number => libc.lseek(fd, offset, whence)
/** `lseek` on the thread pool: where data is may have to be read from the disk. */
export const lseekAsync = (fd: number, offset: number, whence: number): Promise<number> => callAsync('lseek', fd, offset, whence)

const copyOffsets = (sourceOffset: number, targetOffset: number): [Buffer, Buffer] => {
  const source = Buffer.allocUnsafeSlow(8)
  const target = Buffer.allocUnsafeSlow(8)
  source.writeBigInt64LE(BigInt(sourceOffset))
  target.writeBigInt64LE(BigInt(targetOffset))
  return [source, target]
}

/** What `copyFileRange` and `cloneFileRange` take: descriptors, offsets and a length in bytes. */
export interface CopyRange {
  readonly sourceFd: number
  readonly sourceOffset: number
  readonly targetFd: number
  readonly targetOffset: number
  readonly lengthBytes: number
}

/** copy_file_range(2): bytes copied (0 at the source's end of file) or -errno. */
export const copyFileRange = (range: CopyRange): number => {
  const [source, target] = copyOffsets(range.sourceOffset, range.targetOffset)
  return libc.copyFileRange(range.sourceFd, source, range.targetFd, target, range.lengthBytes, 0)
}
/** `copyFileRange` on the thread pool. */
export const copyFileRangeAsync = (range: CopyRange): Promise<number> => {
  const [source, target] = copyOffsets(range.sourceOffset, range.targetOffset)
  return callAsync('copyFileRange', range.sourceFd, source, range.targetFd, target, range.lengthBytes, 0)
}

const FICLONERANGE = 0x4020940d

const cloneArgument = (range: CopyRange): Buffer => {
  const argument = Buffer.allocUnsafe(32)
  argument.writeBigInt64LE(BigInt(range.sourceFd), 0)
  argument.writeBigUInt64LE(BigInt(range.sourceOffset), 8)
  argument.writeBigUInt64LE(BigInt(range.lengthBytes), 16)
  argument.writeBigUInt64LE(BigInt(range.targetOffset), 24)
  return argument
}

/**
 * ioctl_ficlonerange(2): shares blocks of the source (all up to its end where the length is 0); 0 or -errno (-EOPNOTSUPP, -EXDEV, -EINVAL where
 * it cannot).
 */
export const cloneFileRange = (range: CopyRange): number => libc.ioctl(range.targetFd, FICLONERANGE, cloneArgument(range))
/** `cloneFileRange` on the thread pool: it writes what the source has in memory first. */
export const cloneFileRangeAsync = (range: CopyRange): Promise<number> => callAsync('ioctl', range.targetFd, FICLONERANGE, cloneArgument(range))

const FS_IOC_FIEMAP = 0xc020660b
const fiemapBytes = 32
const extentBytes = 56
const extentsAtOnce = 64
/** FIEMAP_EXTENT_DELALLOC, FIEMAP_EXTENT_UNWRITTEN. */
const notWritten = 0x4 | 0x800
const fiemap = Buffer.alloc(fiemapBytes + extentsAtOnce * extentBytes)

/** A run of bytes, and whether they are on the disk. */
export interface FileExtent {
  readonly end: number
  readonly isWritten: boolean
}

/**
 * FIEMAP (Linux, Documentation/filesystems/fiemap): whether what is at `offset` has been written to the disk, and where that ends, at `limit` at
 * the latest. Neither what is only in memory counts as written, nor what is allocated and would read as zeros. -errno (-EOPNOTSUPP where the
 * filesystem has no disk).
 */
export const writtenExtent = (fd: number, offset: number, limit: number): FileExtent | number => {
  for (let at = offset; at < limit;) {
    fiemap.fill(0, 0, fiemapBytes)
    fiemap.writeBigUInt64LE(BigInt(at), 0)
    fiemap.writeBigUInt64LE(BigInt(limit - at), 8)
    fiemap.writeUInt32LE(extentsAtOnce, 24)
    const result = libc.ioctl(fd, FS_IOC_FIEMAP, fiemap)
    if (result < 0) return result
    const count = fiemap.readUInt32LE(20)
    let end = offset
    for (let index = 0; index < count; index++) {
      const extent = fiemapBytes + index * extentBytes
      const begin = Number(fiemap.readBigUInt64LE(extent))
      const isWritten = (fiemap.readUInt32LE(extent + 40) & notWritten) === 0
      end = begin + Number(fiemap.readBigUInt64LE(extent + 16))
      if (!isWritten) continue
      if (begin <= offset) return { end: Math.min(end, limit), isWritten: true }
      return { end: Math.min(begin, limit), isWritten: false }
    }
    if (count < extentsAtOnce) break
    at = end
  }
  return { end: limit, isWritten: false }
}

const FS_IOC_GETFLAGS = 0x80086601
const FS_IOC_SETFLAGS = 0x40086602
const inodeFlagsWord = new Int32Array(2)
const inodeFlagsBytes = new Uint8Array(inodeFlagsWord.buffer)

/** FS_IOC_GETFLAGS of ioctl_iflags(2): FS_*_FL, or -errno (-ENOTTY where the filesystem has none, -EBADF with O_PATH). */
export const getInodeFlags = (fd: number): number => {
  inodeFlagsWord[0] = 0
  const result = libc.ioctl(fd, FS_IOC_GETFLAGS, inodeFlagsBytes)
  return result < 0 ? result : inodeFlagsWord[0]
}

/** FS_IOC_SETFLAGS: all that are to be set; 0 or -errno. */
export const setInodeFlags = (fd: number, flags: number): number => {
  inodeFlagsWord[0] = flags
  return libc.ioctl(fd, FS_IOC_SETFLAGS, inodeFlagsBytes)
}

/** A moment for `setTimes`: seconds since 1970 and nanoseconds. */
export interface TimeSpec {
  readonly seconds: number
  readonly nanoseconds: number
}

const timesBytes = Buffer.alloc(32)
const emptyPath = cString('')
const putTime = (offset: number, time: TimeSpec | undefined): void => {
  timesBytes.writeBigInt64LE(BigInt(time?.seconds ?? 0), offset)
  timesBytes.writeBigInt64LE(BigInt(time?.nanoseconds ?? UTIME_OMIT), offset + 8)
}

/** utimensat(2) of an open file (O_PATH too, Linux >= 5.8): 0 or -errno. What is undefined stays. */
export const setTimes = (fd: number, accessed: TimeSpec | undefined, modified: TimeSpec | undefined): number => {
  putTime(0, accessed)
  putTime(16, modified)
  return libc.utimensat(fd, emptyPath, timesBytes, AT_EMPTY_PATH)
}
