import type { Caching, Open, Stream } from './entities.ts'
import { Pending } from './pending.ts'
import type { HeldLock, LockSequence, OpenStatus, StatusResult } from './types.ts'

/** A request that goes on when the breaks it waits for are over. */
export class Waiter {
  /** Order of arrival: who came first tries first. */
  readonly sequence: number
  readonly worker: number
  /** The open it is made on, if any: closing that ends the wait. */
  readonly open: Open | undefined
  readonly blockers = new Set<Caching>()
  /** Tries again. */
  readonly resume: () => void
  readonly refuse: (status: Exclude<OpenStatus, 'SUCCESS'>) => void

  constructor(options: {
    sequence: number
    worker: number
    open: Open | undefined
    resume: () => void
    refuse: (status: Exclude<OpenStatus, 'SUCCESS'>) => void
  }) {
    this.sequence = options.sequence
    this.worker = options.worker
    this.open = options.open
    this.resume = options.resume
    this.refuse = options.refuse
  }

  waitFor(blockers: readonly Caching[]): void {
    for (const blocker of blockers) {
      this.blockers.add(blocker)
      blocker.waiters.add(this)
    }
  }

  giveUp(): void {
    for (const blocker of this.blockers) blocker.waiters.delete(this)
    this.blockers.clear()
  }
}

/** What an attempt gives: a result, or whose breaks must end before the next attempt. */
export type Attempt<T> = { readonly result: T } | { readonly blockers: readonly Caching[] }

/** Hands out waiters in the order of arrival and keeps those that wait. */
export class WaitingRoom {
  #sequence = 0
  readonly waiting = new Set<Waiter>()

  /** Attempts at once; waits and attempts again as long as there are blockers. */
  attempt<T>(options: {
    readonly worker: number
    readonly open?: Open | undefined
    readonly attempt: () => Attempt<T>
    readonly refused: (status: Exclude<OpenStatus, 'SUCCESS'>) => T
  }): T | Pending<T> {
    const first = options.attempt()
    if ('result' in first) return first.result
    const refuse = (status: Exclude<OpenStatus, 'SUCCESS'>): void => {
      this.waiting.delete(waiter)
      waiter.giveUp()
      pending.settle(options.refused(status))
    }
    const pending = new Pending<T>({ waiting: true, cancel: () => refuse('CANCELLED') })
    const resume = (): void => {
      const next = options.attempt()
      if ('blockers' in next) return waiter.waitFor(next.blockers)
      this.waiting.delete(waiter)
      pending.settle(next.result)
    }
    const waiter = new Waiter({ sequence: this.#sequence++, worker: options.worker, open: options.open, resume, refuse })
    this.waiting.add(waiter)
    waiter.waitFor(first.blockers)
    return pending
  }

  /** A break is over, or its holder gone: those that waited for it alone go on, in order. */
  release(holder: Caching): void {
    if (holder.waiters.size === 0) return
    const released = [...holder.waiters].sort((a, b) => a.sequence - b.sequence)
    holder.waiters.clear()
    for (const waiter of released) waiter.blockers.delete(holder)
    for (const waiter of released) if (waiter.blockers.size === 0 && this.waiting.has(waiter)) waiter.resume()
  }

  /** Ends the waits that satisfy `which`. */
  refuse(which: (waiter: Waiter) => boolean, status: Exclude<OpenStatus, 'SUCCESS'>): void {
    for (const waiter of Array.from(this.waiting)) if (which(waiter)) waiter.refuse(status)
  }
}

/** A byte-range lock that waits for others to go. */
export interface LockWaiter {
  readonly open: Open
  readonly lock: HeldLock
  readonly sequence: LockSequence | undefined
  readonly pending: Pending<StatusResult>
}

/** Takes a waiting lock out of its stream's queue. */
export const removeLockWaiter = (stream: Stream, waiter: LockWaiter): void => {
  const index = stream.lockWaiters.indexOf(waiter)
  if (index >= 0) stream.lockWaiters.splice(index, 1)
}
