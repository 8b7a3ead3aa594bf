import { leaseGrant } from './arbitration.ts'
import { Caching, leaseId, noWorker, Open } from './entities.ts'
import { deletePendingOf, markFile, markForDeletion } from './deletion.ts'
import type { PartitionState } from './partition-state.ts'
import { oplockLevels, type CachingRecord, type OpenRecord, type OpenRequest } from './types.ts'

/** An open as a store or a successor keeps it. */
export const recordOf = (open: Open): OpenRecord => {
  const { stream, caching } = open
  const { file } = stream
  return {
    openId: open.id,
    worker: open.worker === noWorker ? open.keeper : open.worker,
    volumeId: file.volumeId,
    fileId: file.fileId,
    path: open.path,
    ...(open.otherPath === undefined ? {} : { otherPath: open.otherPath }),
    ...(open.hasLinks ? { hasLinks: true } : {}),
    stream: stream.name,
    isFolder: file.isFolder,
    access: open.access,
    shareAccess: open.shareAccess,
    deleteOnClose: open.deleteOnClose,
    deletePending: deletePendingOf(open),
    clientGuid: open.clientGuid,
    ...(open.createGuid === undefined ? {} : { createGuid: open.createGuid }),
    ...(caching === undefined ? {} : { caching: cachingRecordOf(caching) }),
    locks: stream.locks.held.filter(lock => lock.openId === open.id),
    ...(open.lockSequences === undefined ? {} : { lockSequences: open.lockSequences }),
    ...(open.durable === undefined ? {} : { durable: open.durable }),
    ...(open.appInstance === undefined ? {} : { appInstance: open.appInstance }),
    ...(open.worker === noWorker ? { parked: true } : {}),
    ...(open.parkedAt === undefined ? {} : { parkedAt: open.parkedAt }),
  }
}

/** Caching rights as a record keeps them. */
export const cachingRecordOf = (caching: Caching): CachingRecord => {
  const { parentKey } = leaseGrant(caching)
  return {
    kind: caching.kind,
    state: caching.state,
    key: caching.key,
    version: caching.version,
    epoch: caching.epoch,
    ...(parentKey === undefined ? {} : { parentKey }),
    ...(caching.phase === 'breaking' ? { breakingTo: caching.breakingTo } : {}),
  }
}

/** Enters an open that a former owner had granted: nothing is arbitrated, it was granted once. */
export const restoreOpen = (state: PartitionState, record: OpenRecord, worker: number): Open => {
  const there = state.opens.get(record.openId)
  if (there !== undefined) return there
  const request: OpenRequest = { ...record, oplockLevel: oplockLevels.none }
  const stream = state.enterStream(request)
  const open = new Open(record.openId, worker, stream, request)
  state.addOpen(open)
  if (record.caching !== undefined) restoreCaching(state, open, record.caching)
  for (const lock of record.locks) stream.locks.add(lock)
  state.countLocks(stream)
  open.lockSequences = record.lockSequences
  open.durable = record.durable
  open.otherPath = record.otherPath
  open.parkedAt = record.parkedAt
  if (record.deletePending === 'stream') markForDeletion(state, open, true)
  if (record.deletePending === 'file') markFile(state, stream.file, true, open.link)
  return open
}

const restoreCaching = (state: PartitionState, open: Open, record: CachingRecord): void => {
  const { clientGuid, stream } = open
  let caching = record.kind === 'lease' ? state.leases.get(leaseId(clientGuid, record.key)) : undefined
  if (caching === undefined) {
    caching = new Caching({ ...record, stream, clientGuid, parentKey: record.parentKey })
    state.addCaching(caching)
  }
  caching.opens.add(open)
  open.caching = caching
  // The break was sent and its acknowledgement may have been lost: it is waited for anew.
  if (record.breakingTo !== undefined && caching.phase === 'held') state.resumeBreak(caching, record.breakingTo)
  // What happened in the folder meanwhile is unknown.
  if (stream.file.isFolder) state.breakTo(caching, 0)
}
