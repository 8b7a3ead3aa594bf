/**
 * What is behind the HTTP of the management API: sessions by login, durable operations, event logs, audit. Every worker has a core; all of a session
 * (its record, its operations, its event log, its stream) is in the hands of the worker that owns it, and in the store, from which the
 * successor of a worker that died takes it up again. No HTTP in here.
 */

import type { Store, Timers } from '@holdfast/cluster'
import type { WorkerNode } from '@holdfast/engine'
import type { z } from 'zod'
import type { Asked, OperationKind } from '../api/routes.ts'
import type * as s from '../api/schemas.ts'
import type { Account, ManagedNode } from '../operations/actions.ts'

/** As `/v1/operations/ID` shows it. */
export type Operation = z.output<typeof s.Operation>
/** As `/v1/audit` lists it. */
export type AuditEntry = z.output<typeof s.AuditEntry>
/** As `/v1/session` shows it. */
export type OwnSession = z.output<typeof s.OwnSession>
/** A page of a list. */
export interface Page<Item> {
  readonly items: Item[]
  readonly next: string | null
}

/** Keeps secrets that are in the store, by a key that is not in the store. */
export interface Secrets {
  /** Encrypts; `binding` is authenticated along, so that what is sealed is good in its own place only. */
  seal(secret: Uint8Array, binding: string): Uint8Array
  /** Throws where key, binding or content do not match. */
  unseal(sealed: Uint8Array, binding: string): Uint8Array
  /** A keyed hash: equal for equal bytes, and worth nothing to who does not have the key. */
  mac(bytes: Uint8Array): Uint8Array
}

/** How much a core holds for others. Those with "node" in their description are for all workers together. */
export interface CoreLimits {
  /** A session ends so long after its login (12 h). */
  readonly sessionMs: number
  /** It ends when it was not used for so long (1 h); an open stream is a use. */
  readonly idleMs: number
  /** Sessions of the node (20,000), and of a user on the node (10,000), shared out evenly to the workers. */
  readonly sessions: number
  readonly sessionsPerUser: number
  /** Events kept of a session (10,000); they go with it. */
  readonly events: number
  /** Operations of a session that have not ended (1,000). */
  readonly unfinished: number
  /** Operations that run at once on a worker (64); others are queued. */
  readonly running: number
  /** Between two events about the progress of an operation (250 ms), longer while many run. */
  readonly progressMs: number
  /** For so long a key finds its operation again (24 h). */
  readonly idempotencyMs: number
  /** Operations that have ended are kept for so long (30 days), and so many of them (100,000), on the node. */
  readonly operationsMs: number
  readonly operations: number
  /** Entries of the audit log that are kept (100,000), on the node. */
  readonly audit: number
}

/** What a core needs. */
export interface ManagementCoreOptions {
  /** The node's; on a worker it has to hold the worker's attention (`attentiveStore`). */
  readonly store: Store
  readonly node: Pick<WorkerNode, 'index' | 'workers' | 'register' | 'unregister' | 'call' | 'post' | 'log'>
  readonly managed: ManagedNode
  readonly secrets: Secrets
  /** Milliseconds since 1970 (default: the system's clock). */
  readonly wallClock?: () => number
  readonly timers?: Timers
  /** So many random bytes (default: the system's). */
  readonly random?: (bytes: number) => Buffer
  readonly limits?: Partial<CoreLimits>
}

/** Who logs in: somebody with a password, or whoever could open the control socket. */
export type LoginRequest =
  | { readonly user: string; readonly password: string; readonly address: string; readonly cookie?: boolean }
  | { readonly local: true; readonly address: string }

/** A session that has begun. */
export interface LoggedIn {
  /** `hf1.SESSION.SECRET`: it is told once, here. */
  readonly token: string
  readonly session: OwnSession
}

/** Where a request comes from, and how it is known again. */
export interface Origin {
  readonly address: string
  /** Of the header `Idempotency-Key`. */
  readonly idempotencyKey?: string | undefined
}

/** An event as the stream has it: `event`, `id` and `data` of Server-Sent Events. */
export interface StreamEvent {
  readonly event: 'operation' | 'resync'
  readonly id: string
  /** JSON in one line. */
  readonly data: string
}

/** Why a stream ends: a newer one of its session began; the session ran out, was ended, or its user may not be there any more; the core closes. */
export type StreamEnd = 'replaced' | 'expired' | 'logout' | 'revoked' | 'closed'

