import { accessBits, isStatAccess, sharesConflict } from './access.ts'
import { normaliseState, oplockLevel, oplockState } from './caching-states.ts'
import { Caching, leaseId, Open, type File, type Stream } from './entities.ts'
import { foldPath, parentOf } from './paths.ts'
import type { PartitionState } from './partition-state.ts'
import { leaseStates, oplockLevels, type LeaseGrant, type OpenGrant, type OpenRequest, type OpenResult, type OpenStatus } from './types.ts'
import type { Attempt } from './waiters.ts'

const { read, write, handle } = leaseStates
const everything = read | write | handle
/** What can be cached of a folder: its listing and its handle (MS-FSA 2.1.5.18). */
const folderStates = read | handle

const refuse = (status: Exclude<OpenStatus, 'SUCCESS'>): Attempt<OpenResult> => ({ result: { status } })

/** One attempt at an open: refuses, grants, or starts breaks and says whose end it needs (MS-FSA 2.1.5.1.2, MS-SMB2 3.3.5.9). */
export const attemptOpen = (state: PartitionState, request: OpenRequest, nextOpen: () => { id: bigint; worker: number }): Attempt<OpenResult> => {
  if (request.created === true) supersedeDeleted(state, request)
  const { file, stream } = state.findStream(request)
  if (file !== undefined && isGoing(file, stream, request)) return refuse('DELETE_PENDING')
  if (request.created === true && folderIsGoing(state, request.path)) return refuse('DELETE_PENDING')
  const lease = leaseOf(state, request)
  if (lease !== undefined && lease.stream !== stream) return refuse('INVALID_PARAMETER')
  if (file !== undefined) {
    const violators = violatedStreams(file, stream, request)
    const blockers = breakForOpen(state, { request, stream, violators, ownLease: lease })
    if (blockers.length > 0) return { blockers }
    if (violators.length > 0) return refuse('SHARING_VIOLATION')
  }
  const { id, worker } = nextOpen()
  return { result: grant(state, request, id, worker) }
}

const isGoing = (file: File, stream: Stream | undefined, request: OpenRequest): boolean => {
  if (stream?.deletePending === true || stream?.deleting !== undefined) return true
  return request.hasLinks === true ? file.isGoingAs(request.path) : file.isGoing
}

/** Filesystems give the id of a file just removed to the next one: what was just created is not what is being deleted. */
const supersedeDeleted = (state: PartitionState, request: OpenRequest): void => {
  const { file, stream } = state.findStream(request)
  if (file !== undefined && file.removals.size > 0) state.supersede(file)
  else if (stream?.deleting !== undefined && file?.deletePending === false) {
    stream.deleting = undefined
    stream.deletePending = false
  }
}

/** Nothing is created in a folder that is about to go (MS-FSA 2.1.5.1.1). */
const folderIsGoing = (state: PartitionState, path: string): boolean => {
  const parent = parentOf(path)
  if (parent === undefined) return false
  for (const folder of state.filesAt(foldPath(parent))) if (folder.isGoing) return true
  return false
}

/** The lease a request asks to join, if that exists. */
const leaseOf = (state: PartitionState, request: OpenRequest): Caching | undefined =>
  request.oplockLevel === oplockLevels.lease && request.lease !== undefined
    ? state.leases.get(leaseId(request.clientGuid, request.lease.key))
    : undefined

/** Streams with an open that does not share what is asked for. */
const violatedStreams = (file: File, stream: Stream | undefined, request: OpenRequest): Stream[] => {
  const asked = {
    // Replacing the content is writing, whatever the access mask says.
    access: request.overwrite === true ? request.access | accessBits.writeData : request.access,
    shareAccess: request.shareAccess,
  }
  const violated: Stream[] = []
  if (stream !== undefined && anyConflict(stream, asked)) violated.push(stream)
  // Deleting the file deletes its streams: who opens it for that needs every stream's consent.
  if (request.stream === '' && (request.access & accessBits.delete) !== 0) {
    const deleting = { access: accessBits.delete, shareAccess: everything }
    for (const other of file.streams.values()) if (other !== stream && anyConflict(other, deleting)) violated.push(other)
  }
  return violated
}

const anyConflict = (stream: Stream, mode: { readonly access: number; readonly shareAccess: number }): boolean => {
  for (const open of stream.opens) if (sharesConflict(open, mode)) return true
  return false
}

/**
 * Takes away the caching that this open contradicts; returns the holders whose acknowledgement it needs.
 *
 * In a sharing violation only handle caching is broken: its holder may close, and the question is asked
 * again. Otherwise write caching goes, and everything when the content is replaced. Handle caching goes too when
 * the file is to be deleted on close. Only write caching (in a violation: handle caching) is waited for.
 */
