import { errno, errnoName } from '@holdfast/posix'
import { FsError, type FsErrorCode } from '../filesystem.ts'

/** errno -> what a filesystem says. What is not here is `io`. */
const codes = {
  ENOENT: 'not-found',
  ENOTDIR: 'path-not-found',
  EEXIST: 'exists',
  ENOTEMPTY: 'not-empty',
  EISDIR: 'is-folder',
  EACCES: 'access-denied',
  EPERM: 'access-denied',
  EROFS: 'read-only',
  ENOSPC: 'no-space',
  EDQUOT: 'quota',
  ENAMETOOLONG: 'name-too-long',
  EILSEQ: 'invalid-name',
  EMFILE: 'too-many-open',
  ENFILE: 'too-many-open',
  ENOMEM: 'too-many-open',
  EOPNOTSUPP: 'not-supported',
  ENOTSUP: 'not-supported',
  ENOSYS: 'not-supported',
  ENOTTY: 'not-supported',
  EXDEV: 'cross-device',
  ELOOP: 'not-found',
  ESTALE: 'stale',
  EBUSY: 'busy',
  ETXTBSY: 'busy',
  EAGAIN: 'busy',
  EINVAL: 'invalid',
  EBADF: 'invalid',
  EFBIG: 'too-large',
  E2BIG: 'too-large',
  ERANGE: 'too-large',
  EOVERFLOW: 'too-large',
  EMLINK: 'too-large',
  ENXIO: 'not-supported',
  EIO: 'io',
} as const satisfies Record<string, FsErrorCode>

const byNumber = new Map<number, FsErrorCode>()
for (const [name, code] of Object.entries(codes)) {
  const number = errno[name as keyof typeof errno]
  if (number !== undefined) byNumber.set(number, code)
}

/** The FsError for a system call's negative result. `special` overrides the table (`EXDEV` means `escapes` for openat2). */
export const fsError = (result: number, what: string, special?: Partial<Record<keyof typeof codes, FsErrorCode>>): FsError => {
  const name = errnoName(-result)
  return new FsError(special?.[name as keyof typeof codes] ?? byNumber.get(-result) ?? 'io', `${what}: ${name}`)
}

/** Passes a result on, or throws its FsError. */
export const must = (result: number, what: string, special?: Partial<Record<keyof typeof codes, FsErrorCode>>): number => {
  if (result < 0) throw fsError(result, what, special)
  return result
}

/** What openat2 beneath the root means by its errors: EXDEV is a way out of the root. */
export const openSpecial = { EXDEV: 'escapes' } as const
