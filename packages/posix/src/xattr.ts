/** Extended attributes (xattr(7)). Every call returns its result, or -errno (-ENODATA: no such attribute). */
import { AT_SYMLINK_NOFOLLOW } from './constants.ts'
import { errno } from './errors.ts'
import { addressOf, cPath, libc, type PathArgument } from './libc.ts'

/**
 * The size of the value, which is in `value` if it fits (-ERANGE if not; an empty `value` only asks for the size).
 * `name` includes its namespace (`user.x`); a NUL-terminated Buffer for names that are used often.
 */
export const getXattr = (fd: number, name: PathArgument, value: Uint8Array): number => libc.fgetxattr(fd, cPath(name), value, value.length)
/** `flags`: XATTR_CREATE, XATTR_REPLACE. -ENOSPC or -E2BIG where it is too large for the filesystem. */
export const setXattr = (fd: number, name: PathArgument, value: Uint8Array, flags = 0): number =>
  libc.fsetxattr(fd, cPath(name), value, value.length, flags)
/** NUL-terminated names, one after another, in `into`; returns their length. */
export const listXattr = (fd: number, into: Uint8Array): number => libc.flistxattr(fd, into, into.length)
export const removeXattr = (fd: number, name: PathArgument): number => libc.fremovexattr(fd, cPath(name))

const byFd = (fd: number): Uint8Array => cPath(`/proc/self/fd/${fd}`)

/** The same for a descriptor opened with O_PATH, which the f-calls refuse; four times as slow. */
export const pathXattr = {
  get: (fd: number, name: PathArgument, value: Uint8Array): number => libc.getxattr(byFd(fd), cPath(name, 1), value, value.length),
  set: (fd: number, name: PathArgument, value: Uint8Array, flags = 0): number => libc.setxattr(byFd(fd), cPath(name, 1), value, value.length, flags),
  list: (fd: number, into: Uint8Array): number => libc.listxattr(byFd(fd), into, into.length),
  remove: (fd: number, name: PathArgument): number => libc.removexattr(byFd(fd), cPath(name, 1)),
}

// getxattrat and listxattrat came with Linux 6.13; before, a path through /proc does the same at three times the price.
let hasAtCalls = true
const xattrArguments = Buffer.alloc(16)
const throughProc = (folderFd: number, name: PathArgument): Uint8Array => {
  if (typeof name === 'string') return cPath(`/proc/self/fd/${folderFd}/${name}`)
  return Buffer.concat([Buffer.from(`/proc/self/fd/${folderFd}/`), name])
}

/** Attribute names of a folder's entry (a symbolic link itself, not its target). */
export const listXattrAt = (folderFd: number, name: PathArgument, into: Uint8Array): number => {
  if (hasAtCalls) {
    const result = libc.listxattrat(folderFd, cPath(name), AT_SYMLINK_NOFOLLOW, into, into.length)
    if (result !== -errno.ENOSYS) return result
    hasAtCalls = false
  }
  return libc.llistxattr(throughProc(folderFd, name), into, into.length)
}

/** An attribute of a folder's entry (a symbolic link itself, not its target). */
export const getXattrAt = (folderFd: number, name: PathArgument, attribute: PathArgument, value: Uint8Array): number => {
  if (hasAtCalls) {
    if (value.length > 0) xattrArguments.writeBigUInt64LE(addressOf(value), 0)
    xattrArguments.writeUInt32LE(value.length, 8)
    const result = libc.getxattrat(folderFd, cPath(name), AT_SYMLINK_NOFOLLOW, cPath(attribute, 1), xattrArguments, 16)
    if (result !== -errno.ENOSYS) return result
    hasAtCalls = false
  }
  return libc.lgetxattr(throughProc(folderFd, name), cPath(attribute, 1), value, value.length)
}
