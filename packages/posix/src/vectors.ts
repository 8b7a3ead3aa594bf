/**
 * Reads and writes of several buffers in one call (readv(2)). A call without promise allocates nothing: the kernel's list of buffers is built
 * in place, and where a buffer's memory begins is asked once for all buffers in it.
 *
 * All return the bytes read or written, which may be fewer than the buffers have (at most the first 1,024 of them count: IOV_MAX), or -errno.
 */
import { addressAt, twoTo32 } from './addresses.ts'
import { callAsync, libc } from './libc.ts'

const maxBuffers = 1024

/** struct iovec: address and length, 64 bits each. */
const fill = (words: Uint32Array, buffers: readonly Uint8Array[]): number => {
  const count = buffers.length < maxBuffers ? buffers.length : maxBuffers
  for (let i = 0, at = 0; i < count; i++, at += 4) {
    const bytes = buffers[i]
    // What is empty, or has been transferred, has no memory.
    const address = bytes.length === 0 ? 0 : addressAt(bytes)
    words[at] = address
    words[at + 1] = address / twoTo32
    words[at + 2] = bytes.length
    words[at + 3] = 0
  }
  return count
}

const vector = Buffer.alloc(16 * maxBuffers)
const vectorWords = new Uint32Array(vector.buffer, vector.byteOffset, 4 * maxBuffers)

/** preadv2(2); RWF_NOWAIT: only what needs no disk (-EAGAIN: nothing; a part is possible). */
export const preadVector = (fd: number, targets: readonly Uint8Array[], offset: number, flags = 0): number =>
  libc.preadv2(fd, vector, fill(vectorWords, targets), offset, 0, flags)

/** pwritev2(2); RWF_DSYNC: on stable storage when it returns. RWF_NOWAIT: only what waits for nothing, where the filesystem can tell. */
export const pwriteVector = (fd: number, sources: readonly Uint8Array[], offset: number, flags = 0): number =>
  libc.pwritev2(fd, vector, fill(vectorWords, sources), offset, 0, flags)

const callVectorAsync = (
  call: 'preadv2' | 'pwritev2',
  fd: number,
  buffers: readonly Uint8Array[],
  offset: number,
  flags: number,
): Promise<number> => {
  const own = Buffer.allocUnsafeSlow(16 * Math.min(buffers.length, maxBuffers))
  const count = fill(new Uint32Array(own.buffer, own.byteOffset, own.length / 4), buffers)
  return callAsync(call, fd, own, count, offset, 0, flags).finally(() => void buffers) // alive until here
}

/** `preadVector` on the thread pool: `targets` are written to until it resolves. */
export const preadVectorAsync = (fd: number, targets: readonly Uint8Array[], offset: number, flags = 0): Promise<number> =>
  callVectorAsync('preadv2', fd, targets, offset, flags)

/** `pwriteVector` on the thread pool: `sources` must not change until it resolves. */
export const pwriteVectorAsync = (fd: number, sources: readonly Uint8Array[], offset: number, flags = 0): Promise<number> =>
  callVectorAsync('pwritev2', fd, sources, offset, flags)
