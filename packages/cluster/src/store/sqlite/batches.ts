import type { DatabaseSync } from 'node:sqlite'
import { StoreError } from '../errors.ts'
import type { StoreCore, StoreMethods } from '../core.ts'
import { storeErrorOf } from './database-errors.ts'
import type { SqliteState } from './sqlite-state.ts'

/** A call that waits for its turn. */
export interface Call {
  readonly name: keyof StoreMethods
  readonly argument: unknown
}

/** What a call came to. */
export type Outcome = { readonly value: unknown } | { readonly error: StoreError }

/** Group commit: carries out many calls in one transaction of the database. */
export class Batches {
  readonly #database: DatabaseSync
  readonly #state: SqliteState
  readonly #core: StoreCore

  constructor({ database, state, core }: { database: DatabaseSync; state: SqliteState; core: StoreCore }) {
    this.#database = database
    this.#state = state
    this.#core = core
  }

  /**
   * Carries out calls in order and commits them together. When the disk does not let it (no room, say), nothing of it stands, and halves are tried
   * one after the other: in the end only those calls fail that fail alone.
   */
  run(calls: readonly Call[]): Outcome[] {
    const attempt = this.#attempt(calls)
    if ('outcomes' in attempt) {
      this.#core.committed()
      return attempt.outcomes
    }
    this.#rollBack()
    if (calls.length === 1) return [{ error: storeErrorOf(attempt.error) }]
    const half = calls.length >> 1
    return [...this.run(calls.slice(0, half)), ...this.run(calls.slice(half))]
  }

  #attempt(calls: readonly Call[]): { readonly outcomes: Outcome[] } | { readonly error: unknown } {
    try {
      this.#database.exec('BEGIN')
      const outcomes = calls.map(call => this.#execute(call))
      this.#database.exec('COMMIT')
      return { outcomes }
    } catch (error) {
      // `run` decides what becomes of it.
      return { error }
    }
  }

  #execute({ name, argument }: Call): Outcome {
    try {
      const method = this.#core[name] as (argument: unknown) => unknown // what a client posts fits: `CallName` and its types
      return { value: method.call(this.#core, argument) }
    } catch (error) {
      // A refusal comes before anything is changed; everything else spoils the whole batch.
      if (error instanceof StoreError) return { error }
      throw error
    }
  }

  #rollBack(): void {
    this.#core.rolledBack()
    // After some errors SQLite has rolled back by itself (sqlite.org/lang_transaction.html).
    if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
    this.#state.reload()
  }
}
