/**
 * A sparse file that holds a layer of a partition. It keeps no order: whoever calls has a turn.
 *
 * **What is done at once.** Reads: what the page cache has (RWF_NOWAIT). Writes: into the page cache, as the SMB server does. A kernel could
 * be asked not to wait here either, but ext4 and tmpfs refuse RWF_NOWAIT for buffered writes, btrfs answers EAGAIN wherever it copies on write
 * (always, in a file like this), and on XFS as many writes took more than 1 ms with it as without (measured on Linux 6.18: 4 KiB at random
 * places, 256 MiB, fdatasync every millisecond). A plain write to ext4 that fdatasync runs beside takes no longer than one without (4,304 of
 * them: the slowest took 127 µs). What does make a write wait is taken care of:
 * - the rest of a page that is written in part has to be read from the disk: it is asked for first, without waiting;
 * - hole punching keeps the file's lock for long: meanwhile writes go to the thread pool;
 * - the kernel slows down whoever makes too many pages dirty: once much is dirty it is measured, and when a write took long, the thread pool
 *   takes over until none of its writes took long for 250 ms;
 * - copying takes its time: more than 1 MiB goes to the thread pool.
 */
import {
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  FALLOC_FL_ZERO_RANGE,
  O_RDWR,
  AT_FDCWD,
  RWF_DSYNC,
  RWF_NOWAIT,
  SEEK_DATA,
  SEEK_HOLE,
  StatBuffer,
  close,
  errno,
  fallocateAsync,
  fdatasyncAsync,
  filesystemMagic,
  ftruncate,
  lseek,
  lseekAsync,
  openAt,
  orThrow,
  preadVector,
  preadVectorAsync,
  pwriteVector,
  pwriteVectorAsync,
  statFd,
  statFilesystem,
  writtenExtent,
  isCached,
} from '@holdfast/posix'
import type { BlockDeviceError, FilePlace } from '../block-device.ts'
import { bytesOf, partOf } from '../buffers.ts'
import { deviceError } from './device-errors.ts'
import type { FileWriteOptions, LayerFile, Run } from './layer.ts'

const synchronousBytes = 1 << 20
/** With less than this dirty, no kernel slows a writer down. */
const measuredFromBytes = 64 << 20
/** Longer than a busy machine takes the processor away from us, as a rule; the kernel's pauses are up to 200 ms. */
const slowMs = 20
const staySlowMs = 250
const cachePageBytes = 4096
const fillBytes = 1 << 20

const cannot: ReadonlySet<number> = new Set([-errno.EOPNOTSUPP, -errno.ENOTTY, -errno.ENOSYS, -errno.EINVAL])
const stat = new StatBuffer()
const nothingKnown = { begin: 0, end: 0 }
const probe = [Buffer.alloc(1)]
const zeros = Buffer.alloc(fillBytes)

/** See above. Everything rejects with `BlockDeviceError`. */
export class BackingFile implements LayerFile {
  readonly #fd: number
  /** tmpfs: nothing of it is on a disk. */
  readonly #isInMemory: boolean
  #canReadNow = true
  #canPunch = true
  #canZero = true
  #canSyncWrites = true
  /** Calls under way that keep the file's lock for long. */
  #locking = 0
  /** When writes may be tried at once again; 0: they may. */
  #slowUntil = 0
  /** Since the last flush. */
  #dirtyBytes = 0
  /** Who had the file before may have ended without a flush: what it wrote is the first flush's affair too. */
  #isDirty = true
  #flushing: Promise<void> | undefined
  #flushingNext: Promise<void> | undefined
  #flushError: BlockDeviceError | undefined
  /** A run that has data: it keeps it until something is cleared. Finding it takes the longer the more there is. */
  #knownData = nothingKnown
  /** Grows with each range that is cleared, when that begins and when it ends. */
  #cleared = 0
  #finding: Promise<unknown> = Promise.resolve()
  /** Calls on the thread pool that use the descriptor. */
  #inUse = 0
  #unused: (() => void) | undefined

