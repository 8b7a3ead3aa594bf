/** Bytes of an open file. What the page cache holds is read at once; a cold disk is waited for on the thread pool. */
import fs from 'node:fs'
import {
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  FALLOC_FL_ZERO_RANGE,
  RWF_DSYNC,
  RWF_NOWAIT,
  SEEK_DATA,
  SEEK_HOLE,
  StatBuffer,
  cloneFileRange,
  copyFileRange,
  copyFileRangeAsync,
  errno,
  fallocate,
  fdatasyncAsync,
  ftruncate,
  isCached,
  lseek,
  pread,
  preadFlags,
  pwrite,
  pwriteFlagsAsync,
  statFd,
} from '@holdfast/posix'
import { FsError, type ByteRange, type MaybePromise } from '../filesystem.ts'
import { fsError, must } from './errors.ts'
import type { DirectoryHandle } from './handle.ts'

const stat = new StatBuffer()
/** Copies up to this are done at once: 1 MiB takes 0.1 to 0.3 ms. */
const synchronousCopyBytes = 1 << 20
const copyChunkBytes = 16 << 20
/** More parts of a file are reported as one (a list has to end). */
const maxRanges = 65_536

const refusesNowait: ReadonlySet<number> = new Set([-errno.EOPNOTSUPP, -errno.ENOSYS, -errno.EINVAL])

export const read = (handle: DirectoryHandle, target: Uint8Array, offset: number): MaybePromise<number> => {
  const fd = handle.ioFd(false)
  const { root } = handle
  let done = 0
  while (done < target.length) {
    const rest = done === 0 ? target : target.subarray(done)
    const got = root.inMemory ? pread(fd, rest, offset + done) : root.nowait ? preadFlags(fd, rest, offset + done, RWF_NOWAIT) : -errno.EAGAIN
    if (got > 0) done += got
    else if (got === 0) return done
    else if (got === -errno.EAGAIN) return handle.holding(readFromDisk(fd, target, offset, done))
    else if (!root.inMemory && refusesNowait.has(got) && root.nowait) root.nowait = false
    else if (got !== -errno.EINTR) throw fsError(got, 'read')
  }
  return done
}

/** Where bytes are that the kernel can send as they lie. */
export const inMemory = (handle: DirectoryHandle, offset: number, lengthBytes: number): { descriptor: number; offset: number } | undefined => {
  const descriptor = handle.ioFd(false)
  return handle.root.inMemory || isCached(descriptor, offset, lengthBytes) ? { descriptor, offset } : undefined
}

const readFromDisk = async (fd: number, target: Uint8Array, offset: number, already: number): Promise<number> => {
  let done = already
  while (done < target.length) {
    const got = await new Promise<number>((resolve, reject) =>
      fs.read(fd, target, done, target.length - done, offset + done, (error, bytesRead) =>
        error ? reject(fsError(error.errno ?? -errno.EIO, 'read')) : resolve(bytesRead),
      ),
    )
    if (got === 0) break
    done += got
  }
  return done
}

export const write = (handle: DirectoryHandle, source: Uint8Array, offset: number): MaybePromise<void> => {
  const fd = handle.ioFd(true)
  if (handle.writeThrough && !handle.root.inMemory) return handle.holding(writeThrough(fd, source, offset))
  for (let done = 0; done < source.length;) {
    const put = pwrite(fd, done === 0 ? source : source.subarray(done), offset + done)
    if (put > 0) done += put
    else if (put === 0) throw new FsError('no-space')
    else if (put !== -errno.EINTR) throw fsError(put, 'write')
  }
}

const writeThrough = async (fd: number, source: Uint8Array, offset: number): Promise<void> => {
  for (let done = 0; done < source.length;) {
    const rest = done === 0 ? source : source.subarray(done)
    let put = await pwriteFlagsAsync(fd, rest, offset + done, RWF_DSYNC)
    if (put === -errno.EOPNOTSUPP || put === -errno.ENOSYS) {
      put = must(pwrite(fd, rest, offset + done), 'write')
      must(await fdatasyncAsync(fd), 'fdatasync')
    }
    if (put > 0) done += put
    else if (put === 0) throw new FsError('no-space')
    else if (put !== -errno.EINTR) throw fsError(put, 'write')
  }
}

const sizeOf = (fd: number): number => {
  must(statFd(fd, stat), 'statx')
  return stat.sizeBytes
}

export const setSize = (handle: DirectoryHandle, sizeBytes: number): void => {
  must(ftruncate(handle.ioFd(true), sizeBytes), 'ftruncate', { EINVAL: 'too-large' })
}

export const setAllocation = (handle: DirectoryHandle, allocationBytes: number): void => {
  const fd = handle.ioFd(true)
  must(statFd(fd, stat), 'statx')
  const { sizeBytes, blocks } = stat
  if (allocationBytes < sizeBytes) must(ftruncate(fd, allocationBytes), 'ftruncate')
  else if (allocationBytes > sizeBytes) {
    const result = fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, allocationBytes)
    if (result < 0 && result !== -errno.EOPNOTSUPP && result !== -errno.ENOSYS)
      throw fsError(result, 'fallocate', { EFBIG: 'no-space', EINVAL: 'no-space' })
  } else if (blocks * 512 > Math.ceil(sizeBytes / 4096) * 4096) {
    // Gives back what was reserved beyond the end.
    must(ftruncate(fd, sizeBytes), 'ftruncate')
  }
}

const zeros = Buffer.alloc(65_536)

