/** Listing a folder (MS-SMB2 3.2.4.17), one request ahead of who reads it. */
import { access, anyFileId, CreateOptions, decodeDirectory, directoryLayouts, FileClass, headerSize, isNtError, NtStatus } from '../messages/index.ts'
import type { FileId } from '../messages/index.ts'
import type { CallOptions } from './connection.ts'
import { SmbError, statusError } from './errors.ts'
import { createRecord, must } from './handle.ts'
import { entryOf } from './info.ts'
import { isInterruption, repeatsMax } from './interruption.ts'
import { closeOpen, keep } from './opening.ts'
import type { SmbEntry } from './info.ts'
import { friendlyPath } from './path.ts'
import { operations, record } from './requests.ts'
import type { Reply } from './requests.ts'
import { RemoteOpen } from './remote-open.ts'
import type { Tree } from './tree.ts'

/** What is listed. */
export interface ListOptions extends CallOptions {
  /** `*` and `?` as in DOS; default all. */
  readonly pattern?: string
  /** Bytes of listing a request asks for; default 1 MiB, at most what the server allows. */
  readonly bufferBytes?: number
}

const listingLayout = directoryLayouts.get(FileClass.idBothDirectory)!
const defaultBufferBytes = 1024 * 1024
const ends: readonly number[] = [NtStatus.NO_MORE_FILES, NtStatus.NO_SUCH_FILE]

/** The rights that listing and watching need. */
export const folderAccess: number = access.listDirectory | access.readAttributes | access.synchronize

/**
 * The entries of a folder but `.` and `..`, in the server's order. When the connection is lost it is listed anew; if it still begins with
 * what was told already, the rest follows. Rejects with `EIO` when it does not.
 */
export async function* listFolder(tree: Tree, name: string, options: ListOptions = {}): AsyncGenerator<SmbEntry, void, undefined> {
  const told = new Told()
  for (let repeats = 0; ; repeats++) {
    let hasChanged = false
    try {
      const listing = new Told()
      for await (const entry of listOnce(tree, name, options)) {
        listing.add(entry.name)
        hasChanged = listing.count === told.count && listing.hash !== told.hash
        if (hasChanged) throw changed(friendlyPath(name))
        if (listing.count <= told.count) continue
        told.add(entry.name)
        yield entry
      }
      if (listing.count < told.count) throw changed(friendlyPath(name))
      return
    } catch (error) {
      if (hasChanged || repeats === repeatsMax || !isInterruption(error)) throw error
    }
  }
}

const changed = (path: string): SmbError =>
  new SmbError('EIO', `the folder '${path}' has changed while the connection was lost; list it again`, { path })

/** What was told of a listing, in constant memory: how many names, and a hash of them in order. */
class Told {
  count = 0
  hash = 0x811c_9dc5

  add(name: string): void {
    this.count++
    // FNV-1a: whoever makes it collide lists his own folder wrongly.
    for (let i = 0; i < name.length; i++) this.hash = Math.imul(this.hash ^ name.charCodeAt(i), 0x0100_0193)
    this.hash = Math.imul(this.hash ^ 0x5c, 0x0100_0193)
  }
}

/** The same once: rejects with an interruption when the connection is lost. */
export async function* listOnce(tree: Tree, name: string, options: ListOptions = {}): AsyncGenerator<SmbEntry, void, undefined> {
  const { pattern = '*', signal } = options
  const lengthBytes = Math.min(options.bufferBytes ?? defaultBufferBytes, tree.session.negotiated.maxTransactBytes)
  const path = friendlyPath(name)
  const query = (fileId: FileId) =>
    record({
      operation: operations.queryDirectory,
      value: { fileInformationClass: FileClass.idBothDirectory, fileId, outputBufferLength: lengthBytes, fileName: pattern },
      scope: tree,
      payloadBytes: lengthBytes,
      allows: ends,
      path,
      receive: ({ message }) => {
        const { buffer } = operations.queryDirectory.response.decode(message, headerSize)
        return decodeDirectory(listingLayout, buffer)
      },
    })
  const request = { name, desiredAccess: folderAccess, createOptions: CreateOptions.directoryFile }
  const { abandoned: _, ...create } = createRecord(tree, request)
  const firstQuery = { ...query(anyFileId), related: true }
  const [created, first] = await tree.exchangeCompound([create, firstQuery], { signal })
  const open = keep(new RemoteOpen(tree, request), must(created, create))
  let underWay: Promise<Reply<ReturnType<typeof decodeDirectory>>> | undefined
  try {
    if (isNtError(first.status) && !ends.includes(first.status)) throw statusError(first.status, 'QUERY_DIRECTORY', path)
    for (let { value } = first; value !== undefined;) {
      underWay = tree.exchange(query(open), { signal })
      underWay.catch(() => undefined)
      for (const item of value) if (item.name !== '.' && item.name !== '..') yield entryOf(item)
      ;({ value } = await underWay)
    }
  } finally {
    // Its failure is of no consequence: whoever lists has all, or does not want any more.
    await underWay?.catch(() => undefined)
    await closeOpen(open).catch(() => undefined)
  }
}
