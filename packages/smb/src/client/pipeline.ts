/** Many requests at a time, in order, with bounded memory. */

/** How many READs or WRITEs of which size are under way at a time. */
export interface TransferOptions {
  /** Requests that are under way at a time; default 8. */
  readonly concurrency?: number
  /** Bytes of each; default 1 MiB, at most what the server allows. */
  readonly chunkBytes?: number
  readonly signal?: AbortSignal | undefined
}

/** See TransferOptions. */
export const defaultConcurrency = 8
/** Stays in a processor's cache from the socket to its end; larger is not faster. */
export const defaultChunkBytes: number = 1024 * 1024

/** `read` is asked for chunk after chunk until one says that it was the last; at most `concurrency` are under way. */
export async function* inOrder<T extends { readonly isLast: boolean }>(options: {
  readonly concurrency: number
  /** Undefined: there is no such chunk. */
  readonly read: (index: number) => Promise<T> | undefined
  /** For what nobody will see. */
  readonly discard: (chunk: T) => void
}): AsyncGenerator<T, void, undefined> {
  const { concurrency, read, discard } = options
  const underWay: Promise<T>[] = []
  let index = 0
  let isOver = false
  const start = (): void => {
    while (!isOver && underWay.length < concurrency) {
      const next = read(index++)
      if (next === undefined) {
        isOver = true
        return
      }
      // Failures are seen when it is this one's turn.
      next.catch(() => undefined)
      underWay.push(next)
    }
  }
  try {
    for (start(); underWay.length > 0; start()) {
      const chunk = await underWay[0]
      void underWay.shift()
      if (chunk.isLast) isOver = true
      yield chunk
      if (chunk.isLast) return
    }
  } finally {
    for (const rest of underWay) rest.then(discard, () => undefined)
  }
}

/** Lets at most so many be under way; the first failure is everybody's. */
export class Window {
  readonly #size: number
  readonly #underWay = new Set<Promise<unknown>>()
  #error: unknown
  #hasFailed = false

  constructor(size: number) {
    this.#size = size
  }

  /** Resolves when there is room. Rejects with the first failure. */
  async room(): Promise<void> {
    while (this.#underWay.size >= this.#size && !this.#hasFailed) await Promise.race(this.#underWay)
    this.#check()
  }

  /** Takes the place. */
  add(promise: Promise<unknown>): void {
    const settled = promise.then(
      () => void this.#underWay.delete(settled),
      (error: unknown) => {
        this.#underWay.delete(settled)
        if (!this.#hasFailed) this.#error = error
        this.#hasFailed = true
      },
    )
    this.#underWay.add(settled)
  }

  /** Resolves when nothing is under way any more. Rejects with the first failure, when all are over. */
  async finish(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay)
    this.#check()
  }

  #check(): void {
    if (this.#hasFailed) throw this.#error
  }
}