/** Where events go. Calls come one after the other, and never from within `subscribe`. */
export interface EventSink {
  /** Takes the event, in any case; false when it wants no more until `Subscription.resume`. What comes meanwhile is kept in the store, not here. */
  event(event: StreamEvent): boolean
  /** Nothing comes after this. Not called after `Subscription.close`. */
  end(reason: StreamEnd): void
}

/** One stream's place in a session's log. */
export interface Subscription {
  /** The sink has room again. */
  resume(): void
  /** Nothing more is given to the sink. */
  close(): void
}

/** A session in the hands of its owner. Its role is that of the moment when it was asked for. */
export interface ApiSession {
  readonly id: string
  readonly user: string
  readonly role: Account['role']
  /** What `X-CSRF-Token` has to be for a request that comes with the cookie. */
  readonly csrf: string
  /** The session is kept in a cookie: `csrf` is told to it. */
  readonly cookie: boolean
  /** Milliseconds since 1970. */
  readonly expiresMs: number
  /** As `/v1/session` shows it. */
  readonly view: OwnSession
  /**
   * Begins an operation; resolves when it is in the store, before it runs. A key that was used by this user before resolves to the
   * operation of that time. Rejects with what the action's `check` throws, `IDEMPOTENCY_KEY_REUSED`, `TOO_MANY_OPERATIONS`, `NO_SPACE`,
   * `UNAVAILABLE`. What is refused is in the audit log.
   */
  start<Kind extends OperationKind>(kind: Kind, asked: Asked<Kind>, origin: Origin): Promise<Operation>
  /**
   * Cancels an operation of any session; resolves to it as it is then: `cancelled`, or `cancelling` until what it has done is undone. Rejects with
   * `UNKNOWN_OPERATION`, `OPERATION_ENDED`, `NOT_CANCELLABLE`.
   */
  cancel(operation: string, origin: Origin): Promise<Operation>
  /** Ends the session, its stream and its log. Its operations go on. */
  logout(origin: Origin): Promise<void>
  /**
   * Gives the session's events to `sink`, those after the cursor `after` (from the beginning where undefined), then those to come: in order, none left
   * out and none twice. Where the log does not reach back that far: `resync`, the state of each operation of the session, then what follows.
   * Ends the session's subscription before it.
   */
  subscribe(options: { readonly after?: string | undefined }, sink: EventSink): Subscription
}

/** Operations of all sessions, as they are in the store. On any worker. */
export interface OperationReader {
  /** Undefined where there is none. */
  get(id: string): Promise<Operation | undefined>
  /** The newest first. A page may have fewer than `limit` (100) although there are more: `next` tells. Rejects with `INVALID` for a cursor that is none. */
  list(query: {
    readonly cursor?: string | undefined
    readonly limit?: number | undefined
    readonly state?: Operation['state'] | undefined
  }): Promise<Page<Operation>>
}

/** Who did what. On any worker. */
export interface AuditLog {
  /** Logins, logouts, operations and cancellations are there already; this is for what else was refused. */
  append(entry: Omit<AuditEntry, 'id' | 'at'>): Promise<void>
  /** The newest first. Rejects with `INVALID` for a cursor that is none. */
  list(query: { readonly cursor?: string | undefined; readonly limit?: number | undefined }): Promise<Page<AuditEntry>>
}

/** The part of the management API that is on one worker. Errors have the `code`s of `problems.ts`. */
export interface ManagementCore extends AsyncDisposable {
  /**
   * Logs in, on any worker. Rejects with `WRONG_CREDENTIALS`, `TOO_MANY_ATTEMPTS`, `FORBIDDEN` (a user who may use storage only),
   * `TOO_MANY_SESSIONS`, `NO_SPACE`, `UNAVAILABLE`.
   */
  login(request: LoginRequest): Promise<LoggedIn>
  /** The worker that owns the session of a token; undefined for what is no token. */
  ownerOf(token: string): number | undefined
  /** On the owner: the session of a token; undefined where there is none (any more), or where its user is gone or locked out. A use of the session. Rejects with `UNAVAILABLE` where the core is closed. */
  session(token: string): Promise<ApiSession | undefined>
  readonly operations: OperationReader
  readonly audit: AuditLog
  /**
   * Begins nothing more, asks what runs to stop, and waits for it, for a while. Operations that have not ended stay as they are in the store: who opens a
   * core there next goes on with them.
   */
  close(): Promise<void>
}
