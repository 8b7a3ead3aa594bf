import type { Clock, Timers } from '../time.ts'

/** Deadlines of leases. Which leases there are, the store's state knows. */
export class LeaseDeadlines {
  readonly #clock: Clock
  readonly #timers: Timers
  readonly #onExpired: (leases: readonly number[]) => void
  readonly #deadlines = new Map<number, number>()
  #cancel: (() => void) | undefined
  #wakesAt = Infinity

  /** `onExpired` is told once for each expiry; it calls `remove`, or `retry` where it could not end the leases. */
  constructor({ clock, timers, onExpired }: { clock: Clock; timers: Timers; onExpired: (leases: readonly number[]) => void }) {
    this.#clock = clock
    this.#timers = timers
    this.#onExpired = onExpired
  }

  /** Lets a lease live `ttlMs` from now. */
  renew(lease: number, ttlMs: number): void {
    const deadline = this.#clock() + ttlMs
    this.#deadlines.set(lease, deadline)
    this.#wakeAt(deadline)
  }

  remove(lease: number): void {
    this.#deadlines.delete(lease)
  }

  isExpired(lease: number): boolean {
    return (this.#deadlines.get(lease) ?? -Infinity) <= this.#clock()
  }

  /** Tells of what has expired again, `delayMs` from now. */
  retry(delayMs: number): void {
    this.#wakeAt(this.#clock() + delayMs)
  }

  close(): void {
    this.#cancel?.()
    this.#deadlines.clear()
  }

  #wakeAt(time: number): void {
    if (time >= this.#wakesAt) return
    this.#cancel?.()
    this.#wakesAt = time
    this.#cancel = this.#timers.schedule(Math.max(0, Math.ceil(time - this.#clock())), () => this.#wake())
  }

  #wake(): void {
    this.#cancel = undefined
    this.#wakesAt = Infinity
    const now = this.#clock()
    const expired: number[] = []
    let next = Infinity
    for (const [lease, deadline] of this.#deadlines) {
      if (deadline <= now) expired.push(lease)
      else next = Math.min(next, deadline)
    }
    if (next < Infinity) this.#wakeAt(next)
    if (expired.length > 0) this.#onExpired(expired)
  }
}
