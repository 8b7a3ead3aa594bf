import type { Caching, File, Open, Stream } from './entities.ts'
import { opensByWorker, type PartitionState } from './partition-state.ts'
import { leaseStates, type DeleteOrder, type DeletePending, type StatusResult } from './types.ts'
import type { Attempt } from './waiters.ts'

/** Marks (or unmarks) what an open is open on: a named stream alone, otherwise the file with all its streams (MS-FSA 2.1.5.14.3). */
export const markForDeletion = (state: PartitionState, stream: Stream, on: boolean): void => {
  if (stream.name === '') markFile(state, stream.file, on)
  else if (stream.deletePending !== on) {
    stream.deletePending = on
    tellDeletePending(state, stream)
  }
}

/** Marks (or unmarks) a file with all its streams. */
export const markFile = (state: PartitionState, file: File, on: boolean): void => {
  if (file.deletePending === on) return
  file.deletePending = on
  for (const stream of file.streams.values()) tellDeletePending(state, stream)
}

const tellDeletePending = (state: PartitionState, stream: Stream): void => {
  const deletePending = deletePendingOf(stream)
  for (const [worker, openIds] of opensByWorker(stream.opens)) state.send(worker, { type: 'delete-pending', openIds, deletePending })
}

/** As a record keeps it. */
export const deletePendingOf = (stream: Stream): DeletePending => (stream.file.deletePending ? 'file' : stream.deletePending ? 'stream' : 'none')

/** One attempt at FileDispositionInformation: others give up handle caching before the name may go. */
export const attemptSetDeletePending = (state: PartitionState, open: Open, on: boolean): Attempt<StatusResult> => {
  if (open.closed) return { result: { status: 'FILE_CLOSED' } }
  if (on && !open.stream.isMarkedForDeletion) {
    const blockers = breakHandleCaching(state, open.stream, open)
    if (blockers.length > 0) return { blockers }
  }
  markForDeletion(state, open.stream, on)
  return { result: { status: 'SUCCESS' } }
}

/** Breaks the handle caching of all others on a stream; returns whose acknowledgement is awaited. */
export const breakHandleCaching = (state: PartitionState, stream: Stream, except: Open | undefined): Caching[] => {
  const blockers: Caching[] = []
  for (const holder of stream.caching) {
    if (holder === except?.caching) continue
    state.breakTo(holder, ~leaseStates.handle)
    if (holder.phase === 'breaking' && (holder.state & leaseStates.handle) !== 0) blockers.push(holder)
  }
  return blockers
}

/** After the close of an open: what has to be removed now, if this was the last open of something marked (MS-FSA 2.1.5.4). */
export const orderDeletion = (stream: Stream, nextTicket: () => number): DeleteOrder | undefined => {
  const { file } = stream
  const order = (name: string): DeleteOrder => ({
    ticket: nextTicket(),
    volumeId: file.volumeId,
    fileId: file.fileId,
    path: file.path,
    stream: name,
    isFolder: file.isFolder,
  })
  if (file.deletePending) {
    if (file.opens > 0 || file.deleting !== undefined) return undefined
    file.deleting = order('')
    return file.deleting
  }
  if (!stream.deletePending || stream.opens.size > 0 || stream.deleting !== undefined) return undefined
  stream.deleting = order(stream.name)
  return stream.deleting
}
