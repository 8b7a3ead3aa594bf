import { accessBits } from './access.ts'
import { applyLockElements } from './byte-range-locks.ts'
import type { Open, Stream } from './entities.ts'
import type { PartitionState } from './partition-state.ts'
import { Pending } from './pending.ts'
import { leaseStates, type LockElement, type LockSequence, type OpenStatus, type StatusResult } from './types.ts'
import { removeLockWaiter, type LockWaiter } from './waiters.ts'

const sequences = 64
const noSequence = 0xff

/** LOCK on an open (MS-SMB2 3.3.5.14). */
export const lockRanges = (
  state: PartitionState,
  open: Open,
  elements: readonly LockElement[],
  sequence: LockSequence | undefined,
): StatusResult | Pending<StatusResult> => {
  const { stream } = open
  if (stream.file.isFolder) return { status: 'INVALID_PARAMETER' }
  if ((open.access & (accessBits.readData | accessBits.writeData)) === 0) return { status: 'ACCESS_DENIED' }
  const counted = sequence !== undefined && sequence.index >= 1 && sequence.index <= sequences ? sequence : undefined
  if (counted !== undefined) {
    if (open.lockSequences?.[counted.index - 1] === counted.number) return { status: 'SUCCESS' }
    if (open.lockSequences !== undefined) open.lockSequences[counted.index - 1] = noSequence
  }
  breakReadCaching(state, open)
  const outcome = applyLockElements(stream.locks, open.id, elements)
  state.countLocks(stream)
  // An unlock may let others in, even when a later element failed.
  if (stream.lockWaiters.length > 0) grantWaitingLocks(state, stream)
  if ('status' in outcome) {
    if (outcome.status === 'SUCCESS') rememberSequence(open, counted)
    return { status: outcome.status }
  }
  const pending = new Pending<StatusResult>({ waiting: true, cancel: () => refuseLock(stream, waiter, 'CANCELLED') })
  const waiter: LockWaiter = { open, lock: outcome.wait, sequence: counted, pending }
  stream.lockWaiters.push(waiter)
  return pending
}

/** Requests that were executed are answered without executing them again. */
const rememberSequence = (open: Open, sequence: LockSequence | undefined): void => {
  if (sequence === undefined) return
  open.lockSequences ??= new Uint8Array(sequences).fill(noSequence)
  open.lockSequences[sequence.index - 1] = sequence.number
}

const refuseLock = (stream: Stream, waiter: LockWaiter, status: OpenStatus): void => {
  removeLockWaiter(stream, waiter)
  waiter.pending.settle({ status })
}

/** Something was released: waiting locks are granted in the order of arrival, as far as they can be. */
export const grantWaitingLocks = (state: PartitionState, stream: Stream): void => {
  for (const waiter of stream.lockWaiters.slice()) {
    const { lock } = waiter
    if (stream.locks.forbidsLock(lock.openId, lock, lock.exclusive)) continue
    stream.locks.add(lock)
    rememberSequence(waiter.open, waiter.sequence)
    removeLockWaiter(stream, waiter)
    waiter.pending.settle({ status: 'SUCCESS' })
  }
  state.countLocks(stream)
}

/** The end of an open: its locks go, and what it waits for is answered RANGE_NOT_LOCKED. */
export const releaseLocks = (state: PartitionState, open: Open): void => {
  const { stream } = open
  for (const waiter of stream.lockWaiters.slice()) if (waiter.open === open) refuseLock(stream, waiter, 'RANGE_NOT_LOCKED')
  if (stream.locks.removeAll(open.id) === 0) return
  if (stream.lockWaiters.length > 0) grantWaitingLocks(state, stream)
  else state.countLocks(stream)
}

/**
 * Others may no longer rely on what they have read (MS-FSA 2.1.4.12). A lease is not broken by its own opens; a
 * level II oplock is even by its own. Who has write caching is alone.
 */
export const breakReadCaching = (state: PartitionState, open: Open): void => {
  for (const holder of open.stream.caching) {
    if (holder.state === 0) continue
    const own = holder === open.caching
    if (own && (holder.kind === 'lease' || (holder.state & leaseStates.write) !== 0)) continue
    state.breakTo(holder, 0)
  }
}
