import type { Caching, File, Open, Stream } from './entities.ts'
import { opensByHolder, type PartitionState } from './partition-state.ts'
import { leaseStates, type DeleteOrder, type DeletePending, type StatusResult } from './types.ts'
import type { Attempt } from './waiters.ts'

/** Marks (or unmarks) what an open is open on: a named stream alone, otherwise the file with all its streams (MS-FSA 2.1.5.14.3). */
export const markForDeletion = (state: PartitionState, { stream, link, caching }: Open, on: boolean): void => {
  if (on) stream.file.deletionKey = caching?.parentKey
  if (stream.name === '') markFile(state, stream.file, on, link)
  else if (stream.deletePending !== on) {
    stream.deletePending = on
    tellDeletePending(state, stream)
  }
}

/** Marks (or unmarks) a file with all its streams; of a file with several names only the one it is known by as `link`. */
export const markFile = (state: PartitionState, file: File, on: boolean, link?: string): void => {
  if (file.goingLinks.has(link) === on) return
  if (on) file.goingLinks.add(link)
  else file.goingLinks.delete(link)
  for (const stream of file.streams.values()) tellDeletePending(state, stream)
}

const tellDeletePending = (state: PartitionState, stream: Stream): void => {
  for (const deletePending of ['none', 'stream', 'file'] as const) {
    const opens = new Set([...stream.opens].filter(open => deletePendingOf(open) === deletePending))
    for (const [worker, openIds] of opensByHolder(opens)) state.send(worker, { type: 'delete-pending', openIds, deletePending })
  }
}

/** As a record keeps it. */
export const deletePendingOf = ({ stream, link }: Open): DeletePending =>
  stream.file.goingLinks.has(link) ? 'file' : stream.deletePending ? 'stream' : 'none'

/** One attempt at FileDispositionInformation: others give up handle caching before the name may go. */
export const attemptSetDeletePending = (state: PartitionState, open: Open, on: boolean): Attempt<StatusResult> => {
  if (open.closed) return { result: { status: 'FILE_CLOSED' } }
  if (on && !open.isGoing) {
    const blockers = breakHandleCaching(state, open.stream, open)
    if (blockers.length > 0) return { blockers }
  }
  markForDeletion(state, open, on)
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
export const orderDeletion = ({ stream, link, caching }: Open, nextTicket: () => number): DeleteOrder | undefined => {
  const { file } = stream
  const parentKey = file.deletionKey === caching?.parentKey ? file.deletionKey : undefined
  const order = (name: string): DeleteOrder => ({
    ticket: nextTicket(),
    volumeId: file.volumeId,
    fileId: file.fileId,
    path: link ?? file.path,
    stream: name,
    isFolder: file.isFolder,
    ...(parentKey === undefined ? {} : { parentKey }),
  })
  if (file.goingLinks.has(link)) {
    if (isOpenAs(file, link)) return undefined
    const removal = order('')
    file.goingLinks.delete(link)
    file.removals.add(removal)
    return removal
  }
  if (!stream.deletePending || stream.opens.size > 0 || stream.deleting !== undefined) return undefined
  stream.deleting = order(stream.name)
  return stream.deleting
}

const isOpenAs = (file: File, link: string | undefined): boolean => {
  if (file.opens === 0 || (file.linkOpens === 0 && link === undefined)) return file.opens > 0
  for (const { opens } of file.streams.values()) for (const open of opens) if (open.link === link) return true
  return false
}

/** The name `file.path` is gone (or could not be removed): where the file is open by another name, that takes its place. */
export const adoptLink = (state: PartitionState, file: File): void => {
  if (file.linkOpens === 0 || isOpenAs(file, undefined)) return
  const opens = [...file.streams.values()].flatMap(stream => [...stream.opens])
  const path = opens.find(open => open.link !== undefined)?.link
  if (path === undefined) return
  state.move(file, path)
  if (file.goingLinks.delete(path)) file.goingLinks.add(undefined)
  for (const open of opens) if (open.link === path) open.link = undefined
  file.linkOpens = opens.filter(open => open.link !== undefined).length
}
