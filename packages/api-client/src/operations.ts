/** Waiting for operations: by the event stream, where it tells of them. */

import { ApiError, errorOf } from './error.ts'
import type { EventStream } from './events.ts'
import type { Operation, OperationNews } from './table.ts'
import { delay } from './timing.ts'

const ended: ReadonlySet<OperationNews['state']> = new Set(['succeeded', 'failed', 'cancelled'])
/** Operations of other sessions are looked at so often. */
const lookMs = 500

/** Whether nothing follows. */
export const isEnded = ({ state }: Pick<OperationNews, 'state'>): boolean => ended.has(state)

/** The result. Throws `ApiError` for an operation that failed (its problem) or was cancelled (`CANCELLED`). */
export function resultOf({ state, result, problem, target }: OperationNews): unknown {
  if (state === 'succeeded') return result ?? null
  if (state === 'cancelled') throw new ApiError(`the operation on ${target} was cancelled`, { code: 'CANCELLED', status: 0 })
  throw problem === undefined ? new ApiError(`the operation on ${target} failed`, { code: 'FAILED', status: 0 }) : errorOf(problem)
}

/** A record as if the stream had told it. */
export const newsOf = ({ id, ...record }: Operation): OperationNews => ({ operation: id, ...record })

/** Hears what the stream tells of one operation; made before the operation is, so that nothing is missed. */
export class OperationWatch implements Disposable {
  readonly #stop: () => void
  readonly #heard: OperationNews[] = []
  #operation: string | undefined
  #isOver = false
  #onNews: ((news: OperationNews) => void) | undefined
  readonly #end = Promise.withResolvers<OperationNews>()

  constructor(stream: EventStream) {
    // Somebody waits by `outcome`, or nobody does.
    this.#end.promise.catch(() => undefined)
    this.#stop = stream.listen({
      cursor: stream.cursor,
      overview: false,
      onEvent: event => {
        if (event.event === 'operation') this.#take(event.data)
        return undefined
      },
      onEnd: error => this.#end.reject(error),
    })
  }

  /** Resolves to the last there is to tell of `operation`. */
  outcome(operation: string, { onNews, signal }: { readonly onNews?: (news: OperationNews) => void; readonly signal?: AbortSignal } = {}) {
    this.#operation = operation
    this.#onNews = onNews
    for (const news of this.#heard.splice(0)) this.#take(news)
    return signal === undefined ? this.#end.promise : orAborted(this.#end.promise, signal)
  }

  /** Its record, asked for. */
  take(news: OperationNews): void {
    this.#take(news)
  }

  #take(news: OperationNews): void {
    if (this.#operation === undefined) {
      this.#heard.push(news)
      return
    }
    if (news.operation !== this.#operation || this.#isOver) return
    this.#isOver = isEnded(news)
    this.#onNews?.(news)
    if (this.#isOver) this.#end.resolve(news)
  }

  [Symbol.dispose](): void {
    this.#stop()
  }
}

/** Rejects with the signal's reason, if that comes first. */
export async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  const { promise: gone, reject } = Promise.withResolvers<never>()
  const onAbort = (): void => reject(signal.reason as Error)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([promise, gone])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** For an operation of another session: its events are not ours, its record is everybody's. */
export async function look(
  show: () => Promise<Operation>,
  { onNews, signal }: { readonly onNews?: (news: OperationNews) => void; readonly signal?: AbortSignal },
): Promise<OperationNews> {
  let before = ''
  for (;;) {
    const news = newsOf(await show())
    const now = JSON.stringify(news)
    if (now !== before) onNews?.(news)
    if (isEnded(news)) return news
    before = now
    await delay(lookMs, signal)
  }
}
