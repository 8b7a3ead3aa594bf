import type { Timers } from '@holdfast/cluster'

/** Time that stands still until it is advanced: milliseconds since 1970. */
export class VirtualTime {
  #nowMs = Date.UTC(2026, 10, 21)
  readonly #waiting = new Set<{ readonly atMs: number; readonly callback: () => void }>()

  readonly wallClock = (): number => this.#nowMs

  readonly timers: Timers = {
    schedule: (delayMs, callback) => {
      const timer = { atMs: this.#nowMs + delayMs, callback }
      this.#waiting.add(timer)
      return () => void this.#waiting.delete(timer)
    },
  }

  /** Calls back what is due within the next milliseconds, in order, and lets what follows from each happen. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms
    for (;;) {
      const [next] = [...this.#waiting].filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs)
      if (next === undefined) break
      this.#waiting.delete(next)
      this.#nowMs = Math.max(this.#nowMs, next.atMs)
      next.callback()
      await settle(2)
    }
    this.#nowMs = endMs
    await settle()
  }
}

/** Lets everything happen that waits for no timer. */
export async function settle(turns = 20): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise(resolve => void setImmediate(resolve))
}