const breakForOpen = (
  state: PartitionState,
  {
    request,
    stream,
    violators,
    ownLease,
  }: { request: OpenRequest; stream: Stream | undefined; violators: readonly Stream[]; ownLease: Caching | undefined },
): Caching[] => {
  const blockers: Caching[] = []
  const forDeletion = request.deleteOnClose === true ? handle : 0
  const take = (holder: Caching, keep: number, awaited: number): void => {
    state.breakTo(holder, keep)
    if (holder.phase === 'breaking' && (holder.state & awaited) !== 0) blockers.push(holder)
  }
  if (violators.length > 0) {
    for (const violated of violators) for (const holder of violated.caching) if (holder !== ownLease) take(holder, ~handle, handle)
    return blockers
  }
  if (stream === undefined) return blockers
  const overwrite = request.overwrite === true
  for (const holder of stream.caching) {
    if (holder === ownLease) continue
    if (overwrite) take(holder, 0, write | forDeletion)
    else if (!isStatAccess(request.access, holder.kind)) take(holder, ~(write | forDeletion), write | forDeletion)
  }
  return blockers
}

const grant = (state: PartitionState, request: OpenRequest, id: bigint, worker: number): OpenGrant => {
  const stream = state.enterStream(request)
  const open = new Open(id, worker, stream, request)
  const { lease } = request
  const answer = cachingKind(request)
  let result: OpenGrant = { status: 'SUCCESS', openId: id, oplockLevel: oplockLevels.none }
  if (answer === 'lease' && lease !== undefined) {
    result = { ...result, oplockLevel: oplockLevels.lease, lease: joinLease(state, request, lease, open) }
  } else if (answer === 'oplock') {
    const granted = oplockState(oplockLevel(shareableState(stream, 'oplock', oplockState(request.oplockLevel), undefined)))
    if (granted !== 0) {
      open.caching = new Caching({
        kind: 'oplock',
        stream,
        clientGuid: request.clientGuid,
        key: '',
        version: 1,
        state: granted,
        epoch: 0,
        parentKey: undefined,
      })
      open.caching.opens.add(open)
      state.addCaching(open.caching)
      result = { ...result, oplockLevel: oplockLevel(granted) }
    }
  }
  state.addOpen(open)
  return result
}

/** Folders have no oplocks, and leases of version 2 only (MS-SMB2 3.3.5.9.8, 3.3.5.9.11); their named streams have none. */
const cachingKind = ({ isFolder, stream, oplockLevel: level, lease }: OpenRequest): 'lease' | 'oplock' | undefined => {
  const leased = level === oplockLevels.lease && lease !== undefined
  if (isFolder) return leased && lease.version === 2 && stream === '' ? 'lease' : undefined
  return leased ? 'lease' : 'oplock'
}

/** The part of the requested state that goes together with the other opens of the stream (MS-FSA 2.1.5.17.2). */
const shareableState = (stream: Stream, kind: 'oplock' | 'lease', requested: number, own: Caching | undefined): number => {
  let state = requested
  // Locked bytes cannot be read from a cache.
  if (stream.locks.held.length > 0) return 0
  for (const holder of stream.caching) {
    if (holder === own || holder.state === 0) continue
    if ((holder.state & write) !== 0) return 0
    if (kind === 'oplock' && holder.kind === 'lease' && (holder.state & handle) !== 0) return 0
    state &= ~write
    if (kind === 'lease' && holder.kind === 'oplock') state &= ~handle
  }
  for (const open of stream.opens) {
    if (own !== undefined && open.caching === own) continue
    // A look at the metadata is in nobody's way; one at the security descriptor breaks no lease, but keeps it from write caching.
    if (!isStatAccess(open.access, 'oplock')) state &= ~write
  }
  return kind === 'oplock' ? state : normaliseState(state)
}

/** Founds a lease or joins it; an upgrade happens only if all of it can be had (MS-SMB2 3.3.5.9.8, 3.3.5.9.11). */
const joinLease = (state: PartitionState, request: OpenRequest, asked: NonNullable<OpenRequest['lease']>, open: Open): LeaseGrant => {
  const { stream } = open
  const requested = normaliseState(asked.state & everything) & (request.isFolder ? folderStates : everything)
  let lease = state.leases.get(leaseId(request.clientGuid, asked.key))
  if (lease === undefined) {
    const granted = shareableState(stream, 'lease', requested, undefined)
    lease = new Caching({
      kind: 'lease',
      stream,
      clientGuid: request.clientGuid,
      key: asked.key,
      version: asked.version,
      state: granted,
      // Nothing granted is no change of the lease.
      epoch: (asked.epoch + (granted === 0 ? 0 : 1)) & 0xffff,
      parentKey: asked.parentKey,
    })
    state.addCaching(lease)
  } else if (lease.phase === 'held' && requested !== lease.state && (lease.state & ~requested) === 0) {
    if (shareableState(stream, 'lease', requested, lease) === requested) {
      lease.state = requested
      lease.epoch = (lease.epoch + 1) & 0xffff
      state.countCaching(stream)
      state.tellCaching(lease)
    }
  }
  lease.opens.add(open)
  open.caching = lease
  return leaseGrant(lease)
}

/** A lease as a CREATE response tells it. */
export const leaseGrant = (lease: Caching): LeaseGrant => ({
  version: lease.version,
  key: lease.key,
  state: lease.state,
  breakInProgress: lease.phase === 'breaking',
  epoch: lease.version === 2 ? lease.epoch : 0,
  ...(lease.parentKey === undefined ? {} : { parentKey: lease.parentKey }),
})
