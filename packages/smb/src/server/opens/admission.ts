import type { Scheduler } from './scheduler.ts'
import type { TableMessage } from './partition-state.ts'
import type { OpenTableEvents } from './types.ts'

/**
 * Hands the owner's messages to the worker that serves the opens, but none about an open before that worker has
 * learnt of its grant: a break may overtake the answer it follows.
 */
export class Admission {
  readonly #admitted = new Set<bigint>()
  readonly #early = new Map<bigint, TableMessage[]>()
  readonly #scheduler: Scheduler
  readonly #events: OpenTableEvents

  constructor(scheduler: Scheduler, events: OpenTableEvents) {
    this.#scheduler = scheduler
    this.#events = events
  }

  /** The grant is being returned to the caller. */
  admit(openId: bigint): void {
    this.#admitted.add(openId)
    const early = this.#early.get(openId)
    if (early === undefined) return
    this.#early.delete(openId)
    this.#scheduler.defer(() => {
      for (const message of early) this.deliver(message)
    })
  }

  /** The grant settles a promise: its caller goes on a little later. */
  admitLater(openId: bigint): void {
    this.#scheduler.defer(() => this.admit(openId))
  }

  forget(openId: bigint): void {
    this.#admitted.delete(openId)
    this.#early.delete(openId)
  }

  /** The owner is lost, and with it the opens whose grant had not arrived. */
  forgetEarly(): void {
    this.#early.clear()
  }

  deliver(message: TableMessage): void {
    switch (message.type) {
      case 'oplock-break':
        if (this.#isAdmitted([message.notice.openId], message)) this.#events.onOplockBreak(message.notice)
        return
      case 'lease-break':
        if (this.#isAdmitted(message.notice.openIds, message)) this.#events.onLeaseBreak(message.notice)
        return
      case 'path':
        if (this.#isAdmitted([message.openId], message)) this.#events.onPathChanged?.(message)
        return
      case 'let-go':
        this.#events.onLetGo?.(message.openId)
        return
      case 'delete-pending':
      case 'caching':
        return
    }
  }

  #isAdmitted(openIds: readonly bigint[], message: TableMessage): boolean {
    if (openIds.some(openId => this.#admitted.has(openId))) return true
    const [first] = openIds
    if (first === undefined) return false
    const early = this.#early.get(first)
    if (early === undefined) this.#early.set(first, [message])
    else early.push(message)
    return false
  }
}
