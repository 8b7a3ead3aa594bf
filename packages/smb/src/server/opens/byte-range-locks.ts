import { lockFlags, type HeldLock, type LockElement, type OpenStatus } from './types.ts'

const twoTo64 = 1n << 64n

/** A range to be locked or accessed. */
export interface Range {
  readonly offset: bigint
  readonly length: bigint
}

/**
 * Two ranges touch when they share a byte. A range of length zero lies between two bytes: it touches a
 * range that has bytes on both sides of it, and never another of length zero (MS-FSA 2.1.4.10).
 */
export const rangesOverlap = (a: Range, b: Range): boolean => {
  if (a.length === 0n && b.length === 0n) return false
  return a.offset < b.offset + b.length && b.offset < a.offset + a.length
}

/** Whether a range runs past the last 64-bit offset (MS-FSA 2.1.5.7). */
export const rangeIsInvalid = (range: Range): boolean => range.length !== 0n && range.offset + range.length > twoTo64

/** Byte-range locks of one stream. Only what is granted; waiting is the caller's. */
export class ByteRangeLocks {
  #held: HeldLock[] = []

  get held(): readonly HeldLock[] {
    return this.#held
  }

  /**
   * Whether a lock must be refused (MS-FSA 2.1.5.7): an exclusive one touches no other, not even one's own; a
   * shared one may lie on top of one's own exclusive lock.
   */
  forbidsLock(openId: bigint, range: Range, exclusive: boolean): boolean {
    for (const lock of this.#held) {
      if (!lock.exclusive && !exclusive) continue
      if (!exclusive && lock.openId === openId) continue
      if (rangesOverlap(lock, range)) return true
    }
    return false
  }

  /** Whether a read or write must be refused (MS-FSA 2.1.4.10): shared locks forbid writing even to who holds them. */
  forbidsAccess(openId: bigint, range: Range, isWrite: boolean): boolean {
    if (range.length === 0n) return false
    for (const lock of this.#held) {
      if (lock.exclusive ? lock.openId === openId : !isWrite) continue
      if (rangesOverlap(lock, range)) return true
    }
    return false
  }

  add(lock: HeldLock): void {
    this.#held.push(lock)
  }

  /** Releases exactly this range; of stacked locks the exclusive one goes first. False when there is none. */
  remove(openId: bigint, range: Range): boolean {
    const same = (lock: HeldLock): boolean => lock.openId === openId && lock.offset === range.offset && lock.length === range.length
    let index = this.#held.findIndex(lock => lock.exclusive && same(lock))
    if (index < 0) index = this.#held.findIndex(same)
    if (index < 0) return false
    this.#held.splice(index, 1)
    return true
  }

  /** Takes back a lock granted a moment ago. */
  rollBack(lock: HeldLock): void {
    const index = this.#held.lastIndexOf(lock)
    if (index >= 0) this.#held.splice(index, 1)
  }

  /** Releases all locks of an open; returns how many there were. */
  removeAll(openId: bigint): number {
    const before = this.#held.length
    this.#held = this.#held.filter(lock => lock.openId !== openId)
    return before - this.#held.length
  }
}

/** What a LOCK element asks for; undefined when its flags are none of the allowed combinations (MS-SMB2 2.2.26.1). */
const elementKinds: Readonly<Record<number, { readonly unlock: boolean; readonly exclusive: boolean; readonly wait: boolean }>> = {
  [lockFlags.shared]: { unlock: false, exclusive: false, wait: true },
  [lockFlags.exclusive]: { unlock: false, exclusive: true, wait: true },
  [lockFlags.shared | lockFlags.failImmediately]: { unlock: false, exclusive: false, wait: false },
  [lockFlags.exclusive | lockFlags.failImmediately]: { unlock: false, exclusive: true, wait: false },
  [lockFlags.unlock]: { unlock: true, exclusive: false, wait: false },
}

/** Outcome of applying a LOCK request; `wait` when its single lock has to wait. */
export type LockOutcome = { readonly status: OpenStatus } | { readonly wait: HeldLock }

/** Applies the elements of one LOCK request (MS-SMB2 3.3.5.14). */
export const applyLockElements = (locks: ByteRangeLocks, openId: bigint, elements: readonly LockElement[]): LockOutcome => {
  const first = elements[0]
  if (first === undefined) return { status: 'INVALID_PARAMETER' }
  const kind = elementKinds[first.flags]
  if (kind === undefined) return { status: 'INVALID_PARAMETER' }
  return kind.unlock ? applyUnlocks(locks, openId, elements) : applyLocks(locks, openId, elements)
}

/** Unlocks go one by one, and what is released stays released when a later one fails (MS-SMB2 3.3.5.14.1). */
const applyUnlocks = (locks: ByteRangeLocks, openId: bigint, elements: readonly LockElement[]): LockOutcome => {
  for (const element of elements) {
    if (elementKinds[element.flags]?.unlock !== true) return { status: 'INVALID_PARAMETER' }
    if (!locks.remove(openId, element)) return { status: 'RANGE_NOT_LOCKED' }
  }
  return { status: 'SUCCESS' }
}

/** Locks are all or nothing, and only a single one may wait (MS-SMB2 3.3.5.14.2). */
const applyLocks = (locks: ByteRangeLocks, openId: bigint, elements: readonly LockElement[]): LockOutcome => {
  for (const element of elements) {
    const kind = elementKinds[element.flags]
    if (kind === undefined || kind.unlock || (kind.wait && elements.length > 1)) return { status: 'INVALID_PARAMETER' }
  }
  const granted: HeldLock[] = []
  const undo = (status: OpenStatus): LockOutcome => {
    for (const lock of granted.reverse()) locks.rollBack(lock)
    return { status }
  }
  for (const { offset, length, flags } of elements) {
    const { exclusive, wait } = elementKinds[flags]
    if (rangeIsInvalid({ offset, length })) return undo('INVALID_LOCK_RANGE')
    const lock: HeldLock = { openId, offset, length, exclusive }
    if (locks.forbidsLock(openId, lock, exclusive)) return wait ? { wait: lock } : undo('LOCK_NOT_GRANTED')
    locks.add(lock)
    granted.push(lock)
  }
  return { status: 'SUCCESS' }
}
