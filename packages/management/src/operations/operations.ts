/** The operations of the sessions that a worker owns: from the receipt to the outcome. */

import { createHash } from 'node:crypto'
import type { Entry, Store } from '@holdfast/cluster'
import type { Operation, Origin, Secrets } from '../core/core.ts'
import type { Ids } from '../core/ids.ts'
import { fromJson, keys, lastOf, toJson } from '../core/keys.ts'
import { pagesOf } from '../core/pages.ts'
import { ManagementError } from '../core/problems.ts'
import type { Writes } from '../core/writes.ts'
import type { OperationState } from '../events/subscription.ts'
import type { OperationKind } from '../api/routes.ts'
import { Lines } from './lines.ts'
import { LiveOperation } from './live.ts'
import type { AnyAction, Canceller, OperationHost } from './live.ts'
import { eventData, timeOf } from './record.ts'
import type { OperationRecord } from './record.ts'
import { shownRequest, targetOf } from './targets.ts'
import type { AnyAsked } from './targets.ts'

/** What operations need besides their host. */
export interface OperationsOptions {
  readonly store: Store
  readonly secrets: Secrets
  readonly ids: Ids
  readonly actionOf: (kind: OperationKind) => AnyAction
  readonly limits: { readonly running: number; readonly unfinished: number; readonly idempotencyMs: number }
  /** An operation of that kind has ended. */
  readonly onEnd: (operation: Operation) => void
}

/** Who starts an operation. */
export interface Starter {
  readonly session: string
  readonly user: string
  readonly origin: Origin
}

/** What an idempotency key stands for. */
export interface KeyRecord {
  readonly operation: string
  /** Keyed hash of the request. */
  readonly request: string
  readonly atMs: number
}

const readAtOnce = 100

/** See the top of the file. */
export class Operations {
  readonly #host: OperationHost
  readonly #options: OperationsOptions
  readonly #live = new Map<string, LiveOperation>()
  /** By session: those that have not ended, and those that are about to begin. */
  readonly #unfinished = new Map<string, number>()
  readonly #lines: Lines

  constructor(host: OperationHost, options: OperationsOptions) {
    this.#host = host
    this.#options = options
    const { store, limits } = options
    this.#lines = new Lines({ store, timers: host.timers, limit: limits.running, onEnd: live => this.#onEnd(live) })
  }

  /** How many run now. */
  get running(): number {
    return this.#lines.running
  }

