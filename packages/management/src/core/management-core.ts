import type { Store, Timers } from '@holdfast/cluster'
import type { Audit } from '../audit/audit.ts'
import type { Account, ManagedNode } from '../operations/actions.ts'
import type { Canceller } from '../operations/live.ts'
import { readOperation } from '../operations/operations.ts'
import type { Operations } from '../operations/operations.ts'
import type { OperationRecord } from '../operations/record.ts'
import { localAccount } from '../sessions/sessions.ts'
import type { Admission, LiveSession, Sessions } from '../sessions/sessions.ts'
import { ownerOfSession, parseToken } from '../sessions/token.ts'
import type {
  ApiSession,
  CoreLimits,
  LoggedIn,
  LoginRequest,
  ManagementCore,
  ManagementCoreOptions,
  Operation,
  OperationReader,
  Origin,
} from './core.ts'
import { idPattern } from './ids.ts'
import type { Journal } from './journal.ts'
import { keys } from './keys.ts'
import { listPage } from './pages.ts'
import { ManagementError } from './problems.ts'
import { prune } from './prune.ts'

/** What a core is made of. */
export interface CoreParts {
  readonly store: Store
  readonly node: ManagementCoreOptions['node']
  readonly managed: ManagedNode
  readonly journal: Journal
  readonly audit: Audit
  readonly sessions: Sessions
  readonly operations: Operations
  readonly closing: AbortController
  readonly timers: Timers
  readonly wallClock: () => number
  readonly random: (bytes: number) => Buffer
  readonly limits: CoreLimits
}

/** The worker object by which cores call each other. */
const objectId = 'management.core'
const sessionIdBytes = 12
const firstPruneMs = 60_000
const pruneMs = 3_600_000
const closeMs = 3000

const isWithoutRoom = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'TOO_MANY_SESSIONS'
const unknownOperation = (id: string): ManagementError => new ManagementError('UNKNOWN_OPERATION', `There is no operation ${id}.`)

/** See `ManagementCore`. */
export class Core implements ManagementCore {
  readonly #parts: CoreParts
  #cancelPrune: (() => void) | undefined
  #closed: Promise<void> | undefined

  constructor(parts: CoreParts) {
    this.#parts = parts
  }

  get audit(): Audit {
    return this.#parts.audit
  }

  readonly operations: OperationReader = {
    get: async id => (await this.#read(id))?.shown,
    list: ({ cursor, limit, state }) =>
      listPage<OperationRecord, Operation>(this.#parts.store, {
        prefix: keys.operations,
        keyOf: keys.operation,
        cursor,
        limit,
        shown: ({ shown }) => (state === undefined || shown.state === state ? shown : undefined),
      }),
  }

  /** All has been loaded: others may call. */
  start(): void {
    const { node } = this.#parts
    node.register(objectId, {
      admit: (admission: Admission) => this.#parts.sessions.admit(admission),
      cancel: ({ id, by }: { id: string; by: Canceller }) => this.#parts.operations.cancel(id, by),
      review: () => this.#parts.sessions.review(),
    })
    if (node.index === 0) this.#pruneLater(firstPruneMs)
  }

  async login(request: LoginRequest): Promise<LoggedIn> {
    const { address } = request
    const local = 'local' in request
    const account = local ? localAccount : await this.#verify(request)
    const cookie = !local && request.cookie === true
    const admit = (): Promise<LoggedIn> => this.#admit({ user: account.name, role: account.role, local, cookie, address })
    // A worker may have no room while others have.
    return admit().catch((error: unknown) => (isWithoutRoom(error) ? admit() : Promise.reject(error as Error)))
  }

