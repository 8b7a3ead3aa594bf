import { performance } from 'node:perf_hooks'
import type { Counters } from '../worker-api.ts'

/** How often a thread looks at itself. */
const intervalMs = 100
/** A turn of an event loop is not noticed below a millisecond, the resolution of its timers. */
const delayBounds: readonly number[] = [0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]

/** A thread, as its metrics call it. */
export interface WatchedThread {
  /** `manager`, `worker-0`, … */
  readonly name: string
  readonly counters: Counters
  /** Milliseconds that it has slept outside of its event loop, which takes them for work. */
  sleptMs?(): number
}

/** A worker's name among threads. */
export const workerThreadName = (index: number): string => `worker-${index}`

/**
 * Keeps `holdfast_event_loop_delay_seconds` and `holdfast_thread_busy_seconds_total` of the thread that calls this: how late its timers are, and how
 * long it was not waiting for anything. Cheaper than `monitorEventLoopDelay`, and in memory that the manager reads.
 */
export function watchThread({ name, counters, sleptMs = () => 0 }: WatchedThread): Disposable {
  const labels = { thread: name }
  const delay = counters.histogram(
    'holdfast_event_loop_delay_seconds',
    `How late an event loop's timers were, looked at every ${intervalMs} ms`,
    delayBounds,
    labels,
  )
  const busy = counters.counter('holdfast_thread_busy_seconds_total', 'Seconds a thread was not waiting for work', labels)
  let busyMs = 0
  let dueMs = performance.now() + intervalMs
  const timer = setInterval(() => {
    const nowMs = performance.now()
    delay.observe(Math.max(0, nowMs - dueMs) / 1000)
    dueMs = nowMs + intervalMs
    const soFarMs = performance.eventLoopUtilization().active - sleptMs()
    // A sleep that has not ended yet is not counted: that much it may seem to go back.
    if (soFarMs <= busyMs) return
    busy.add((soFarMs - busyMs) / 1000)
    busyMs = soFarMs
  }, intervalMs).unref()
  return { [Symbol.dispose]: () => clearInterval(timer) }
}
