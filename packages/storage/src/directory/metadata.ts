/**
 * Metadata that Linux has no place for, in extended attributes:
 * `user.holdfast.dos` has DOS attributes and creation time where they are not what they would be without it (a file's
 * default is ARCHIVE, as for one just made; the creation time is statx's). 16 bytes, little-endian: version 1, flags (1: attributes,
 * 2: creation time, 4: change time), 2 reserved, attributes (4), FILETIME (8). A change time that a client has set takes 16 more: the
 * FILETIME it set, and until which change of the inode that counts: the kernel's own change time can't be set, and tells of later changes.
 */
import {
  cString,
  errno,
  filesystemMagic,
  getXattr,
  getXattrAt,
  listXattr,
  listXattrAt,
  pathXattr,
  removeXattr,
  setXattr,
  statTime,
  type PathArgument,
  type StatBuffer,
} from '@holdfast/posix'
import { extendedAttributesSize, fileAttribute, reparseTagSymlink, shownAttributes, storableAttributes } from '../attributes.ts'
import type { FileInfo, FileTime } from '../filesystem.ts'
import { fileTimeOf, fileTimeOfMs } from '../time.ts'
import { must } from './errors.ts'
import type { Root } from './root.ts'

const tokenName = cString('user.holdfast.token')
const dosName = cString('user.holdfast.dos')
const plainBytes = 16
const withChangedBytes = 32
const dosBytes = Buffer.alloc(withChangedBytes)
const dosVersion = 1
const hasAttributes = 1
const hasCreatedAt = 2
const hasChangedAt = 4
/** How long after a change time was decided on the kernel may note that it was stored, in 100 ns. */
const changedMargin = 1_000_000n
const allocationUnit = 4096

/** What is stored beside the file; undefined: the default. */
export interface StoredMetadata {
  readonly attributes: number | undefined
  readonly createdAt: FileTime | undefined
  readonly changed: ChangedTime | undefined
  readonly eaSizeBytes: number
}

/** A change time set by a client; it counts while the kernel's is not after `until`. */
export interface ChangedTime {
  readonly at: FileTime
  readonly until: FileTime
}

/** A change time to be stored now. */
export const changedNow = (at: FileTime): ChangedTime => ({ at, until: fileTimeOfMs(Date.now()) + changedMargin })

export const nothingStored: StoredMetadata = { attributes: undefined, createdAt: undefined, changed: undefined, eaSizeBytes: 0 }

/** A descriptor and whether it was opened with O_PATH. */
export interface XattrTarget {
  readonly fd: number
  readonly pathOnly: boolean
}

export const xattr = {
  get: ({ fd, pathOnly }: XattrTarget, name: PathArgument, value: Uint8Array): number =>
    pathOnly ? pathXattr.get(fd, name, value) : getXattr(fd, name, value),
  set: ({ fd, pathOnly }: XattrTarget, name: PathArgument, value: Uint8Array, flags = 0): number =>
    pathOnly ? pathXattr.set(fd, name, value, flags) : setXattr(fd, name, value, flags),
  list: ({ fd, pathOnly }: XattrTarget, into: Uint8Array): number => (pathOnly ? pathXattr.list(fd, into) : listXattr(fd, into)),
  remove: ({ fd, pathOnly }: XattrTarget, name: PathArgument): number => (pathOnly ? pathXattr.remove(fd, name) : removeXattr(fd, name)),
}

/** `CreateOptions.creationToken`, kept in `user.holdfast.token` where the filesystem has extended attributes. */
export const writeCreationToken = (target: XattrTarget, token: string): void => {
  const result = xattr.set(target, tokenName, Buffer.from(token, 'latin1'))
  if (result !== -errno.EOPNOTSUPP) must(result, 'setxattr')
}

/** See `writeCreationToken`; undefined where there is none. */
export const readCreationToken = (target: XattrTarget): string | undefined => getWholeXattr(target, tokenName)?.toString('latin1')

