/**
 * What a worker writes: changes in the order in which they were asked for, each whole or not at all, many to a transaction. One transaction is under way
 * at a time, and what is asked for meanwhile goes into the next one (group commit).
 *
 * Every transaction moves the worker's fence on, and compares that it is where the last one left it. So when the outcome of one is unknown, to move
 * the fence tells it: either it has happened, or it never will. And of two workers that take themselves for the same, the earlier one writes nothing more.
 */

import { StoreError, systemTimers } from '@holdfast/cluster'
import type { Entry, OperationResult, Store, Timers } from '@holdfast/cluster'
import { keys } from './keys.ts'
import { ManagementError } from './problems.ts'
import { Writes } from './writes.ts'

/** Something to be written. */
export interface Change {
  /** It happens only while this key has this revision (0: while there is none). */
  readonly expects?: { readonly key: string; readonly modRevision: number } | undefined
  /** Without room on the disk it is refused (`NO_SPACE`); other changes wait for room. */
  readonly impatient?: boolean
  /** Says what to write, at the moment when it goes into a transaction; again where that one did not happen. */
  write(to: Writes): void
}

/** A change that did not happen, as its key is not what it expected: what the key was at that revision. */
export interface Refusal {
  readonly found: Entry | undefined
  readonly revision: number
}

interface Waiting {
  readonly change: Change
  readonly resolve: (refusal: Refusal | undefined) => void
  readonly reject: (error: Error) => void
}

const retryMs = 1000
const codeOf = (error: unknown): string | undefined => (error instanceof StoreError ? error.code : undefined)

/** See the top of the file. */
export class Journal {
  readonly #store: Store
  readonly #timers: Timers
  readonly #onLost: (error: Error) => void
  readonly #key: string
  readonly #incarnation: string
  #fence: Buffer
  #moves = 0
  #queue: Waiting[] = []
  #writing: Promise<void> | undefined
  #ended: Error | undefined
  #closing = false

  /** For `openJournal`: the fence has just been written. */
  constructor(options: JournalOptions, fence: Buffer) {
    this.#store = options.store
    this.#timers = options.timers ?? systemTimers
    this.#onLost = options.onLost
    this.#key = keys.fence(options.worker)
    this.#incarnation = options.incarnation
    this.#fence = fence
  }

  /**
   * Resolves when the change is in the store, or to why it is not. Rejects with `NO_SPACE` (impatient changes), `UNAVAILABLE` when the journal is closed
   * or has been taken over, and with the store's error for what no transaction can hold.
   */
  write(change: Change): Promise<Refusal | undefined> {
    const ended = this.#ended ?? (this.#closing ? closedError() : undefined)
    if (ended !== undefined) return Promise.reject(ended)
    return new Promise((resolve, reject) => {
      this.#queue.push({ change, resolve, reject })
      this.#writing ??= this.#writeAll()
    })
  }

  /** Writes what has been asked for, and nothing that is asked for later. */
  async close(): Promise<void> {
    this.#closing = true
    await this.#writing
  }

  async #writeAll(): Promise<void> {
    // Changes of this turn join the first transaction.
    await Promise.resolve()
    while (this.#queue.length > 0) await this.#commit(...this.#gather())
    this.#writing = undefined
  }

  /** As many changes as fit into a transaction. */
  #gather(): [Writes, Waiting[]] {
    const batch = new Writes()
    let count = 0
    for (const { change } of this.#queue) {
      // What a transaction compares is what was before it.
      if (change.expects !== undefined && batch.touches(change.expects.key)) break
      const writes = new Writes()
      change.write(writes)
      if (count > 0 && !batch.fits(writes)) {
        writes.drop()
        break
      }
      batch.absorb(writes, change.expects)
      count++
    }
    return [batch, this.#queue.splice(0, count)]
  }

