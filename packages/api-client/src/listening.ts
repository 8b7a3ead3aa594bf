import type { ApiEvent, EventStream } from './events.ts'

/** Of `events`. */
export interface EventsOptions {
  /** The `id` of the last event that was dealt with, perhaps by an earlier process; all that the node has kept of the session where undefined. */
  readonly after?: string
  /** Also `overview`, once a second. */
  readonly overview?: boolean
  /** Ends the iteration without an error. */
  readonly signal?: AbortSignal
}

/** As many may wait for a reader that is slow; then the stream waits, and the node keeps the rest. */
const waitingMax = 10_000

/** Each event exactly once, over as many connections as it takes. */
export async function* eventsOf(stream: EventStream, { after, overview = false, signal }: EventsOptions): AsyncGenerator<ApiEvent, void> {
  const waiting: ApiEvent[] = []
  let wake = Promise.withResolvers<void>()
  let room = Promise.withResolvers<void>()
  let ended: { readonly error?: Error } | undefined
  const end = (error?: Error): void => {
    ended ??= error === undefined ? {} : { error }
    wake.resolve()
  }
  const onAbort = (): void => end()
  signal?.addEventListener('abort', onAbort, { once: true })
  if (signal?.aborted) return
  const stop = stream.listen({
    cursor: after,
    overview,
    onEvent(event) {
      waiting.push(event)
      wake.resolve()
      return waiting.length < waitingMax ? undefined : room.promise
    },
    onEnd: end,
  })
  try {
    for (;;) {
      await wake.promise
      wake = Promise.withResolvers()
      while (waiting.length > 0 && signal?.aborted !== true) {
        yield waiting.shift()!
        room.resolve()
        room = Promise.withResolvers()
      }
      if (ended?.error !== undefined) throw ended.error
      if (ended !== undefined) return
    }
  } finally {
    stop()
    room.resolve()
    signal?.removeEventListener('abort', onAbort)
  }
}
