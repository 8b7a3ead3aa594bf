/** QUERY_DIRECTORY (MS-SMB2 3.3.5.18). */
import type { FileInfo, FolderEntry } from '@holdfast/storage'
import { access } from '../../messages/fscc-access-mask.ts'
import { QueryDirectoryFlags } from '../../messages/constants.ts'
import { directoryLayouts, DirectoryWriter } from '../../messages/fscc-directory.ts'
import { headerSize } from '../../messages/header.ts'
import { NtStatus } from '../../messages/nt-status.ts'
import { QueryDirectoryRequest } from '../../messages/query-directory.ts'
import { effectiveAccess, mayList } from '../access/index.ts'
import type { CommandHandler, RequestContext } from '../core/handler-api.ts'
import type { FileOpen } from './file-open.ts'
import { splitPath } from './notices.ts'
import { fileOpen } from './opened.ts'
import { FolderSearch } from './search.ts'
import type { Shown } from './search.ts'
import { longName, mayBeShort } from './short-paths.ts'

/** Bytes of the response's body before the listing. */
const fixedBytes = 8

export const queryDirectory: CommandHandler = async request => {
  const open = fileOpen(request)
  if (!open.isFolder) return request.fail(NtStatus.INVALID_PARAMETER)
  if (!open.may(access.listDirectory)) return request.fail(NtStatus.ACCESS_DENIED)
  const asked = QueryDirectoryRequest.decode(request.message, headerSize)
  const layout = directoryLayouts.get(asked.fileInformationClass)
  if (layout === undefined) return request.fail(NtStatus.INVALID_INFO_CLASS)
  if (asked.outputBufferLength > request.connection.maxTransactSize) return request.fail(NtStatus.INVALID_PARAMETER)
  const first = open.search === undefined
  const again = (asked.flags & (QueryDirectoryFlags.restartScans | QueryDirectoryFlags.reopen)) !== 0
  if (first && asked.fileName === '') return request.fail(NtStatus.OBJECT_NAME_INVALID)
  if (asked.outputBufferLength < layout.nameAt) return request.fail(NtStatus.INFO_LENGTH_MISMATCH)
  if (first || again) {
    // A scan is restarted with the new pattern where there is one, and with REOPEN only (3.3.5.18).
    const pattern = asked.fileName === '' ? open.search!.pattern : asked.fileName
    if (pattern.includes('\\') || pattern.includes('/')) return request.fail(NtStatus.OBJECT_NAME_INVALID)
    // Both names of a file are looked at (MS-FSA 2.1.5.6.3); short ones when they are asked for whole, so that `*.htm` is not `*.html`, too.
    const name = mayBeShort(pattern) ? await longName(open.files, open.path, pattern) : pattern
    open.search = await FolderSearch.start({ handle: open.handle, parent: () => parentInfo(open), pattern: name, shown: visibility(request, open) })
  }
  const search = open.search!
  const body = request.reserve(fixedBytes + asked.outputBufferLength)
  const writer = new DirectoryWriter({ layout, target: body, at: fixedBytes, end: body.length })
  const single = (asked.flags & QueryDirectoryFlags.returnSingleEntry) !== 0
  let status: number = NtStatus.SUCCESS
  // oxlint-disable-next-line unicorn/no-array-fill-with-reference-type -- no array
  if (!(await search.fill(writer, single))) {
    if (search.atEnd) return request.fail(search.hasSent ? NtStatus.NO_MORE_FILES : NtStatus.NO_SUCH_FILE)
    search.writeTruncated(writer)
    status = NtStatus.BUFFER_OVERFLOW
  }
  body.writeUInt16LE(9, 0)
  body.writeUInt16LE(headerSize + fixedBytes, 2)
  body.writeUInt32LE(writer.lengthBytes, 4)
  return request.reply(fixedBytes + writer.lengthBytes, status)
}

/** `..` of the root is the root: nothing above the share is told. */
async function parentInfo(open: FileOpen): Promise<FileInfo> {
  const { path } = open
  const parent = path === '' ? undefined : await open.files.fileSystem.stat(splitPath(path).folder)
  return parent ?? (await open.handle.info())
}

/** With access-based enumeration a user sees what the user may read. */
function visibility(request: RequestContext, open: FileOpen): Shown | undefined {
  const { files } = open
  if (!files.options.accessBasedEnumeration) return undefined
  const token = files.tokenOf(request.session)
  return async (entry: FolderEntry) => {
    const folder = open.path
    const handle = await files.fileSystem.open(folder === '' ? entry.name : `${folder}/${entry.name}`, '', {
      read: false,
      write: false,
      noFollow: true,
    })
    try {
      return mayList(effectiveAccess({ descriptor: files.descriptor(await handle.security()), token }))
    } finally {
      await handle.close()
    }
  }
}
