/** Whose turn it is: operations of one target come one after the other, those of others at once, up to a limit; in the order in which they came. */

import { StoreError } from '@holdfast/cluster'
import type { Store, Timers } from '@holdfast/cluster'
import { keys } from '../core/keys.ts'
import type { LiveOperation } from './live.ts'

interface Line {
  readonly name: string
  readonly waiting: LiveOperation[]
  active: LiveOperation | undefined
  /** It is among those that may go on. */
  isReady: boolean
  /** Another worker has the target. */
  blocked: AbortController | undefined
}

/** What lines need. */
export interface LinesOptions {
  readonly store: Store
  readonly timers: Timers
  /** So many at once. */
  readonly limit: number
  readonly onEnd: (live: LiveOperation) => void
}

const retryMs = 1000

/** See the top of the file. */
export class Lines {
  readonly #options: LinesOptions
  readonly #lines = new Map<string, Line>()
  readonly #ready: Line[] = []
  readonly #turns = new Set<Promise<void>>()
  #isStopped = false

  constructor(options: LinesOptions) {
    this.#options = options
  }

  /** How many run now. */
  get running(): number {
    return this.#turns.size
  }

  /** Puts it behind the others of its target. */
  add(live: LiveOperation): void {
    const line = this.#lineOf(live.line)
    line.waiting.push(live)
    this.#offer(line)
    this.#next()
  }

  /** It shall not wait any more; false when it did not. */
  remove(live: LiveOperation): boolean {
    const line = this.#lines.get(live.line)
    const at = line?.waiting.indexOf(live) ?? -1
    if (line === undefined || at === -1) return false
    line.waiting.splice(at, 1)
    this.#offer(line)
    return true
  }

  /** Nothing more begins; resolves when nothing runs. */
  async stop(): Promise<void> {
    this.#isStopped = true
    for (const { blocked } of this.#lines.values()) blocked?.abort()
    await Promise.all(this.#turns)
  }

  #lineOf(name: string): Line {
    const found = this.#lines.get(name)
    if (found !== undefined) return found
    const line = { name, waiting: [], active: undefined, isReady: false, blocked: undefined }
    this.#lines.set(name, line)
    return line
  }

  #offer(line: Line): void {
    if (line.isReady || line.active !== undefined) return
    if (line.waiting.length === 0) {
      line.blocked?.abort()
      this.#lines.delete(line.name)
      return
    }
    if (line.blocked !== undefined) return
    line.isReady = true
    this.#ready.push(line)
  }

  #next(): void {
    while (!this.#isStopped && this.#turns.size < this.#options.limit) {
      const line = this.#ready.shift()
      if (line === undefined) return
      line.isReady = false
      line.active = line.waiting.shift()
      if (line.active === undefined) this.#offer(line)
      else this.#begin(line, line.active)
    }
  }

  #begin(line: Line, live: LiveOperation): void {
    const turn = this.#turn(line, live).finally(() => {
      this.#turns.delete(turn)
      this.#next()
    })
    this.#turns.add(turn)
  }

  async #turn(line: Line, live: LiveOperation): Promise<void> {
    // Who has the journal has heard of its end; here nothing begins any more.
    const turn = await live.begin().catch(() => 'stopped' as const)
    line.active = undefined
    if (turn === 'stopped') return
    if (turn === 'ended' || live.isEnded) this.#options.onEnd(live)
    else {
      line.waiting.unshift(live)
      void this.#waitFor(line, turn.blockedAt)
    }
    this.#offer(line)
  }

  /** Until the target is free. */
  async #waitFor(line: Line, revision: number): Promise<void> {
    const blocked = new AbortController()
    line.blocked = blocked
    await this.#freed(keys.target(line.name), revision, blocked.signal)
    line.blocked = undefined
    if (blocked.signal.aborted) return
    this.#offer(line)
    this.#next()
  }

  async #freed(key: string, revision: number, signal: AbortSignal): Promise<void> {
    try {
      for await (const { events } of this.#options.store.watch({ key }, { fromRevision: revision + 1, signal })) {
        if (events.some(({ type }) => type === 'delete')) return
      }
    } catch (error) {
      if (signal.aborted || (error instanceof StoreError && error.code === 'compacted')) return
      // The store does not answer: it is tried again, without knowing.
      await new Promise<void>(resolve => void this.#options.timers.schedule(retryMs, resolve))
    }
  }
}