  async #commit(batch: Writes, waiting: readonly Waiting[]): Promise<void> {
    const next = this.#nextFence()
    try {
      const { succeeded, results, revision } = await this.#store.txn({
        compare: [{ key: this.#key, value: this.#fence }, ...batch.compares],
        success: [...batch.operations, { type: 'put', key: this.#key, value: next }],
        failure: [this.#key, ...batch.compares.map(({ key }) => key)].map(key => ({ type: 'range', key })),
      })
      if (succeeded) this.#committed(batch, waiting, next)
      else this.#refused(batch, waiting, { entries: results.map(entryOf), revision })
    } catch (error) {
      await this.#failed(batch, waiting, { error, next })
    }
  }

  #committed(batch: Writes, waiting: readonly Waiting[], fence: Buffer): void {
    this.#fence = fence
    batch.commit()
    for (const { resolve } of waiting) resolve(undefined)
  }

  /** Nothing of it happened: those whose condition did not hold hear of it, the others come again. */
  #refused(batch: Writes, waiting: readonly Waiting[], { entries, revision }: { entries: (Entry | undefined)[]; revision: number }): void {
    batch.drop()
    const [fence, ...found] = entries
    if (fence === undefined || !this.#fence.equals(fence.value)) return this.#lose(waiting)
    const again: Waiting[] = []
    for (const one of waiting) {
      const { expects } = one.change
      const entry = expects && found.shift()
      if (expects === undefined || expects.modRevision === (entry?.modRevision ?? 0)) again.push(one)
      else one.resolve({ found: entry, revision })
    }
    this.#queue.unshift(...again)
  }

  async #failed(batch: Writes, waiting: readonly Waiting[], { error, next }: { error: unknown; next: Buffer }): Promise<void> {
    const code = codeOf(error)
    if (code === 'unavailable') {
      const happened = await this.#settle(next)
      if (happened === undefined) return this.#lose(waiting)
      if (happened) return this.#committed(batch, waiting, next)
      batch.drop()
      this.#queue.unshift(...waiting)
      return
    }
    batch.drop()
    if (code === 'no-space') return this.#waitForRoom(waiting)
    if (code === undefined || code === 'closed') return this.#lose(waiting, error)
    for (const { reject } of waiting) reject(error as StoreError)
  }

  async #waitForRoom(waiting: readonly Waiting[]): Promise<void> {
    const patient = waiting.filter(({ change }) => change.impatient !== true)
    for (const { change, reject } of waiting) {
      if (change.impatient === true) reject(new ManagementError('NO_SPACE', 'There is no room on the disk of the node for this.'))
    }
    this.#queue.unshift(...patient)
    if (patient.length > 0) await this.#pause()
  }

  /** Whether the transaction that was to move the fence to `next` has happened; if not, it never will. Undefined when somebody else moved it. */
  async #settle(next: Buffer): Promise<boolean | undefined> {
    /** Moves of the fence alone that may have happened as well. */
    const attempts: Buffer[] = []
    for (;;) {
      const moved = this.#nextFence()
      try {
        const { succeeded, results } = await this.#store.txn({
          compare: [{ key: this.#key, value: this.#fence }],
          success: [{ type: 'put', key: this.#key, value: moved }],
          failure: [{ type: 'range', key: this.#key }],
        })
        const found = succeeded ? moved : entryOf(results[0])?.value
        if (found !== undefined && next.equals(found)) return true
        const fence = [...attempts, moved].find(attempt => found !== undefined && attempt.equals(found))
        if (fence === undefined) return undefined
        this.#fence = fence
        return false
      } catch (error) {
        const code = codeOf(error)
        if (code !== 'unavailable' && code !== 'no-space') return undefined
        attempts.push(moved)
        await this.#pause()
      }
    }
  }

  #lose(waiting: readonly Waiting[], cause?: unknown): void {
    const error = closedError(cause)
    this.#ended = error
    for (const { reject } of [...waiting, ...this.#queue.splice(0)]) reject(error)
    this.#onLost(error)
  }

  #nextFence(): Buffer {
    return Buffer.from(`${this.#incarnation} ${++this.#moves}`)
  }

  #pause(): Promise<void> {
    return new Promise(resolve => void this.#timers.schedule(retryMs, resolve))
  }
}

const closedError = (cause?: unknown): ManagementError =>
  new ManagementError('UNAVAILABLE', 'This part of the node is being started or stopped; try again.', { cause })
const entryOf = (result: OperationResult): Entry | undefined => (result.type === 'range' ? result.entries[0] : undefined)

/** What a journal needs. */
export interface JournalOptions {
  readonly store: Store
  readonly worker: number
  /** Unique to one opening of it. */
  readonly incarnation: string
  readonly timers?: Timers
  /** Somebody else writes for this worker now, or the store is gone. */
  readonly onLost: (error: Error) => void
}

/** Opens the journal of a worker; whoever had it before writes nothing more. Rejects as `Store.txn` does. */
export async function openJournal(options: JournalOptions): Promise<Journal> {
  const fence = Buffer.from(`${options.incarnation} 0`)
  await options.store.txn({ success: [{ type: 'put', key: keys.fence(options.worker), value: fence }] })
  return new Journal(options, fence)
}