/** All of an attribute, or undefined where there is none. */
export const getWholeXattr = (target: XattrTarget, name: PathArgument): Buffer | undefined => {
  for (;;) {
    const size = xattr.get(target, name, noBytes)
    if (size < 0) {
      if (isAbsent(size)) return undefined
      must(size, 'getxattr')
    }
    const value = Buffer.allocUnsafe(size)
    if (size === 0) return value
    const got = xattr.get(target, name, value)
    if (got >= 0) return value.subarray(0, got)
    if (got !== -errno.ERANGE) return undefined
  }
}

const noBytes = Buffer.alloc(0)
const isAbsent = (result: number): boolean =>
  result === -errno.ENODATA || result === -errno.EOPNOTSUPP || result === -errno.EPERM || result === -errno.EACCES || result === -errno.ENOENT

const listBytes = Buffer.alloc(65_536)

/** Attributes in the `user.` namespace that are not a client's: ours, and what Samba keeps there. */
const internal = /^user\.(?:holdfast\.|DOSATTRIB$|SAMBA_PAI$|DosStream\.)/

/** Names (with `user.`) in a listing that are extended attributes to clients. */
export const clientAttributes = (listing: Buffer): string[] =>
  listing
    .toString('utf8')
    .split('\0')
    .filter(name => name.startsWith('user.') && !internal.test(name))

const parseDos = (length: number, eaSizeBytes: number): StoredMetadata => {
  if (length < plainBytes || dosBytes[0] !== dosVersion) return eaSizeBytes === 0 ? nothingStored : { ...nothingStored, eaSizeBytes }
  const flags = dosBytes[1]
  return {
    attributes: (flags & hasAttributes) !== 0 ? dosBytes.readUInt32LE(4) & storableAttributes : undefined,
    createdAt: (flags & hasCreatedAt) !== 0 ? dosBytes.readBigUInt64LE(8) : undefined,
    changed:
      (flags & hasChangedAt) !== 0 && length === withChangedBytes
        ? { at: dosBytes.readBigUInt64LE(16), until: dosBytes.readBigUInt64LE(24) }
        : undefined,
    eaSizeBytes,
  }
}

const parse = (listed: number, get: (name: PathArgument, value: Uint8Array) => number): StoredMetadata => {
  if (listed <= 0) return nothingStored
  const listing = listBytes.subarray(0, listed)
  const dosLength = listing.includes(dosName) ? get(dosName, dosBytes) : 0
  const clients = clientAttributes(listing)
  const sizes = clients.map(name => ({ nameBytes: Buffer.byteLength(name) - 5, valueBytes: Math.max(0, get(name, noBytes)) }))
  return parseDos(dosLength, extendedAttributesSize(sizes))
}

/** What is stored beside an open file: one call where nothing is. */
export const readStored = (target: XattrTarget): StoredMetadata =>
  parse(xattr.list(target, listBytes), (name, value) => xattr.get(target, name, value))

/** The same for an entry of a folder. */
export const readStoredAt = (folderFd: number, entry: PathArgument): StoredMetadata =>
  parse(listXattrAt(folderFd, entry, listBytes), (name, value) => getXattrAt(folderFd, entry, name, value))

/** Names of a file's extended attributes as clients see them, with `user.`. */
export const listClientAttributes = (target: XattrTarget): string[] => {
  const listed = xattr.list(target, listBytes)
  return listed <= 0 ? [] : clientAttributes(listBytes.subarray(0, listed))
}

