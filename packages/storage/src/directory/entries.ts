import { AT_SYMLINK_NOFOLLOW, O_DIRECTORY, O_PATH, O_RDONLY, StatBuffer, close, openAt, readFolder, statAt, statFd } from '@holdfast/posix'
import { FsError, type FolderEntry } from '../filesystem.ts'
import { joinPath } from '../paths.ts'
import { must } from './errors.ts'
import type { DirectoryHandle } from './handle.ts'
import { infoOf, nothingStored, readStored, readStoredAt } from './metadata.ts'
import { decodeName, diskPath } from './names.ts'
import { hiddenName, isHidden } from './root.ts'
import { isMarked } from './shown-links.ts'

const stat = new StatBuffer()

/** Names in a folder, in the order the filesystem gives them (which stays while the folder does). */
export const entryNames = (handle: DirectoryHandle): string[] => {
  if (!handle.isFolder) throw new FsError('not-folder')
  const names: string[] = []
  // A descriptor of its own: the position of one that is shared would be, too.
  const fd = must(openAt(handle.base.fd, '.', O_RDONLY | O_DIRECTORY), 'open', { ENOENT: 'stale' })
  const result = readFolder(fd, (bytes, start, end) => names.push(decodeName(bytes, start, end)))
  close(fd)
  must(result, 'getdents64', { ENOENT: 'stale' })
  const hidden = names.indexOf(hiddenName)
  if (hidden >= 0) names.splice(hidden, 1)
  return names
}

/** Entries of a folder: names are read now, metadata as it is asked for (two system calls each). */
export const listEntries = (handle: DirectoryHandle, wanted?: readonly string[]): Iterable<FolderEntry | undefined> => {
  if (wanted === undefined) return entriesOf(handle, entryNames(handle))
  if (!handle.isFolder) throw new FsError('not-folder')
  return entriesOf(handle, storedNames(handle, wanted))
}

function* entriesOf(handle: DirectoryHandle, names: Iterable<string>): Generator<FolderEntry | undefined> {
  for (const name of names) {
    if (handle.closed) return
    yield entryOf(handle, name)
  }
}

/** Names as stored of those that exist in any case. */
function* storedNames(handle: DirectoryHandle, wanted: readonly string[]): Generator<string> {
  for (const name of wanted) {
    if (handle.closed) return
    if (isHidden(name)) continue
    const stored = existsExactly(handle, name) ? name : handle.root.indexes.find(handle.base.fd, name)
    if (stored !== undefined) yield stored
  }
}

const existsExactly = (handle: DirectoryHandle, name: string): boolean => {
  try {
    return statAt(handle.base.fd, diskPath(name), AT_SYMLINK_NOFOLLOW, stat) === 0
  } catch {
    return false
  }
}

// The name goes into two system calls: written once.
const scratch = Buffer.alloc(1024) as Buffer & { latin1Write(text: string, offset: number): number }

const terminated = (onDisk: string | Buffer): Buffer => {
  if (typeof onDisk !== 'string') return onDisk
  scratch[scratch.latin1Write(onDisk, 0)] = 0
  return scratch
}

const entryOf = (handle: DirectoryHandle, name: string): FolderEntry | undefined => {
  const { root } = handle
  const { fd } = handle.base
  const onDisk = terminated(diskPath(name))
  if (statAt(fd, onDisk, AT_SYMLINK_NOFOLLOW, stat) < 0) return undefined
  if (!stat.isSymlink) return infoOf(root, stat, name, readStoredAt(fd, onDisk))
  // A link of the server's own shows what it points to, if that is there and beneath the root; else itself, so that it can be removed.
  const target = isMarked(fd, onDisk) ? -1 : root.open(joinPath(handle.path, name), O_PATH)
  if (target < 0) return infoOf(root, stat, name, nothingStored)
  try {
    if (statFd(target, stat) < 0) return undefined
    return infoOf(root, stat, name, readStored({ fd: target, pathOnly: true }))
  } finally {
    close(target)
  }
}
