/** What the API asks of the node it manages: the node's assembly implements it, the operations and the router call it. */

import type { Asked, OperationKind, QueryId, ResultOf } from '../api/routes.ts'

/** What an action has besides its request. */
export interface ActionContext {
  /** It was begun before by a process or worker that died: what is there already may be its own work. */
  readonly again: boolean
  /** What was kept by `progress` when it was begun before. */
  readonly checkpoint: unknown
  /** The operation is cancelled: stop soon, by throwing the signal's reason. */
  readonly signal: AbortSignal
  /** The user who asked. */
  readonly user: string
  /** Says how far it is: 0 to 100, what it is at, and what `checkpoint` shall be after a crash. Cheap: call it as often as you like. */
  progress(at: { readonly percent: number; readonly note?: string; readonly checkpoint?: unknown }): void
}

/** How one kind of operation is carried out. What it throws becomes the operation's problem, by its `code`. */
export interface Action<Kind extends OperationKind> {
  /** What is wrong with a request that can be told at once, before the receipt: throws. */
  check?(asked: Asked<Kind>): Promise<void> | void
  run(asked: Asked<Kind>, context: ActionContext): Promise<ResultOf<Kind>>
  /** Undoes what `run` may have done, wholly or in part; has nothing to do where it had done nothing. Without it the kind cannot be cancelled once it runs. */
  undo?(asked: Asked<Kind>, context: ActionContext): Promise<void>
}

/** All that take time. */
export type Actions = { readonly [Kind in OperationKind]: Action<Kind> }
/** What is answered at once. Rejects with what has a `code`. */
export type Queries = { readonly [Id in QueryId]: (asked: Asked<Id>) => Promise<ResultOf<Id>> }

/** Who people are. */
export interface Accounts {
  /** Undefined where name or password is wrong; takes as long for nobody as for somebody. Rejects with `TOO_MANY_ATTEMPTS`. */
  verify(login: { readonly user: string; readonly password: string; readonly address: string }): Promise<Account | undefined>
  /** As of now; undefined for who is gone or locked out. */
  find(user: string): Promise<Account | undefined>
}
/** Who may log in, and as what. */
export interface Account {
  readonly name: string
  readonly role: 'user' | 'viewer' | 'admin'
}

/** A node, as its API knows it. */
export interface ManagedNode {
  readonly accounts: Accounts
  readonly queries: Queries
  readonly actions: Actions
}