/** Stores attributes, creation and change time, or removes the record where all are the default. */
export const writeStored = (target: XattrTarget, isFolder: boolean, stored: Omit<StoredMetadata, 'eaSizeBytes'>): void => {
  const attributes = stored.attributes === (isFolder ? 0 : fileAttribute.archive) ? undefined : stored.attributes
  const { createdAt, changed } = stored
  if (attributes === undefined && createdAt === undefined && changed === undefined) {
    const result = xattr.remove(target, dosName)
    if (result < 0 && !isAbsent(result)) must(result, 'removexattr')
    return
  }
  dosBytes.fill(0)
  dosBytes[0] = dosVersion
  dosBytes[1] =
    (attributes === undefined ? 0 : hasAttributes) | (createdAt === undefined ? 0 : hasCreatedAt) | (changed === undefined ? 0 : hasChangedAt)
  dosBytes.writeUInt32LE(attributes ?? 0, 4)
  dosBytes.writeBigUInt64LE(createdAt ?? 0n, 8)
  dosBytes.writeBigUInt64LE(changed?.at ?? 0n, 16)
  dosBytes.writeBigUInt64LE(changed?.until ?? 0n, 24)
  const result = xattr.set(target, dosName, changed === undefined ? dosBytes.subarray(0, plainBytes) : dosBytes)
  // A filesystem without user attributes keeps none; that is not the client's fault.
  if (result < 0 && result !== -errno.EOPNOTSUPP) must(result, 'setxattr')
}

/**
 * Space taken. On ext4 the block that holds attributes counts in st_blocks: it is left out where that makes the sum fit. A small file that
 * is not sparse takes at least its size (its data may be inside the inode, or not allocated yet).
 */
export const allocationOf = (stat: StatBuffer, fsType: number, attributes: number): number => {
  const allocated = stat.blocks * 512
  const needed = Math.ceil(stat.sizeBytes / allocationUnit) * allocationUnit
  if (fsType === filesystemMagic.ext4 && allocated === needed + allocationUnit) return needed
  if (allocated < needed && needed <= 65_536 && (attributes & fileAttribute.sparse) === 0) return needed
  return allocated
}

const kindOf = (stat: StatBuffer): FileInfo['kind'] => (stat.isFolder ? 'folder' : stat.isRegular ? 'file' : stat.isSymlink ? 'symlink' : 'other')

/** FileInfo of what statx told, and what is stored beside it. */
export const infoOf = (root: Root, stat: StatBuffer, name: string, stored: StoredMetadata): FileInfo => {
  const { isFolder } = stat
  const kind = kindOf(stat)
  let attributes = stored.attributes ?? (isFolder ? 0 : fileAttribute.archive)
  if (stored.attributes === undefined && root.options.hideDotFiles && name.startsWith('.')) attributes |= fileAttribute.hidden
  const isLink = kind === 'symlink'
  const inodeChangedAt = fileTimeOf(stat.seconds(statTime.changed), stat.nanoseconds(statTime.changed))
  const changedAt = stored.changed !== undefined && inodeChangedAt <= stored.changed.until ? stored.changed.at : inodeChangedAt
  const writtenAt = fileTimeOf(stat.seconds(statTime.modified), stat.nanoseconds(statTime.modified))
  const born = stat.hasCreatedTime ? fileTimeOf(stat.seconds(statTime.created), stat.nanoseconds(statTime.created)) : writtenAt
  return {
    id: stat.inode,
    volumeId: BigInt(stat.device),
    name,
    isFolder,
    kind,
    attributes: isLink ? fileAttribute.reparsePoint : shownAttributes(attributes, isFolder, stat.isCompressed ? fileAttribute.compressed : 0),
    createdAt: stored.createdAt ?? born,
    accessedAt: fileTimeOf(stat.seconds(statTime.accessed), stat.nanoseconds(statTime.accessed)),
    writtenAt,
    changedAt,
    sizeBytes: isFolder || isLink ? 0 : stat.sizeBytes,
    allocationBytes: isFolder || isLink ? 0 : allocationOf(stat, root.fsType, attributes),
    links: stat.links,
    eaSizeBytes: stored.eaSizeBytes,
    reparseTag: isLink ? reparseTagSymlink : 0,
  }
}
