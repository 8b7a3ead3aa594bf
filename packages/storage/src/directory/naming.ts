/** Rename, link and remove: what needs the name of an open file, which is verified before anything is done to it. */
import {
  AT_REMOVEDIR,
  AT_SYMLINK_NOFOLLOW,
  O_PATH,
  O_RDONLY,
  O_NONBLOCK,
  RENAME_NOREPLACE,
  StatBuffer,
  close,
  errno,
  linkFdAt,
  openAt,
  readLinkAt,
  renameAt2,
  statAt,
  statFd,
  unlinkAt,
  AT_FDCWD,
} from '@holdfast/posix'
import { randomBytes } from 'node:crypto'
import { FsError, type MaybePromise } from '../filesystem.ts'
import { checkPath, checkStream, joinPath, nameOf, parentOf } from '../paths.ts'
import { sameName } from '../upcase.ts'
import { fsError, must } from './errors.ts'
import type { DirectoryHandle } from './handle.ts'
import { copyFrom, setSize } from './io.ts'
import { decodeName, diskPath } from './names.ts'
import { isHidden, type OpenFolder, type Root } from './root.ts'

const stat = new StatBuffer()
const other = new StatBuffer()

interface Place {
  readonly folder: OpenFolder
  readonly name: string
  /** The name is that of a symbolic link to the file. */
  readonly throughLink: boolean
}

/** Where a file is now: as its path says, or as the kernel knows after a folder above was renamed. Throws `not-found`. */
const findPlace = (handle: DirectoryHandle): Place => {
  if (handle.path === '') throw new FsError('access-denied', 'the root has no name')
  const place = verify(handle)
  if (place !== undefined) return place
  const path = currentPath(handle)
  if (path !== undefined && path !== handle.path) {
    handle.path = path
    const found = verify(handle)
    if (found !== undefined) return found
  }
  throw handle.root.missing('not-found', handle.path)
}

const verify = (handle: DirectoryHandle): Place | undefined => {
  const { root, path } = handle
  let folder: OpenFolder
  try {
    folder = root.folder(parentOf(path))
  } catch (error) {
    if (error instanceof FsError && error.code === 'path-not-found') return undefined
    throw error
  }
  const name = nameOf(path)
  if (statAt(folder.fd, diskPath(name), AT_SYMLINK_NOFOLLOW, stat) === 0) {
    if (isSame(handle)) return { folder, name, throughLink: false }
    if (stat.isSymlink) {
      const target = root.open(joinPath(folder.path, name), O_PATH)
      const same = target >= 0 && statFd(target, stat) === 0 && isSame(handle)
      if (target >= 0) close(target)
      if (same) return { folder, name, throughLink: true }
    }
  }
  root.release(folder)
  return undefined
}

const isSame = (handle: DirectoryHandle): boolean => stat.inode === handle.id && stat.device === handle.device

const linkOf = (fd: number): Buffer | undefined => {
  const target = readLinkAt(AT_FDCWD, `/proc/self/fd/${fd}`)
  return typeof target === 'number' ? undefined : target
}

const currentPath = (handle: DirectoryHandle): string | undefined => {
  const root = linkOf(handle.root.fd)
  const file = linkOf(handle.base.fd)
  if (root === undefined || file === undefined) return undefined
  const prefix = root.length === 1 ? root : Buffer.concat([root, Buffer.from('/')])
  if (!file.subarray(0, prefix.length).equals(prefix)) return undefined
  const components: string[] = []
  for (let start = prefix.length; start <= file.length;) {
    let end = file.indexOf(0x2f, start)
    if (end < 0) end = file.length
    components.push(decodeName(file, start, end))
    start = end + 1
  }
  return components.join('/')
}

/** What is to be cleaned up when a name's file goes: its streams, if it was the last name. */
const tagIfLast = (handle: DirectoryHandle, folderFd: number, name: string): string | undefined => {
  const onDisk = diskPath(name)
  if (statAt(folderFd, onDisk, AT_SYMLINK_NOFOLLOW, other) < 0 || other.isSymlink || (!other.isFolder && other.links > 1)) return undefined
  let fd = openAt(folderFd, onDisk, O_RDONLY | O_NONBLOCK)
  const pathOnly = fd < 0
  if (pathOnly) fd = openAt(folderFd, onDisk, O_PATH)
  if (fd < 0) return undefined
  try {
    return handle.store.tagOf({ fd, pathOnly })
  } finally {
    close(fd)
  }
}

export const remove = (handle: DirectoryHandle): void => {
  const { root, store } = handle
  root.assertWritable()
  if (handle.isStream) return store.remove(handle.base, handle.streamName)
  const { folder, name, throughLink } = findPlace(handle)
  root.watcher.begin(name)
  try {
    must(statFd(handle.base.fd, stat), 'statx')
    const last = !throughLink && (handle.isFolder || stat.links <= 1)
    const tag = last ? store.tagOf(handle.base) : undefined
    must(unlinkAt(folder.fd, diskPath(name), handle.isFolder && !throughLink ? AT_REMOVEDIR : 0), 'unlink', { EEXIST: 'not-empty' })
    if (tag !== undefined) store.removeAll(tag)
  } finally {
    root.watcher.end(name)
    root.release(folder)
  }
}

/** A place for a name: its folder, and the name that is there in whatever case. */
const findTarget = (root: Root, path: string): { folder: OpenFolder; name: string; stored: string | undefined } => {
  checkPath(path)
  if (path === '' || isHidden(path)) throw new FsError('access-denied')
  const folder = root.folder(parentOf(path))
  try {
    const name = nameOf(path)
    diskPath(name)
    return { folder, name, stored: root.findIn(folder, name) }
  } catch (error) {
    root.release(folder)
    throw error
  }
}

