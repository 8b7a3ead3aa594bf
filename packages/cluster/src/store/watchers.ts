import { compactedError } from './errors.ts'
import type { StoreError } from './errors.ts'
import { boundsOf, isInside } from './keys.ts'
import type { Bounds } from './keys.ts'
import type { StoreState } from './state.ts'
import type { KeyRange, WatchBatch } from './store.ts'

/** Where a watcher's batches go. */
export interface WatchSink {
  batch(batch: WatchBatch): void
  fail(error: StoreError): void
}

/** So many batches may be on their way to somebody who has not taken them yet; what comes then is read from history later. */
export const watchWindow = 128

interface Watcher {
  readonly bounds: Bounds
  readonly sink: WatchSink
  /** The next revision to look at. */
  next: number
  /** Batches that may be sent. */
  credit: number
}

/** All watches of a store. Who takes what he is given gets it as it happens; who lags behind is served from history. */
export class Watchers {
  readonly #state: StoreState
  readonly #watchers = new Map<number, Watcher>()
  #ids = 0

  constructor(state: StoreState) {
    this.#state = state
  }

  /** Begins a watch; returns its number. `sink` may be called before that. */
  add(range: KeyRange, fromRevision: number | undefined, sink: WatchSink): number {
    const id = ++this.#ids
    const watcher = { bounds: boundsOf(range), sink, next: fromRevision ?? this.#state.revision + 1, credit: watchWindow }
    this.#watchers.set(id, watcher)
    this.#catchUp(id, watcher)
    return id
  }

  remove(id: number): void {
    this.#watchers.delete(id)
  }

  /** Somebody took so many batches. */
  took(id: number, batches: number): void {
    const watcher = this.#watchers.get(id)
    if (watcher === undefined) return
    watcher.credit += batches
    this.#catchUp(id, watcher)
  }

  /** New revisions, in order and without a gap. */
  publish(batches: readonly WatchBatch[]): void {
    if (batches.length === 0) return
    for (const [id, watcher] of this.#watchers) {
      if (watcher.next >= batches[0].revision) this.#send(watcher, batches)
      else this.#catchUp(id, watcher)
    }
  }

  close(error: StoreError): void {
    for (const { sink } of this.#watchers.values()) sink.fail(error)
    this.#watchers.clear()
  }

  #catchUp(id: number, watcher: Watcher): void {
    while (watcher.credit > 0 && watcher.next <= this.#state.revision) {
      if (watcher.next <= this.#state.compactRevision) {
        this.#watchers.delete(id)
        watcher.sink.fail(compactedError(this.#state.compactRevision))
        return
      }
      this.#send(watcher, this.#state.history(watcher.next, watchWindow))
    }
  }

  #send(watcher: Watcher, batches: readonly WatchBatch[]): void {
    for (const { revision, events } of batches) {
      if (revision < watcher.next) continue
      if (watcher.credit === 0) return
      const inside = events.filter(({ key }) => isInside(key, watcher.bounds))
      if (inside.length > 0) {
        watcher.credit--
        watcher.sink.batch({ revision, events: inside })
      }
      watcher.next = revision + 1
    }
  }
}
