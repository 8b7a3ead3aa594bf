/**
 * Extended attributes of clients are Linux's `user.` attributes (as with Samba, and as the Linux client shows them): NAME is `user.NAME`.
 * They compare without regard to case and keep the case they were made with. FILE_NEED_EA is not kept.
 */
import { errno } from '@holdfast/posix'
import { FsError, type ExtendedAttribute } from '../filesystem.ts'
import { sameName } from '../upcase.ts'
import { must } from './errors.ts'
import { clientAttributes, getWholeXattr, listClientAttributes, xattr, type XattrTarget } from './metadata.ts'

const prefix = 'user.'
/** XATTR_NAME_MAX (255) without the namespace. */
const maxNameBytes = 250

export const readExtendedAttributes = (target: XattrTarget): ExtendedAttribute[] => {
  const attributes: ExtendedAttribute[] = []
  for (const name of listClientAttributes(target)) {
    const value = getWholeXattr(target, name)
    if (value !== undefined) attributes.push({ name: name.slice(prefix.length), value, flags: 0 })
  }
  return attributes
}

export const writeExtendedAttributes = (target: XattrTarget, changes: readonly ExtendedAttribute[]): void => {
  if (changes.length === 0) return
  for (const { name } of changes) {
    if (name === '' || name.includes('\0') || !name.isWellFormed()) throw new FsError('invalid-name', 'not the name of an extended attribute')
    if (Buffer.byteLength(name) > maxNameBytes) throw new FsError('name-too-long')
    if (clientAttributes(Buffer.from(prefix + name)).length === 0) throw new FsError('access-denied', 'the name is reserved')
  }
  const present = listClientAttributes(target)
  for (const { name, value } of changes) {
    const stored = present.find(other => sameName(other, prefix + name)) ?? prefix + name
    if (value.length > 0) must(xattr.set(target, stored, value), 'setxattr')
    else {
      const result = xattr.remove(target, stored)
      if (result !== -errno.ENODATA) must(result, 'removexattr')
    }
  }
}
