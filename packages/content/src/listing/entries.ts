/** What is in a folder, a page of it. */

import { type FileHandle, type FolderEntry, FsError, type MaybePromise, unixTimeOf } from '@holdfast/storage'
import type { OpenFile } from '../open-files.ts'
import type { Reader } from '../shares.ts'

/** An entry of a listing. */
export interface ListedEntry {
  /** As over SMB. */
  readonly name: string
  readonly isFolder: boolean
  readonly sizeBytes: number
  readonly modifiedMs: number
}

/** Entries in the order of their names' code units. */
export interface EntryPage {
  readonly entries: readonly ListedEntry[]
  /** Behind which name the next page begins; undefined where there is none. */
  readonly next: string | undefined
  /** Nothing is before it, nor behind it. */
  readonly isWhole: boolean
}

/** Which page. */
export interface PageOptions {
  readonly after: string | undefined
  readonly limit: number
}

/** Entries whose metadata is read before others have a turn: half a millisecond or so. */
const entriesPerTurn = 200

/** Names are read at once, metadata for those of the page. What the share hides from the reader is left out. Throws FsError. */
export async function readEntries(folder: OpenFile, reader: Reader, { after, limit }: PageOptions): Promise<EntryPage> {
  const { handle } = folder
  const names = (await namesIn(handle)).toSorted()
  const from = after === undefined ? 0 : firstBehind(names, after)
  const entries: ListedEntry[] = []
  let at = from
  while (at < names.length && entries.length < limit) {
    const some = names.slice(at, at + Math.min(entriesPerTurn, limit - entries.length))
    for (const entry of await handle.entries(some)) {
      const given = entry instanceof Promise ? await entry : entry
      const found = given === undefined || given.kind === 'file' || given.kind === 'folder' ? given : await targetOf(folder, given)
      if (found !== undefined && (!folder.share.hidesUnreadable || (await isShown(folder, found, reader)))) entries.push(listed(found))
    }
    at += some.length
    await new Promise(resolve => setImmediate(resolve))
  }
  return { entries, next: at < names.length ? names[at - 1] : undefined, isWhole: from === 0 && at >= names.length }
}

/** A filesystem that does not give names alone gives all. */
function namesIn(handle: FileHandle): MaybePromise<readonly string[]> {
  if (handle.entryNames !== undefined) return handle.entryNames()
  return (async () => {
    const names: string[] = []
    for (const entry of await handle.entries()) {
      const found = entry instanceof Promise ? await entry : entry
      if (found !== undefined) names.push(found.name)
    }
    return names
  })()
}

function firstBehind(names: readonly string[], after: string): number {
  let low = 0
  let high = names.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (names[middle] > after) high = middle
    else low = middle + 1
  }
  return low
}

const listed = ({ name, isFolder, sizeBytes, writtenAt }: FolderEntry): ListedEntry => ({
  name,
  isFolder,
  sizeBytes,
  modifiedMs: unixTimeOf(writtenAt).seconds * 1000,
})

/** What a link that is shown as one leads to, where it can be read here; nothing else is read that is neither file nor folder. */
async function targetOf({ share, path }: OpenFile, entry: FolderEntry): Promise<FolderEntry | undefined> {
  if (entry.kind !== 'symlink') return undefined
  try {
    const target = await share.fileSystem.stat(path === '' ? entry.name : `${path}/${entry.name}`)
    return target === undefined || target.kind === 'other' || target.kind === 'symlink' ? undefined : { ...target, name: entry.name }
  } catch (error) {
    if (error instanceof FsError) return undefined
    throw error
  }
}

async function isShown({ share, path }: OpenFile, { name }: FolderEntry, reader: Reader): Promise<boolean> {
  const handle = await share.fileSystem.open(path === '' ? name : `${path}/${name}`, '', { read: false, write: false, noFollow: true })
  try {
    return share.mayList(reader, await handle.security())
  } finally {
    await handle.close()
  }
}
