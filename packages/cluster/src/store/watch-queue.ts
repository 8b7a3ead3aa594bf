import type { StoreError } from './errors.ts'
import type { WatchBatch } from './store.ts'
import { watchWindow } from './watchers.ts'
import type { WatchSink } from './watchers.ts'

type Next = PromiseWithResolvers<IteratorResult<WatchBatch, undefined>>

/** The side of a watch that iterates: batches wait here for whoever takes them. */
export class WatchQueue implements AsyncIterableIterator<WatchBatch, undefined>, WatchSink {
  readonly #onTaken: (batches: number) => void
  readonly #onEnd: () => void
  readonly #signal: AbortSignal | undefined
  readonly #onAbort = (): void => this.#finish({ error: this.#signal?.reason })
  readonly #batches: WatchBatch[] = []
  readonly #waiting: Next[] = []
  #taken = 0
  #end: { readonly error?: unknown } | undefined

  /** `onTaken` hears now and then how many batches were taken, `onEnd` once when nobody iterates any more. */
  constructor({ onTaken, onEnd, signal }: { onTaken: (batches: number) => void; onEnd: () => void; signal: AbortSignal | undefined }) {
    this.#onTaken = onTaken
    this.#onEnd = onEnd
    this.#signal = signal
    signal?.addEventListener('abort', this.#onAbort, { once: true })
    if (signal?.aborted === true) this.#onAbort()
  }

  get ended(): boolean {
    return this.#end !== undefined
  }

  batch(batch: WatchBatch): void {
    if (this.#end !== undefined) return
    const next = this.#waiting.shift()
    if (next === undefined) {
      this.#batches.push(batch)
      return
    }
    next.resolve({ done: false, value: batch })
    this.#countTaken()
  }

  fail(error: StoreError): void {
    this.#finish({ error })
  }

  async next(): Promise<IteratorResult<WatchBatch, undefined>> {
    const batch = this.#batches.shift()
    if (batch !== undefined) {
      this.#countTaken()
      return { done: false, value: batch }
    }
    const end = this.#end
    if (end !== undefined) {
      this.#end = {}
      if ('error' in end) throw end.error
      return { done: true, value: undefined }
    }
    const next: Next = Promise.withResolvers()
    this.#waiting.push(next)
    return next.promise
  }

  async return(): Promise<IteratorResult<WatchBatch, undefined>> {
    this.#batches.length = 0
    this.#finish({})
    this.#end = {}
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }

  #countTaken(): void {
    if (++this.#taken < watchWindow / 2) return
    const taken = this.#taken
    this.#taken = 0
    if (this.#end === undefined) this.#onTaken(taken)
  }

  #finish(end: { readonly error?: unknown }): void {
    if (this.#end !== undefined) return
    this.#end = end
    this.#signal?.removeEventListener('abort', this.#onAbort)
    if (this.#signal?.aborted === true) this.#batches.length = 0
    const first = this.#waiting.shift()
    if (first !== undefined && 'error' in end) {
      first.reject(end.error)
      this.#end = {}
    } else {
      first?.resolve({ done: true, value: undefined })
    }
    for (const next of this.#waiting.splice(0)) next.resolve({ done: true, value: undefined })
    this.#onEnd()
  }
}
