import type { Clock, Timers } from '../time.ts'

/** Time that stands still until it is advanced. */
export class VirtualTime {
  #nowMs = 0
  readonly #waiting = new Set<{ readonly atMs: number; readonly callback: () => void }>()

  readonly clock: Clock = () => this.#nowMs

  readonly timers: Timers = {
    schedule: (delayMs, callback) => {
      const timer = { atMs: this.#nowMs + delayMs, callback }
      this.#waiting.add(timer)
      return () => this.#waiting.delete(timer)
    },
  }

  /** Calls back what is due within the next milliseconds, in order. */
  advance(ms: number): void {
    const end = this.#nowMs + ms
    for (;;) {
      const [next] = [...this.#waiting].filter(({ atMs }) => atMs <= end).sort((a, b) => a.atMs - b.atMs)
      if (next === undefined) break
      this.#waiting.delete(next)
      this.#nowMs = Math.max(this.#nowMs, next.atMs)
      next.callback()
    }
    this.#nowMs = end
  }
}
