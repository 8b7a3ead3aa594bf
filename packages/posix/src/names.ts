/** Names in folders. Every call returns its result, or -errno. */
import { cPath, libc, type PathArgument } from './libc.ts'
import { AT_SYMLINK_FOLLOW } from './constants.ts'

/** renameat2(2); `flags`: RENAME_NOREPLACE, RENAME_EXCHANGE. */
export const renameAt2 = (fromFd: number, from: PathArgument, toFd: number, to: PathArgument, flags: number): number =>
  libc.renameat2(fromFd, cPath(from), toFd, cPath(to, 1), flags)
/** unlinkat(2); `flags`: AT_REMOVEDIR for a folder. */
export const unlinkAt = (folderFd: number, name: PathArgument, flags = 0): number => libc.unlinkat(folderFd, cPath(name), flags)
export const mkdirAt = (folderFd: number, name: PathArgument, mode: number): number => libc.mkdirat(folderFd, cPath(name), mode)
export const symlinkAt = (target: PathArgument, folderFd: number, name: PathArgument): number =>
  libc.symlinkat(cPath(target), folderFd, cPath(name, 1))
/** linkat(2): a further name for an open file (by its link in /proc, which asks for no capability). */
export const linkFdAt = (fd: number, folderFd: number, name: PathArgument): number =>
  libc.linkat(-1, cPath(`/proc/self/fd/${fd}`), folderFd, cPath(name, 1), AT_SYMLINK_FOLLOW)

const linkTarget = Buffer.alloc(4096)

/** readlinkat(2): the target's bytes or -errno; with the path `''` of a link that is opened with O_PATH | O_NOFOLLOW. */
export const readLinkAt = (folderFd: number, path: PathArgument): Buffer | number => {
  const length = libc.readlinkat(folderFd, cPath(path), linkTarget, linkTarget.length)
  return length < 0 ? length : Buffer.from(linkTarget.subarray(0, length))
}

const entryBuffers: Buffer[] = []

/** `bytes[start … end)` is the name. The bytes are good during the call only. */
export type EntryVisitor = (bytes: Buffer, start: number, end: number, type: number) => void

const dot = 0x2e

/**
 * getdents64(2) to the end of an open folder, without `.` and `..`: the number of entries or -errno. Reads from the descriptor's
 * position. `type`: DT_*. A visitor may read another folder.
 */
export const readFolder = (fd: number, visit: EntryVisitor): number => {
  const buffer = entryBuffers.pop() ?? Buffer.allocUnsafeSlow(256 * 1024)
  let count = 0
  try {
    for (;;) {
      const filled = libc.getdents64(fd, buffer, buffer.length)
      if (filled < 0) return filled
      if (filled === 0) return count
      // struct linux_dirent64: d_ino 8, d_off 8, d_reclen 2, d_type 1, d_name (ends with NUL).
      for (let at = 0; at < filled;) {
        const next = at + (buffer[at + 16] | (buffer[at + 17] << 8))
        const start = at + 19
        let end = start
        while (buffer[end] !== 0) end++
        const special = buffer[start] === dot && (end === start + 1 || (end === start + 2 && buffer[start + 1] === dot))
        if (!special) {
          visit(buffer, start, end, buffer[at + 18])
          count++
        }
        at = next
      }
    }
  } finally {
    if (entryBuffers.length < 4) entryBuffers.push(buffer)
  }
}
