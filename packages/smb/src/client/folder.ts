/** Listing a folder (MS-SMB2 3.2.4.17), one request ahead of who reads it. */
import { access, anyFileId, CreateOptions, decodeDirectory, directoryLayouts, FileClass, headerSize, isNtError, NtStatus } from '../messages/index.ts'
import type { FileId } from '../messages/index.ts'
import type { CallOptions } from './connection.ts'
import { statusError } from './errors.ts'
import { closeRecord, createRecord, must } from './handle.ts'
import { entryOf } from './info.ts'
import type { SmbEntry } from './info.ts'
import { friendlyPath } from './path.ts'
import { operations, record } from './requests.ts'
import type { Reply } from './requests.ts'
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

/** The entries of a folder but `.` and `..`, in the server's order. */
export async function* listFolder(tree: Tree, name: string, options: ListOptions = {}): AsyncGenerator<SmbEntry, void, undefined> {
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
  const create = createRecord(tree, { name, desiredAccess: folderAccess, createOptions: CreateOptions.directoryFile })
  const firstQuery = { ...query(anyFileId), related: true }
  const [created, first] = await tree.exchangeCompound([create, firstQuery], { signal })
  const { fileId } = must(created, create)
  let underWay: Promise<Reply<ReturnType<typeof decodeDirectory>>> | undefined
  try {
    if (isNtError(first.status) && !ends.includes(first.status)) throw statusError(first.status, 'QUERY_DIRECTORY', path)
    for (let { value } = first; value !== undefined;) {
      underWay = tree.exchange(query(fileId), { signal })
      underWay.catch(() => undefined)
      for (const item of value) if (item.name !== '.' && item.name !== '..') yield entryOf(item)
      ;({ value } = await underWay)
    }
  } finally {
    // Its failure is of no consequence: whoever lists has all, or does not want any more.
    await underWay?.catch(() => undefined)
    await tree.exchange(closeRecord(tree, fileId, path)).catch(() => undefined)
  }
}