  /** See `ApiSession.start`. */
  async start(kind: OperationKind, asked: AnyAsked, starter: Starter): Promise<Operation> {
    const request = this.#digest(kind, asked)
    const key = idempotencyKeyOf(starter)
    const known = key === undefined ? undefined : (await this.#options.store.range({ key })).entries[0]
    if (known !== undefined && this.#isFresh(known)) return this.#again(known, request)
    this.#reserve(starter.session)
    try {
      await this.#options.actionOf(kind).check?.(asked)
      return await this.#begin(kind, asked, { starter, request, key, modRevision: known?.modRevision ?? 0 })
    } catch (error) {
      this.#count(starter.session, -1)
      await this.#refused(error, kind, { asked, starter })
      throw error
    }
  }

  /** See `ApiSession.cancel`; of an operation whose session is owned here. Undefined when it has ended. */
  async cancel(id: string, by: Canceller): Promise<Operation | undefined> {
    const live = this.#live.get(id)
    if (live === undefined) return undefined
    const shown = await live.cancel(by)
    if (live.isEnded && this.#lines.remove(live)) this.#onEnd(live)
    return shown
  }

  /** Takes up what a worker before has left: entries of `keys.pending`. */
  async load(pending: readonly Entry[]): Promise<void> {
    const found: LiveOperation[] = []
    for (let at = 0; at < pending.length; at += readAtOnce) {
      found.push(...(await Promise.all(pending.slice(at, at + readAtOnce).map(entry => this.#loadOne(entry)))).filter(live => live !== undefined))
    }
    for (const live of found) this.#count(live.shown.session, 1)
    await Promise.all(found.map(live => live.restart()))
    // Those that had begun have their targets.
    const rank = (live: LiveOperation): string => `${live.holdsTarget ? 0 : 1}${live.shown.id}`
    for (const live of found.sort((a, b) => (rank(a) < rank(b) ? -1 : 1))) this.#lines.add(live)
  }

  /** All operations of a session as they are in the store, the oldest first. */
  async *statesOf(session: string): AsyncGenerator<readonly OperationState[], void> {
    for await (const entries of pagesOf(this.#options.store, keys.operationsOf(session))) {
      for (let at = 0; at < entries.length; at += readAtOnce) {
        const records = await Promise.all(entries.slice(at, at + readAtOnce).map(({ key }) => readOperation(this.#options.store, lastOf(key))))
        yield records.filter(record => record !== undefined).map(stateOf)
      }
    }
  }

  /** Nothing more begins; what runs has been asked to stop. Resolves when nothing runs. */
  stop(): Promise<void> {
    return this.#lines.stop()
  }

  async #begin(
    kind: OperationKind,
    asked: AnyAsked,
    { starter, request, key, modRevision }: { starter: Starter; request: string; key: string | undefined; modRevision: number },
  ): Promise<Operation> {
    const { ids, secrets } = this.#options
    const { session, user, origin } = starter
    const id = ids.next()
    const target = targetOf(kind, asked)
    const shown: Operation = {
      id,
      kind,
      target,
      session,
      user,
      request: shownRequest(kind, asked),
      state: 'queued',
      percent: 0,
      createdAt: this.#host.now(),
    }
    const record: OperationRecord = { shown, address: origin.address, firstSequence: 0, lastSequence: 0 }
    const live = this.#make(record, asked)
    const pendingKey = keys.pendingOne(session, id)
    const sealed = secrets.seal(toJson(asked), pendingKey)
    const write = (writes: Writes): void => {
      live.write(writes)
      writes.put(pendingKey, sealed)
      if (this.#host.logOf(session) !== undefined) writes.put(keys.operationOf(session, id), Buffer.alloc(0))
      if (key !== undefined) writes.put(key, toJson({ operation: id, request, atMs: this.#host.wallClock() } satisfies KeyRecord))
      this.#host.audit.write(writes, { user, session, address: origin.address, action: kind, target, outcome: 'received', operation: id })
    }
    const refusal = await this.#host.journal.write({ impatient: true, expects: key === undefined ? undefined : { key, modRevision }, write })
    if (refusal?.found !== undefined) {
      this.#count(session, -1)
      return this.#again(refusal.found, request)
    }
    this.#live.set(id, live)
    this.#lines.add(live)
    return shown
  }

  #make(record: OperationRecord, asked: AnyAsked): LiveOperation {
    const action: AnyAction | undefined = this.#options.actionOf(record.shown.kind as OperationKind) // by `start`, of the routes of its time
    if (action === undefined) throw new Error(`there is no ${record.shown.kind} any more`)
    return new LiveOperation(this.#host, { record, action, asked })
  }

  async #loadOne({ key, value }: Entry): Promise<LiveOperation | undefined> {
    const record = await readOperation(this.#options.store, lastOf(key))
    if (record === undefined) return undefined
    const live = this.#take(record, () => fromJson<AnyAsked>(this.#options.secrets.unseal(value, key)))
    this.#live.set(live.shown.id, live)
    return live
  }

  /** What cannot be carried on, as its request cannot be read or its kind is gone, fails in its turn. */
  #take(record: OperationRecord, read: () => AnyAsked): LiveOperation {
    try {
      return this.#make(record, read())
    } catch (error) {
      const fail = async (): Promise<never> => {
        throw error
      }
      return new LiveOperation(this.#host, { record, action: { run: fail, undo: fail }, asked: { parameters: {} } })
    }
  }

  #onEnd(live: LiveOperation): void {
    if (!this.#live.delete(live.shown.id)) return
    this.#count(live.shown.session, -1)
    this.#options.onEnd(live.shown)
  }

  /** The operation that a key stands for. */
  async #again({ value }: Entry, request: string): Promise<Operation> {
    const known = fromJson<KeyRecord>(value)
    const record = known.request === request ? await readOperation(this.#options.store, known.operation) : undefined
    if (record === undefined) throw new ManagementError('IDEMPOTENCY_KEY_REUSED', 'This Idempotency-Key was used for another request.')
    return record.shown
  }

  #isFresh({ value }: Entry): boolean {
    return fromJson<KeyRecord>(value).atMs + this.#options.limits.idempotencyMs > this.#host.wallClock()
  }

  #digest(kind: OperationKind, { parameters, body }: AnyAsked): string {
    return Buffer.from(this.#options.secrets.mac(toJson([kind, parameters, body ?? null]))).toString('base64url')
  }

  #reserve(session: string): void {
    if ((this.#unfinished.get(session) ?? 0) >= this.#options.limits.unfinished) {
      throw new ManagementError('TOO_MANY_OPERATIONS', 'This session has too many operations that have not ended.')
    }
    this.#count(session, 1)
  }

  #count(session: string, by: number): void {
    const count = (this.#unfinished.get(session) ?? 0) + by
    if (count === 0) this.#unfinished.delete(session)
    else this.#unfinished.set(session, count)
  }

  async #refused(error: unknown, kind: OperationKind, { asked, starter }: { asked: AnyAsked; starter: Starter }): Promise<void> {
    const { user, session, origin } = starter
    const detail = error instanceof Error && 'code' in error ? `${String(error.code)}: ${error.message}` : undefined
    const entry = { user, session, address: origin.address, action: kind, target: targetOf(kind, asked), outcome: 'refused' as const }
    // Where it cannot be kept, the refusal stands all the same.
    await this.#host.audit.append({ ...entry, ...(detail !== undefined && { detail }) }).catch(() => undefined)
  }
}

const idempotencyKeyOf = ({ user, origin }: Starter): string | undefined =>
  origin.idempotencyKey === undefined
    ? undefined
    : keys.idempotencyKey(
        createHash('sha256')
          .update(JSON.stringify([user, origin.idempotencyKey]))
          .digest('hex'),
      )

const stateOf = ({ shown, firstSequence, lastSequence }: OperationRecord): OperationState => ({
  id: shown.id,
  firstSequence,
  lastSequence,
  dataOf: id => eventData(id, { shown, at: timeOf(shown) }),
})

/** The record of an operation, as it is in the store. */
export async function readOperation(store: Store, id: string): Promise<OperationRecord | undefined> {
  const { entries } = await store.range({ key: keys.operation(id) })
  return entries.length === 0 ? undefined : fromJson<OperationRecord>(entries[0].value)
}
