/** All event streams of a worker, and what they need from time to time. */

import type { EventStream } from './event-stream.ts'

const tickMs = 1000
/** How soon is looked whether a client has read that did not keep up. */
const congestedTickMs = 20

/** What is asked for while somebody wants it. */
export interface StreamSources {
  /** JSON in one line. Rejects while it cannot be told. */
  overview(): Promise<string>
  /** Hears how many streams there are. */
  onSize?(size: number): void
}

/** Ticks for the streams that are added, while there are any. */
export class Streams {
  readonly #sources: StreamSources
  readonly #streams = new Set<EventStream>()
  #ticker: NodeJS.Timeout | undefined
  #isWatching = false

  constructor(sources: StreamSources) {
    this.#sources = sources
  }

  get size(): number {
    return this.#streams.size
  }

  add(stream: EventStream): void {
    this.#streams.add(stream)
    this.#sources.onSize?.(this.size)
    this.#ticker ??= setInterval(() => this.#tick(), tickMs)
  }

  delete(stream: EventStream): void {
    this.#streams.delete(stream)
    this.#sources.onSize?.(this.size)
    if (this.#streams.size > 0) return
    clearInterval(this.#ticker)
    this.#ticker = undefined
  }

  /** Looks soon at those whose clients do not keep up; a stream that says so asks for it. */
  watchCongested(): void {
    if (this.#isWatching) return
    this.#isWatching = true
    setTimeout(() => {
      this.#isWatching = false
      const congested = [...this.#streams].filter(stream => stream.isCongested)
      for (const stream of congested) stream.tick()
      if (congested.some(stream => stream.isCongested)) this.watchCongested()
    }, congestedTickMs)
  }

  #tick(): void {
    let wanted = false
    for (const stream of this.#streams) {
      stream.tick()
      wanted ||= stream.wantsOverview
    }
    if (wanted) void this.#tellOverview()
  }

  async #tellOverview(): Promise<void> {
    try {
      const data = await this.#sources.overview()
      for (const stream of this.#streams) if (stream.wantsOverview) stream.aside('overview', data)
    } catch {
      // The node cannot tell now; in a second it may.
    }
  }
}
