import { sharesConflict, targetFolderMode } from './access.ts'
import { breakHandleCaching } from './deletion.ts'
import { fileKey, type Caching, type File, type Open, type Stream } from './entities.ts'
import { foldPath, isBelow, parentOf } from './paths.ts'
import type { PartitionState } from './partition-state.ts'
import type { OpenStatus, RenameTarget, StatusResult } from './types.ts'
import type { Attempt } from './waiters.ts'

const refuse = (status: OpenStatus): Attempt<StatusResult> => ({ result: { status } })

/** One attempt at a rename or link (MS-FSA 2.1.5.14.6, 2.1.5.14.11). */
export const attemptRename = (state: PartitionState, open: Open, target: RenameTarget): Attempt<StatusResult> => {
  if (open.closed) return refuse('FILE_CLOSED')
  const { stream } = open
  if (target.stream !== undefined) return attemptStreamRename(state, open, target.stream)
  const refusing = refusingFolders(state, target.path, open)
  if (refusing.length > 0) {
    // Whoever keeps the folder open only to cache its handle may close it.
    const holders = refusing.flatMap(folder => breakHandleCaching(state, folder, open))
    return holders.length > 0 ? { blockers: holders } : refuse('SHARING_VIOLATION')
  }
  const blockers: Caching[] = []
  if (target.link !== true) {
    if (stream.file.isFolder) {
      const below = filesBelow(state, stream.file)
      for (const file of below) blockers.push(...breakAllHandleCaching(state, file))
      if (blockers.length > 0) return { blockers }
      if (below.length > 0) return refuse('ACCESS_DENIED')
    }
    // A named stream that is open keeps its file where it is.
    for (const other of stream.file.streams.values()) if (other !== stream && other.opens.size > 0) return refuse('ACCESS_DENIED')
    blockers.push(...breakHandleCaching(state, stream, open))
  }
  const replaced = target.replaces === undefined ? undefined : state.files.get(fileKey(target.replaces.volumeId, target.replaces.fileId))
  const targetIsOpen = replaced !== undefined && replaced !== stream.file
  if (targetIsOpen) blockers.push(...breakAllHandleCaching(state, replaced))
  if (blockers.length > 0) return { blockers }
  return refuse(targetIsOpen ? 'ACCESS_DENIED' : 'SUCCESS')
}

const attemptStreamRename = (state: PartitionState, open: Open, name: string): Attempt<StatusResult> => {
  const blockers = breakHandleCaching(state, open.stream, open)
  if (blockers.length > 0) return { blockers }
  const there = open.stream.file.streams.get(foldPath(name))
  return refuse(there === undefined || there === open.stream ? 'SUCCESS' : 'ACCESS_DENIED')
}

/**
 * The target's folder must not be open for deletion. When a folder is renamed only the client's own opens count: a file manager that keeps
 * the folder above open on another machine shall not refuse it.
 */
const refusingFolders = (state: PartitionState, path: string, { stream, clientGuid }: Open): Stream[] => {
  const parent = parentOf(path)
  if (parent === undefined) return []
  const refuses = (open: Open): boolean => (!stream.file.isFolder || open.clientGuid === clientGuid) && sharesConflict(open, targetFolderMode)
  return [...state.filesAt(foldPath(parent))].flatMap(({ streams }) => streams.get('') ?? []).filter(({ opens }) => [...opens].some(refuses))
}

const filesBelow = (state: PartitionState, folder: File): File[] => {
  const below: File[] = []
  for (const file of state.files.values()) if (file.opens > 0 && isBelow(file.folded, folder.folded)) below.push(file)
  return below
}

const breakAllHandleCaching = (state: PartitionState, file: File): Caching[] =>
  [...file.streams.values()].flatMap(stream => breakHandleCaching(state, stream, undefined))

/** Opens of what an open's rename renames: of a file with several names, those by the same. */
function* renamedWith({ stream, link }: Open): Iterable<Open> {
  for (const { opens } of stream.file.streams.values()) for (const other of opens) if (other.link === link) yield other
}

/** A rename is about to be done, and whoever reads the records next may not know whether it was; calls back with each open concerned. */
export const expectRename = (open: Open, target: RenameTarget, concerned: (open: Open) => void): void => {
  if (target.link === true || target.stream !== undefined) return
  for (const other of renamedWith(open)) {
    other.otherPath = target.path
    concerned(other)
  }
}

/** The filesystem has renamed it: new paths for all opens of the file and of what lies below it. */
export const applyRename = (state: PartitionState, open: Open, target: { readonly path: string; readonly stream?: string }): void => {
  const { stream } = open
  const { file } = stream
  if (target.stream !== undefined && stream.name !== '') {
    file.streams.delete(stream.folded)
    stream.name = target.stream
    stream.folded = foldPath(target.stream)
    file.streams.set(stream.folded, stream)
    tellPaths(state, file)
    return
  }
  const { link, path } = open
  const renamed = [...renamedWith(open)]
  // A client that has not heard of the rename comes back to it by that name.
  for (const other of renamed) other.otherPath = path
  if (link !== undefined) {
    for (const other of renamed) other.link = target.path
    tellPaths(state, file)
    return
  }
  const from = file.path
  const below = file.isFolder ? [...state.files.values()].filter(each => isBelow(each.folded, file.folded)) : []
  state.move(file, target.path)
  tellPaths(state, file)
  for (const each of below) {
    state.move(each, target.path + each.path.slice(from.length))
    tellPaths(state, each)
  }
}

const tellPaths = (state: PartitionState, file: File): void => {
  for (const stream of file.streams.values()) {
    for (const open of stream.opens) state.send(open.holder, { type: 'path', openId: open.id, path: open.path, stream: stream.name })
  }
}
