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

export function publishCreation(files: ShareFiles, what: { path: string; stream: string; isFolder: boolean }): void {
  const { notify } = files.opens
  const { folder, name } = splitPath(what.path)
  if (what.stream === '') notify.publish({ folder, name, action: notifyActions.added, filter: nameFilter(what.isFolder) })
  else notify.publish({ folder, name: `${name}:${what.stream}`, action: notifyActions.addedStream, filter: notifyFilters.streamName })
}

export function publishRemoval(files: ShareFiles, order: Pick<DeleteOrder, 'path' | 'stream' | 'isFolder'>): void {
  const { notify } = files.opens
  const { folder, name } = splitPath(order.path)
  if (order.stream === '') notify.publish({ folder, name, action: notifyActions.removed, filter: nameFilter(order.isFolder) })
  else notify.publish({ folder, name: `${name}:${order.stream}`, action: notifyActions.removedStream, filter: notifyFilters.streamName })
}

/** The open's file was changed; `filter` says in what (`notifyFilters`). */
export function publishModification(open: FileOpen, filter: number): void {
  const { notify } = open.files.opens
  if (!notify.watched) return
  const { folder, name } = splitPath(open.path)
  if (open.stream === '') notify.publish({ folder, name, action: notifyActions.modified, filter })
  else notify.publish({ folder, name: `${name}:${open.stream}`, action: notifyActions.modifiedStream, filter: streamFilter(filter) })
}

function streamFilter(filter: number): number {
  return (
    ((filter & notifyFilters.size) === 0 ? 0 : notifyFilters.streamSize) | ((filter & notifyFilters.lastWrite) === 0 ? 0 : notifyFilters.streamWrite)
  )
}