  ownerOf(token: string): number | undefined {
    const parsed = parseToken(token)
    return parsed && ownerOfSession(parsed.session, this.#parts.node.workers)
  }

  async session(token: string): Promise<ApiSession | undefined> {
    const { closing, sessions } = this.#parts
    // Not "there is none": who has one keeps it.
    closing.signal.throwIfAborted()
    const found = await sessions.find(token)
    return found && this.#sessionOf(found.session, found.account)
  }

  /** Users have changed: all workers look who may still be there. */
  accountsChanged(): void {
    const { node } = this.#parts
    for (let worker = 0; worker < node.workers; worker++) node.post(worker, objectId, 'review', undefined)
  }

  /** Another core has taken over, or the store is gone. */
  lose({ cause }: Error): void {
    this.#parts.node.log('error', 'the management API of this worker has stopped: its store does not take anything any more', {
      error: cause instanceof Error ? cause.stack : 'another one has taken over',
    })
    this.#parts.closing.abort(new ManagementError('UNAVAILABLE', 'This part of the node is being stopped.'))
    this.#parts.sessions.close()
    this.#cancelPrune?.()
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close())
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    const { node, operations, sessions, journal, closing } = this.#parts
    node.unregister(objectId)
    this.#cancelPrune?.()
    const stopped = operations.stop()
    closing.abort(new ManagementError('UNAVAILABLE', 'The node is being stopped.'))
    await this.#within(closeMs, stopped)
    sessions.close()
    await this.#within(closeMs, journal.close())
  }

  /** Waits, but not for what may never come. */
  async #within(ms: number, done: Promise<void>): Promise<void> {
    let cancel = (): void => {}
    await Promise.race([done, new Promise<void>(resolve => (cancel = this.#parts.timers.schedule(ms, resolve)))])
    cancel()
  }

  /** By chance, with one of the workers. */
  async #admit(who: Omit<Admission, 'id'>): Promise<LoggedIn> {
    const id = this.#parts.random(sessionIdBytes).toString('hex')
    const { node } = this.#parts
    return (await node.call(ownerOfSession(id, node.workers), objectId, 'admit', { ...who, id } satisfies Admission)) as LoggedIn // of the core there
  }

  async #verify(request: { readonly user: string; readonly password: string; readonly address: string }): Promise<Account> {
    const { user, password, address } = request
    try {
      const account = await this.#parts.managed.accounts.verify({ user, password, address })
      if (account === undefined) throw new ManagementError('WRONG_CREDENTIALS', 'There is no such user, or the password is wrong.')
      if (account.role === 'user') throw new ManagementError('FORBIDDEN', 'This user may use storage only, not the management API.')
      return account
    } catch (error) {
      const detail = error instanceof Error && 'code' in error ? String(error.code) : undefined
      const entry = { user, address, action: 'login', target: '/v1/login', outcome: 'refused' as const, ...(detail !== undefined && { detail }) }
      // Where it cannot be kept, the refusal stands all the same.
      await this.#parts.audit.append(entry).catch(() => undefined)
      throw error
    }
  }

  #sessionOf(session: LiveSession, { role }: Account): ApiSession {
    const { operations, sessions } = this.#parts
    const { id, user, csrf, cookie, expiresMs } = session
    return {
      id,
      user,
      role,
      csrf,
      cookie,
      expiresMs,
      view: session.view(role),
      start: (kind, asked, origin) => operations.start(kind, asked, { session: id, user, origin }),
      cancel: (operation, { address }) => this.#cancel(operation, { user, session: id, address }),
      logout: ({ address }: Origin) => sessions.logout(id, address),
      subscribe: ({ after }, sink) => sessions.subscribe(id, after, sink),
    }
  }

  async #read(id: string): Promise<OperationRecord | undefined> {
    return idPattern.test(id) ? await readOperation(this.#parts.store, id) : undefined
  }

  async #cancel(id: string, by: Canceller): Promise<Operation> {
    const { node } = this.#parts
    const record = await this.#read(id)
    if (record === undefined) throw unknownOperation(id)
    const owner = ownerOfSession(record.shown.session, node.workers)
    const cancelled = (await node.call(owner, objectId, 'cancel', { id, by })) as Operation | undefined // of the core there
    if (cancelled !== undefined) return cancelled
    const state = (await this.#read(id))?.shown.state
    throw new ManagementError('OPERATION_ENDED', `The operation has ended: it is ${state}.`)
  }

  #pruneLater(delayMs: number): void {
    this.#cancelPrune = this.#parts.timers.schedule(delayMs, () => void this.#prune())
  }

  async #prune(): Promise<void> {
    const { store, journal, limits, wallClock, node } = this.#parts
    await prune({ store, journal, limits, nowMs: wallClock() }).catch((error: unknown) => {
      node.log('warn', 'the records of the management API could not be pruned; it is tried again', { error: String(error) })
    })
    this.#pruneLater(pruneMs)
  }
}
