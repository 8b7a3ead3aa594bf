/** Notices that a server does not answer: its silence, and single requests that it forgot. */
import type { Pending } from './batches.ts'

/** A request that has no answer after so many times the timeout is given up, even when the server answers others. */
export const patience = 4
/** An ECHO is answered within this, or there is nobody. */
const echoPatienceMs = 5000

/** What is watched. */
export interface Watched {
  readonly timeoutMs: number
  /** In order of sending. */
  readonly pending: ReadonlyMap<number, Pending>
  receivedAtMs(): number
  /** Nothing waits for credits. */
  isDrained(): boolean
  echo(): void
  suspect(isSuspect: boolean): void
  /** The server is gone. */
  fail(): void
  giveUp(pending: Pending): void
}

/** Looks now and then. */
export class Watchdog {
  readonly #watched: Watched
  readonly #timer: NodeJS.Timeout
  #suspectedAtMs: number | undefined

  constructor(watched: Watched, clock: () => number) {
    this.#watched = watched
    const period = Math.max(20, Math.min(1000, watched.timeoutMs / 4))
    this.#timer = setInterval(() => this.#look(clock()), period)
    this.#timer.unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** A server that owes an answer and says nothing is suspect; one that waits for something long is asked whether it is there. */
  #look(now: number): void {
    const { timeoutMs, pending: all } = this.#watched
    const silentMs = now - this.#watched.receivedAtMs()
    if (this.#suspectedAtMs !== undefined && silentMs <= timeoutMs) {
      this.#suspectedAtMs = undefined
      this.#watched.suspect(false)
    }
    let hasOnlyAsync = all.size > 0
    for (const pending of all.values()) {
      if (pending.isAsync) continue
      hasOnlyAsync = false
      const ageMs = now - pending.sentAtMs
      if (ageMs <= timeoutMs) break
      if (silentMs > timeoutMs) return this.#suspect(now)
      if (ageMs > patience * timeoutMs && !pending.abandoned) this.#watched.giveUp(pending)
    }
    if (hasOnlyAsync && silentMs > timeoutMs / 2 && this.#watched.isDrained()) this.#watched.echo()
  }

  /** First it is asked by an ECHO: it may be that this process was busy, and the answer waits to be read. */
  #suspect(now: number): void {
    if (this.#suspectedAtMs === undefined) {
      this.#suspectedAtMs = now
      this.#watched.suspect(true)
      if (this.#watched.isDrained()) this.#watched.echo()
    } else if (now - this.#suspectedAtMs >= Math.min(echoPatienceMs, this.#watched.timeoutMs)) {
      this.#watched.fail()
    }
  }
}
