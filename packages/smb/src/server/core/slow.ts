/** Sends interim responses for requests that take longer than a moment (MS-SMB2 3.3.4.2), with one timer for all. */
import type { Timers } from './config.ts'
import type { SmbRequest } from './request.ts'

export class SlowRequests {
  readonly #watched = new Set<SmbRequest>()
  readonly #delayMs: number
  readonly #timers: Timers
  readonly #clock: () => number
  #isArmed = false

  constructor(options: { delayMs: number; timers: Timers; clock: () => number }) {
    this.#delayMs = options.delayMs
    this.#timers = options.timers
    this.#clock = options.clock
  }

  watch(request: SmbRequest): void {
    request.startedAtMs = this.#clock()
    this.#watched.add(request)
    if (this.#isArmed) return
    this.#isArmed = true
    this.#timers.set(() => this.#look(), this.#delayMs)
  }

  forget(request: SmbRequest): void {
    this.#watched.delete(request)
  }

  #look(): void {
    this.#isArmed = false
    const now = this.#clock()
    let next = Infinity
    for (const request of this.#watched) {
      const waited = now - request.startedAtMs
      if (waited >= this.#delayMs) {
        this.#watched.delete(request)
        // Too many already: it is answered when it is done.
        if (request.asyncId === 0) this.#goAsync(request)
      } else {
        next = Math.min(next, this.#delayMs - waited)
      }
    }
    if (next === Infinity) return
    this.#isArmed = true
    this.#timers.set(() => this.#look(), next)
  }

  #goAsync(request: SmbRequest): void {
    try {
      request.connection.goAsync(request)
    } catch (error) {
      request.connection.onBroken(error, undefined)
    }
  }
}