export const rename = (handle: DirectoryHandle, to: { readonly path: string; readonly stream?: string }, replace: boolean): MaybePromise<void> => {
  handle.root.assertWritable()
  if (handle.isStream) return renameStream(handle, to, replace)
  if (to.stream) throw new FsError('not-supported', 'a file cannot become a stream')
  const { root, store } = handle
  const source = findPlace(handle)
  let target: ReturnType<typeof findTarget>
  try {
    target = findTarget(root, to.path)
  } catch (error) {
    root.release(source.folder)
    throw error
  }
  const { folder, name, stored } = target
  root.watcher.begin(source.name, name)
  try {
    const sameFolder = isSameFolder(source.folder.fd, folder.fd)
    const itself = sameFolder && stored === source.name
    if (itself && name === source.name) return
    let tag: string | undefined
    if (stored !== undefined && !itself) {
      if (!replace) throw new FsError('exists')
      if (statAt(folder.fd, diskPath(stored), AT_SYMLINK_NOFOLLOW, stat) === 0 && isSame(handle) && !source.throughLink) {
        // Two names of one file: rename(2) would do nothing.
        must(unlinkAt(source.folder.fd, diskPath(source.name)), 'unlink')
        if (stored !== name) move(folder.fd, stored, folder.fd, name, false)
        handle.path = joinPath(folder.path, name)
        return
      }
      tag = tagIfLast(handle, folder.fd, stored)
      move(source.folder.fd, source.name, folder.fd, stored, true)
      if (stored !== name) move(folder.fd, stored, folder.fd, name, false)
    } else move(source.folder.fd, source.name, folder.fd, name, false)
    handle.path = joinPath(folder.path, name)
    if (tag !== undefined) store.removeAll(tag)
  } finally {
    root.watcher.end(source.name, name)
    root.release(source.folder)
    root.release(folder)
  }
}

const isSameFolder = (a: number, b: number): boolean => {
  must(statFd(a, stat), 'statx')
  must(statFd(b, other), 'statx')
  return stat.sameFile(other)
}

const move = (fromFd: number, from: string, toFd: number, to: string, replace: boolean): void => {
  const source = diskPath(from)
  const target = diskPath(to)
  let result = renameAt2(fromFd, source, toFd, target, replace ? 0 : RENAME_NOREPLACE)
  if (result === -errno.EINVAL && !replace) {
    // Not every filesystem knows RENAME_NOREPLACE; EINVAL is also a folder moved into itself, which comes back the same.
    if (statAt(toFd, target, AT_SYMLINK_NOFOLLOW, other) === 0) throw new FsError('exists')
    result = renameAt2(fromFd, source, toFd, target, 0)
  }
  if (result < 0) throw fsError(result, 'rename', { EEXIST: replace ? 'not-empty' : 'exists', ENOTDIR: 'not-folder' })
}

const renameStream = (handle: DirectoryHandle, to: { readonly path: string; readonly stream?: string }, replace: boolean): MaybePromise<void> => {
  const { store } = handle
  const name = to.stream ?? ''
  checkStream(name)
  if (!sameName(to.path, handle.path)) throw new FsError('invalid', 'a stream stays with its file')
  if (name !== '') {
    store.rename(handle.base, handle.streamName, name, replace)
    handle.streamName = name
    return
  }
  if (handle.baseIsFolder) throw new FsError('is-folder')
  return becomeData(handle, replace)
}

/** A stream that is renamed to `''` becomes the file's data (MS-FSA 2.1.5.14.11). */
const becomeData = (handle: DirectoryHandle, replace: boolean): MaybePromise<void> => {
  const data = handle.openBase()
  try {
    must(statFd(data.base.fd, stat), 'statx')
    if (stat.sizeBytes > 0 && !replace) throw new FsError('exists')
    setSize(data, 0)
    must(statFd(handle.ioFd(false), stat), 'statx')
    const finish = (): void => {
      data.close()
      handle.store.remove(handle.base, handle.streamName)
    }
    const copied = copyFrom(data, handle, 0, 0, stat.sizeBytes)
    if (copied instanceof Promise) return copied.then(finish)
    finish()
  } catch (error) {
    data.close()
    throw error
  }
}

export const link = (handle: DirectoryHandle, path: string, replace: boolean): void => {
  const { root } = handle
  root.assertWritable()
  if (handle.isFolder) throw new FsError('is-folder')
  const { folder, name, stored } = findTarget(root, path)
  root.watcher.begin(name, handle.name)
  try {
    if (stored === undefined) {
      must(linkFdAt(handle.base.fd, folder.fd, diskPath(name)), 'link', { ENOENT: 'stale' })
      return
    }
    if (!replace) throw new FsError('exists')
    const tag = tagIfLast(handle, folder.fd, stored)
    const temporary = `.holdfast-link-${randomBytes(6).toString('hex')}`
    must(linkFdAt(handle.base.fd, folder.fd, temporary), 'link', { ENOENT: 'stale' })
    const result = renameAt2(folder.fd, temporary, folder.fd, diskPath(stored), 0)
    // When both names are the same file already, rename(2) does nothing and the temporary one stays.
    unlinkAt(folder.fd, temporary)
    must(result, 'rename')
    if (stored !== name) move(folder.fd, stored, folder.fd, name, false)
    if (tag !== undefined) handle.store.removeAll(tag)
  } finally {
    root.watcher.end(name, handle.name)
    root.release(folder)
  }
}
