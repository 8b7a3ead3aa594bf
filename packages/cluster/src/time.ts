/** Milliseconds from an arbitrary beginning; never goes back. */
export type Clock = () => number

/** Where a callback comes later. A simulator has its own. */
export interface Timers {
  /** Calls back once, no earlier than after `delayMs`. Returns what cancels it. */
  schedule(delayMs: number, callback: () => void): () => void
}

const longestDelayMs = 0x7fff_ffff

/** The timers of Node; they don't keep the process alive. */
export const systemTimers: Timers = {
  schedule(delayMs, callback) {
    const timer = setTimeout(callback, Math.min(delayMs, longestDelayMs)).unref()
    return () => clearTimeout(timer)
  },
}
