/**
 * Linux system calls that Node lacks. Calls return their result or -errno instead of throwing (`orThrow`
 * turns that into a `PosixError`): an ENOENT is an answer, not an exception. Not Linux, or no koffi: importing works,
 * calling throws `UnsupportedPlatformError`; ask `unsupportedReason` first.
 */
export * from './constants.ts'
export * from './errors.ts'
export * from './files.ts'
export * from './inotify.ts'
export * from './names.ts'
export * from './stat.ts'
export * from './vectors.ts'
export * from './xattr.ts'
export { cString, requireSupport, unsupportedReason, type PathArgument } from './libc.ts'
export { isCached, sendFileNow } from './file-to-socket.ts'
