import { O_CLOEXEC, O_NONBLOCK } from './constants.ts'
import { errno, orThrow } from './errors.ts'
import { cPath, libc, type PathArgument } from './libc.ts'

/** `bytes[start … end)` is the name (empty where the watched object itself is meant). The bytes are good during the call only. */
export type InotifyVisitor = (watch: number, mask: number, cookie: number, bytes: Buffer, start: number, end: number) => void

/** One inotify(7) instance, never blocking: ask `drain` when it matters (0.3 µs when there is nothing). */
export class Inotify implements Disposable {
  readonly #fd: number
  readonly #buffer = Buffer.allocUnsafeSlow(64 * 1024)
  #closed = false

  /** Throws `PosixError` (EMFILE: the limit of instances per user). */
  constructor() {
    this.#fd = orThrow(libc.inotifyInit1(O_NONBLOCK | O_CLOEXEC), 'inotify_init1')
  }

  /** A watch descriptor (the same for the same file) or -errno (-ENOSPC: the limit of watches per user). `mask`: IN_*. */
  add(path: PathArgument, mask: number): number {
    return libc.inotifyAddWatch(this.#fd, cPath(path), mask)
  }

  remove(watch: number): void {
    if (!this.#closed) libc.inotifyRmWatch(this.#fd, watch)
  }

  /** Hands all pending events to `visit`; returns their number. */
  drain(visit: InotifyVisitor): number {
    const buffer = this.#buffer
    let count = 0
    while (!this.#closed) {
      const filled = libc.read(this.#fd, buffer, buffer.length)
      if (filled <= 0) {
        if (filled === -errno.EINTR) continue
        return count
      }
      // struct inotify_event: wd 4, mask 4, cookie 4, len 4, name[len] padded with NULs.
      for (let at = 0; at < filled;) {
        const length = buffer.readUInt32LE(at + 12)
        const start = at + 16
        let end = start
        while (end < start + length && buffer[end] !== 0) end++
        visit(buffer.readInt32LE(at), buffer.readUInt32LE(at + 4), buffer.readUInt32LE(at + 8), buffer, start, end)
        count++
        at = start + length
      }
      // Less than half full: nothing more was there. Saves the second call in the common case.
      if (filled < buffer.length / 2) return count
    }
    return count
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    libc.close(this.#fd)
  }

  [Symbol.dispose](): void {
    this.close()
  }
}
