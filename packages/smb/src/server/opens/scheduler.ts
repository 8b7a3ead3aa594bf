/** Time as the open table needs it. */
export interface Scheduler {
  /** Milliseconds on a monotonic clock. */
  now(): number
  /** Calls back after `delayMs`; the returned function stops that. */
  after(delayMs: number, callback: () => void): () => void
  /** Calls back once whoever awaits something that was just settled has gone on. */
  defer(callback: () => void): void
}

/** Keeps the worker's event loop turning while something is outstanding (`WorkerNode.beginAsync`, `endAsync`). */
export interface Attention {
  beginAsync(): void
  endAsync(): void
}

/** The real clock. */
export const createScheduler = (attention?: Attention): Scheduler => ({
  now: () => performance.now(),
  after(delayMs, callback) {
    let over = false
    attention?.beginAsync()
    const end = (): boolean => {
      if (over) return false
      over = true
      attention?.endAsync()
      return true
    }
    const timer = setTimeout(() => {
      if (end()) callback()
    }, delayMs)
    return () => {
      if (end()) clearTimeout(timer)
    }
  },
  defer(callback) {
    attention?.beginAsync()
    setImmediate(() => {
      attention?.endAsync()
      callback()
    })
  },
})