  /** Throws `PosixError`. */
  constructor(path: string) {
    this.#fd = orThrow(openAt(AT_FDCWD, path, O_RDWR), 'openat')
    const filesystem = statFilesystem(this.#fd)
    this.#isInMemory = typeof filesystem !== 'number' && filesystem.type === filesystemMagic.tmpfs
  }

  /** Waits for what is under way; nothing may be asked for afterwards. */
  async close(): Promise<void> {
    while (this.#flushing !== undefined) await (this.#flushingNext ?? this.#flushing).catch(() => undefined) // who asked for it hears of it
    if (this.#inUse > 0) await new Promise<void>(resolve => (this.#unused = resolve))
    close(this.#fd)
  }

  /** True: everything was read. What is beyond the end of the file is zeros. */
  readNow(into: readonly Buffer[], offset: number): boolean {
    if (!this.#canReadNow) return false
    const length = bytesOf(into)
    const flags = this.#isInMemory ? 0 : RWF_NOWAIT
    for (let done = 0; done < length;) {
      const got = preadVector(this.#fd, done === 0 ? into : partOf(into, done, length - done), offset + done, flags)
      if (got > 0) done += got
      else if (got === 0) {
        fillWithZeros(into, done, length)
        return true
      } else if (got !== -errno.EINTR) {
        if (cannot.has(got)) this.#canReadNow = false
        return false
      }
    }
    return true
  }

  /** Undefined where not all of it is stored and in memory. */
  placeNow(offset: number, lengthBytes: number): FilePlace | undefined {
    return isCached(this.#fd, offset, lengthBytes) ? { descriptor: this.#fd, offset } : undefined
  }

  async read(into: readonly Buffer[], offset: number): Promise<void> {
    const length = bytesOf(into)
    for (let done = 0; done < length;) {
      const rest = done === 0 ? into : partOf(into, done, length - done)
      const got = await this.#using(preadVectorAsync(this.#fd, rest, offset + done))
      if (got > 0) done += got
      else if (got === 0) return fillWithZeros(into, done, length)
      else if (got !== -errno.EINTR) throw deviceError(got, 'READ_FAILED', { call: 'preadv2', offset: offset + done })
    }
  }

  /** Returns how many bytes were written at once: none, where it would have to wait. */
  writeNow(from: readonly Buffer[], offset: number): number {
    const length = bytesOf(from)
    if (!this.canWriteNow(offset, length)) return 0
    if (this.#dirtyBytes < measuredFromBytes) return this.#put(from, offset, length)
    const begin = performance.now()
    const written = this.#put(from, offset, length)
    const end = performance.now()
    if (end - begin > slowMs) this.#slowUntil = end + staySlowMs
    return written
  }

  /** Whether `writeNow` would try. */
  canWriteNow(offset: number, length: number): boolean {
    if (this.#locking > 0 || length > synchronousBytes || (this.#slowUntil > 0 && this.#isStillSlow())) return false
    return this.#hasRestOfPage(offset) && this.#hasRestOfPage(offset + length)
  }

  #isStillSlow(): boolean {
    if (performance.now() < this.#slowUntil) return true
    this.#slowUntil = 0
    return false
  }

  /** Whether the page that a write begins or ends within is in memory. */
  #hasRestOfPage(at: number): boolean {
    return at % cachePageBytes === 0 || this.#isInMemory || preadVector(this.#fd, probe, at, RWF_NOWAIT) > 0
  }

  #put(from: readonly Buffer[], offset: number, length: number): number {
    let done = 0
    while (done < length) {
      const put = pwriteVector(this.#fd, done === 0 ? from : partOf(from, done, length - done), offset + done)
      if (put > 0) done += put
      else if (put !== -errno.EINTR) break
    }
    this.#wrote(done)
    return done
  }

  /**
   * Writes on the thread pool; `isDurable`: on stable storage when it resolves. `written` hears how far it came, also if it fails then.
   * RWF_DSYNC is faster than one fdatasync for all that wait (measured on ext4, 4 at a time: 7,508 to 4,634 in a second), and does not wait
   * for what others wrote.
   */
  async write(from: readonly Buffer[], offset: number, { isDurable = false, written }: FileWriteOptions = {}): Promise<void> {
    const length = bytesOf(from)
    const isSynced = isDurable && this.#canSyncWrites
    // What has to be read from the disk is read without the file's lock, which others' writes need at once.
    for (const edge of [offset, offset + length])
      if (!this.#hasRestOfPage(edge)) await this.#using(preadVectorAsync(this.#fd, [Buffer.alloc(1)], edge))
    const begin = performance.now()
    for (let done = 0; done < length;) {
      const rest = done === 0 ? from : partOf(from, done, length - done)
      const put = await this.#using(pwriteVectorAsync(this.#fd, rest, offset + done, isSynced ? RWF_DSYNC : 0))
      if (put > 0) {
        done += put
        if (!isSynced) this.#wrote(put)
        written?.(done)
      } else if (isSynced && cannot.has(put)) {
        this.#canSyncWrites = false
        return this.write(from, offset, { isDurable, ...(written && { written }) })
      } else if (put !== -errno.EINTR) throw deviceError(put === 0 ? -errno.ENOSPC : put, 'WRITE_FAILED', { call: 'pwritev2', offset: offset + done })
    }
    if (this.#slowUntil > 0 && !isSynced) this.#stayedSlow(begin)
    if (isDurable && !isSynced) await this.flush()
  }

  /** Writes a few bytes at once, whatever that takes. Throws `BlockDeviceError`. */
  writeAtOnce(bytes: Buffer, offset: number): void {
    for (let done = 0; done < bytes.length;) {
      const put = pwriteVector(this.#fd, [bytes.subarray(done)], offset + done)
      if (put > 0) done += put
      else if (put !== -errno.EINTR) throw deviceError(put === 0 ? -errno.ENOSPC : put, 'WRITE_FAILED', { call: 'pwritev2', offset: offset + done })
    }
    this.#wrote(bytes.length)
  }

  #stayedSlow(begin: number): void {
    const end = performance.now()
    if (end - begin > slowMs) this.#slowUntil = end + staySlowMs
  }

  /** All that was written before the call is on stable storage when it resolves. Calls that wait share one fdatasync. */
  flush(): Promise<void> {
    if (this.#flushError !== undefined) return Promise.reject(this.#flushError)
    if (this.#flushing === undefined) return this.#isDirty ? (this.#flushing = this.#sync()) : Promise.resolve()
    if (!this.#isDirty) return this.#flushing
    return (this.#flushingNext ??= this.#flushing.then(() => {
      this.#flushingNext = undefined
      return (this.#flushing ??= this.#sync())
    }))
  }

  async #sync(): Promise<void> {
    this.#isDirty = false
    this.#dirtyBytes = 0
    const result = await this.#using(fdatasyncAsync(this.#fd))
    this.#flushing = undefined
    if (result >= 0) return
    // The kernel tells it once and takes the pages for clean then: what they held is gone, and no later flush may say otherwise.
    this.#flushError = deviceError(result, 'WRITE_FAILED', { call: 'fdatasync' })
    throw this.#flushError
  }

  /** Reads as zeros from now on, and takes no space. */
  async punch(offset: number, lengthBytes: number): Promise<void> {
    if (this.#canPunch) {
      const result = await this.#allocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, lengthBytes)
      if (result >= 0) return
      if (!cannot.has(result)) throw deviceError(result, 'WRITE_FAILED', { call: 'fallocate', offset })
      this.#canPunch = false
    }
    await this.writeZeros(offset, lengthBytes)
  }

  /** Reads as zeros from now on, and takes its space. */
  async zero(offset: number, lengthBytes: number): Promise<void> {
    if (this.#canZero) {
      const result = await this.#allocate(FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, offset, lengthBytes)
      if (result >= 0) return
      if (!cannot.has(result)) throw deviceError(result, 'WRITE_FAILED', { call: 'fallocate', offset })
      this.#canZero = false
    }
    await this.writeZeros(offset, lengthBytes)
  }

  /** The same with zeros that are written. */
  async writeZeros(offset: number, lengthBytes: number, written?: (bytes: number) => void): Promise<void> {
    for (let done = 0; done < lengthBytes; done += fillBytes) {
      const before = done
      await this.write([lengthBytes - done < fillBytes ? zeros.subarray(0, lengthBytes - done) : zeros], offset + done, {
        ...(written && { written: bytes => written(before + bytes) }),
      })
    }
  }

  /**
   * Whether there is data at `offset`, and where that changes, at `limit` at the latest. What has been written is flushed first: where blocks
   * are allocated when pages are written back, what a filesystem says of pages that are on their way is put together from several places, and
   * has been wrong (ext4 before Linux 6.9: the length of a hole that has pages without blocks within; OpenZFS 15526). Of what has reached the
   * disk nobody is in doubt.
   */
  async runAt(offset: number, limit: number): Promise<Run> {
    // Also where a flush is under way: its pages are.
    if (!this.#isInMemory) await this.flush()
    // One after the other: who asks for what another one is finding waits for it. QEMU asks for 32 at once, each to the end of the disk.
    const found = this.#finding.then(() => this.#knownDataAt(offset) ?? this.#find(offset))
    this.#finding = found.catch(() => undefined)
    const run = await found
    return { ...run, end: Math.min(run.end, limit) }
  }

  #knownDataAt(offset: number): Run | undefined {
    const { begin, end } = this.#knownData
    return begin <= offset && offset < end ? { end, isData: true } : undefined
  }

  async #find(offset: number): Promise<Run> {
    const cleared = this.#cleared
    const data = await this.#seek(offset, SEEK_DATA)
    if (data !== offset) return { end: data, isData: false }
    const end = await this.#seek(offset, SEEK_HOLE)
    if (cleared === this.#cleared) this.#knownData = { begin: offset, end }
    return { end, isData: true }
  }

  /** What was known of data is so no more. */
  #clear(): void {
    this.#cleared++
    this.#knownData = nothingKnown
  }

  /**
   * Whether what is at `offset` has come to the disk, and where that changes, without the thread pool: an order of magnitude faster for many
   * runs, where waiting for the disk now and then does no harm. Nothing may have been written since the last flush. SEEK_DATA does not tell:
   * what is allocated and was not written has data for it once somebody has read it (Linux, mapping_seek_hole_data). It is asked where there is
   * no disk.
   */
  writtenNow(offset: number, limit: number): Run {
    const extent = writtenExtent(this.#fd, offset, limit)
    if (typeof extent !== 'number') return { end: extent.end, isData: extent.isWritten }
    if (!cannot.has(extent)) throw deviceError(extent, 'READ_FAILED', { call: 'FS_IOC_FIEMAP', offset })
    const data = this.#seekNow(offset, SEEK_DATA)
    if (data !== offset) return noDataUntil(data, limit)
    return { end: Math.min(this.#seekNow(offset, SEEK_HOLE), limit), isData: true }
  }

  /**
   * An error is asked for again at once: which one it was, is in `errno` of this thread until the callback reads it, and may have been
   * overwritten by then. That there is no more data must not be mixed up with anything else.
   */
  async #seek(offset: number, whence: number): Promise<number> {
    const found = await this.#using(lseekAsync(this.#fd, offset, whence))
    return found >= 0 ? found : this.#seekNow(offset, whence)
  }

  /** Where there is no more of it: infinity. */
  #seekNow(offset: number, whence: number): number {
    const found = lseek(this.#fd, offset, whence)
    if (found >= 0) return found
    if (found === -errno.ENXIO) return Infinity
    // A filesystem that cannot tell has data everywhere.
    if (cannot.has(found)) return whence === SEEK_DATA ? offset : Infinity
    throw deviceError(found, 'READ_FAILED', { call: 'lseek', offset })
  }

  /** Makes the file larger, durably; what is added reads as zeros. */
  async grow(sizeBytes: number): Promise<void> {
    let result = statFd(this.#fd, stat)
    if (result >= 0 && stat.sizeBytes < sizeBytes) result = ftruncate(this.#fd, sizeBytes)
    if (result < 0) throw deviceError(result, 'WRITE_FAILED', { call: 'ftruncate' })
    this.#isDirty = true
    await this.flush()
  }

  /** What the file takes on its filesystem, and what is left there. */
  usage(): { readonly usedBytes: number; readonly availableBytes: number } {
    const result = statFd(this.#fd, stat)
    if (result < 0) throw deviceError(result, 'READ_FAILED', { call: 'statx' })
    const filesystem = statFilesystem(this.#fd)
    if (typeof filesystem === 'number') throw deviceError(filesystem, 'READ_FAILED', { call: 'fstatfs' })
    return { usedBytes: stat.blocks * 512, availableBytes: filesystem.availableUnits * filesystem.unitBytes }
  }

  get sizeBytes(): number {
    const result = statFd(this.#fd, stat)
    if (result < 0) throw deviceError(result, 'READ_FAILED', { call: 'statx' })
    return stat.sizeBytes
  }

  /** Something may have been written since the last flush. */
  get isDirty(): boolean {
    return this.#isDirty
  }

  get descriptors(): { readonly data: number } {
    return { data: this.#fd }
  }

  #wrote(bytes: number): void {
    if (bytes > 0) this.#isDirty = true
    this.#dirtyBytes += bytes
  }

  async #allocate(mode: number, offset: number, lengthBytes: number): Promise<number> {
    for (;;) {
      this.#locking++
      this.#clear()
      const result = await this.#using(fallocateAsync(this.#fd, mode, offset, lengthBytes)).finally(() => {
        this.#locking--
        this.#clear()
      })
      if (result >= 0) this.#isDirty = true
      if (result !== -errno.EINTR) return result
    }
  }

  async #using(call: Promise<number>): Promise<number> {
    this.#inUse++
    try {
      return await call
    } finally {
      if (--this.#inUse === 0) this.#unused?.()
    }
  }
}

const noDataUntil = (data: number, limit: number): Run => ({ end: Math.min(data, limit), isData: false })

const fillWithZeros = (into: readonly Buffer[], from: number, to: number): void => {
  for (const part of partOf(into, from, to - from)) part.fill(0)
}
