/** What the server's own changes mean to those who watch folders (MS-SMB2 3.3.5.19, MS-FSA 2.1.4.1). */
import { notifyActions, notifyFilters } from '../opens/index.ts'
import type { DeleteOrder } from '../opens/index.ts'
import type { FileOpen } from './file-open.ts'
import type { ShareFiles } from './share-files.ts'

export function splitPath(path: string): { readonly folder: string; readonly name: string } {
  const at = path.lastIndexOf('/')
  return at < 0 ? { folder: '', name: path } : { folder: path.slice(0, at), name: path.slice(at + 1) }
}

const nameFilter = (isFolder: boolean): number => (isFolder ? notifyFilters.dirName : notifyFilters.fileName)

type Named = Pick<DeleteOrder, 'path' | 'stream' | 'isFolder'> & { readonly parentKey?: string | undefined }

export function publishCreation(files: ShareFiles, what: Named): void {
  publishName(files, what, { ofFile: notifyActions.added, ofStream: notifyActions.addedStream })
}

export function publishRemoval(files: ShareFiles, order: Named): void {
  publishName(files, order, { ofFile: notifyActions.removed, ofStream: notifyActions.removedStream })
}

function publishName(files: ShareFiles, { path, stream, isFolder, parentKey }: Named, action: { ofFile: number; ofStream: number }): void {
  const { notify } = files.opens
  if (!notify.listened) return
  const { folder, name } = splitPath(path)
  const shown = { folder, listing: true, parentKey }
  if (stream === '') notify.publish({ ...shown, name, action: action.ofFile, filter: nameFilter(isFolder) })
  else notify.publish({ ...shown, name: `${name}:${stream}`, action: action.ofStream, filter: notifyFilters.streamName })
}

/** The open's file was changed; `filter` says in what (`notifyFilters`). A folder's listing shows all of it but the security descriptor. */
export function publishModification(open: FileOpen, filter: number): void {
  publishChange(open, filter, filter !== notifyFilters.security)
}

/**
 * Content was written. In the folder's listing that is certain to show when the open is closed only, and that is when leases on the folder
 * break: a break for each write would make the lease worthless. Windows and Samba do the same.
 */
export function publishWrite(open: FileOpen, filter: number): void {
  open.hasWritten = true
  publishChange(open, filter, false)
}

/**
 * The open is about to be closed: what is not told before (MS-FSA 2.1.5.4, PendingNotifications). To rename a file sets its attribute ARCHIVE,
 * which counts as a change wherever it was set before; folders have none.
 */
export function publishPending(open: FileOpen): void {
  if (open.hasWritten) publishChange(open, 0, true)
  if (open.renamed !== undefined) publishChange(open, notifyFilters.attributes | notifyFilters.creation, false)
}

function publishChange(open: FileOpen, filter: number, listing: boolean): void {
  const { notify } = open.files.opens
  if (listing ? !notify.listened : !notify.watched) return
  const { folder, name } = splitPath(open.path)
  const shown = { folder, listing, parentKey: open.parentLeaseKey }
  if (open.stream === '') notify.publish({ ...shown, name, action: notifyActions.modified, filter })
  else notify.publish({ ...shown, name: `${name}:${open.stream}`, action: notifyActions.modifiedStream, filter: streamFilter(filter) })
}

function streamFilter(filter: number): number {
  return (
    ((filter & notifyFilters.size) === 0 ? 0 : notifyFilters.streamSize) | ((filter & notifyFilters.lastWrite) === 0 ? 0 : notifyFilters.streamWrite)
  )
}
