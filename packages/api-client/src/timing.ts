/** Waiting, in Node and browsers alike. */

/** Resolves after `ms`, rejects with the signal's reason. */
export function delay(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error)
    const onAbort = (): void => {
      clearTimeout(timer)
      reject(signal?.reason as Error)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    }, ms)
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}

/** Twice as long each time, not in step with others who wait for the same. */
export const backoffMs = (attempt: number, { firstMs = 100, mostMs = 5000 } = {}): number =>
  Math.min(mostMs, firstMs * 2 ** Math.min(attempt, 16)) * (0.5 + Math.random() / 2)