export const zeroRange = (handle: DirectoryHandle, { offset, length }: ByteRange): void => {
  const fd = handle.ioFd(true)
  if (length <= 0) return
  let result = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length)
  if (result === -errno.EOPNOTSUPP || result === -errno.ENOSYS) result = fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, offset, length)
  if (result !== -errno.EOPNOTSUPP && result !== -errno.ENOSYS) {
    must(result, 'fallocate')
    return
  }
  const end = Math.min(offset + length, sizeOf(fd))
  for (let at = offset; at < end; at += zeros.length) must(pwrite(fd, zeros.subarray(0, Math.min(zeros.length, end - at)), at), 'write')
}

export const allocatedRanges = (handle: DirectoryHandle, range: ByteRange): ByteRange[] => {
  const fd = handle.ioFd(false)
  const end = Math.min(range.offset + range.length, sizeOf(fd))
  const ranges: ByteRange[] = []
  for (let at = range.offset; at < end;) {
    let from = lseek(fd, at, SEEK_DATA)
    if (from === -errno.ENXIO) break
    let to = from < 0 ? end : ranges.length >= maxRanges ? end : lseek(fd, from, SEEK_HOLE)
    if (from < 0) from = at
    if (to < 0) to = end
    if (from >= end) break
    ranges.push({ offset: from, length: Math.min(to, end) - from })
    at = to
  }
  return ranges
}

interface Copy {
  readonly sourceFd: number
  readonly sourceOffset: number
  readonly targetFd: number
  readonly targetOffset: number
  readonly lengthBytes: number
  readonly sameFile: boolean
}

const cannotCopy: ReadonlySet<number> = new Set([-errno.EXDEV, -errno.EINVAL, -errno.EOPNOTSUPP, -errno.ENOSYS, -errno.EBADF])

export const copyFrom = (
  handle: DirectoryHandle,
  source: DirectoryHandle,
  sourceOffset: number,
  targetOffset: number,
  lengthBytes: number,
): MaybePromise<number> => {
  const targetFd = handle.ioFd(true)
  const sourceFd = source.ioFd(false)
  const available = Math.min(lengthBytes, Math.max(0, sizeOf(sourceFd) - sourceOffset))
  if (available === 0) return 0
  const sameFile = handle.id === source.id && handle.streamName === source.streamName
  const copy = { sourceFd, sourceOffset, targetFd, targetOffset, lengthBytes: available, sameFile }
  if (available > synchronousCopyBytes) return handle.holding(source.holding(copyLarge(copy)))
  let done = 0
  while (done < available) {
    const copied = copyFileRange({
      sourceFd,
      sourceOffset: sourceOffset + done,
      targetFd,
      targetOffset: targetOffset + done,
      lengthBytes: available - done,
    })
    if (copied > 0) done += copied
    else if (copied === 0) break
    else if (cannotCopy.has(copied))
      return handle
        .holding(
          source.holding(
            copyByHand({ ...copy, sourceOffset: sourceOffset + done, targetOffset: targetOffset + done, lengthBytes: available - done }),
          ),
        )
        .then(rest => done + rest)
    else if (copied !== -errno.EINTR) throw fsError(copied, 'copy_file_range')
  }
  return done
}

const copyLarge = async (copy: Copy): Promise<number> => {
  let done = 0
  while (done < copy.lengthBytes) {
    const part = {
      ...copy,
      sourceOffset: copy.sourceOffset + done,
      targetOffset: copy.targetOffset + done,
      lengthBytes: Math.min(copyChunkBytes, copy.lengthBytes - done),
    }
    const copied = await copyFileRangeAsync(part)
    if (copied > 0) done += copied
    else if (copied === 0) break
    else if (cannotCopy.has(copied)) return done + (await copyByHand({ ...part, lengthBytes: copy.lengthBytes - done }))
    else if (copied !== -errno.EINTR) throw fsError(copied, 'copy_file_range')
  }
  return done
}

/** Where the kernel does not copy: between filesystems, and within a file where the ranges overlap (backwards if need be). */
const copyByHand = async (copy: Copy): Promise<number> => {
  const { sourceFd, targetFd, sourceOffset, targetOffset, lengthBytes } = copy
  const buffer = Buffer.allocUnsafe(Math.min(synchronousCopyBytes, lengthBytes))
  const backwards = copy.sameFile && targetOffset > sourceOffset && targetOffset < sourceOffset + lengthBytes
  let done = 0
  while (done < lengthBytes) {
    const length = Math.min(buffer.length, lengthBytes - done)
    const at = backwards ? lengthBytes - done - length : done
    const part = buffer.subarray(0, length)
    const got = await readFromDisk(sourceFd, part, sourceOffset + at, 0)
    for (let put = 0; put < got;) put += must(pwrite(targetFd, part.subarray(put, got), targetOffset + at + put), 'write')
    done += got
    if (got < length) break
  }
  return done
}

export const cloneFrom = (
  handle: DirectoryHandle,
  source: DirectoryHandle,
  sourceOffset: number,
  targetOffset: number,
  lengthBytes: number,
): void => {
  // To the kernel 0 is everything up to the end.
  if (lengthBytes === 0) return
  const result = cloneFileRange({ sourceFd: source.ioFd(false), sourceOffset, targetFd: handle.ioFd(true), targetOffset, lengthBytes })
  must(result, 'FICLONERANGE', { EXDEV: 'not-supported', EBADF: 'not-supported', EINVAL: 'invalid' })
}
