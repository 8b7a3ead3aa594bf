/** The sessions that a worker owns: from the login until they are ended, run out, or their user may not be there any more. */

import type { Store, Timers } from '@holdfast/cluster'
import type { Audit } from '../audit/audit.ts'
import type { CoreLimits, EventSink, LoggedIn, OwnSession, StreamEnd, Subscription } from '../core/core.ts'
import type { Journal } from '../core/journal.ts'
import { fromJson, keys, lastOf, toJson } from '../core/keys.ts'
import { pagesOf } from '../core/pages.ts'
import { ManagementError } from '../core/problems.ts'
import type { Writes } from '../core/writes.ts'
import { headOf, SessionLog } from '../events/log.ts'
import type { LogHead } from '../events/log.ts'
import { LogSubscription } from '../events/subscription.ts'
import type { OperationState } from '../events/subscription.ts'
import type { Account, Accounts } from '../operations/actions.ts'
import { formatToken, isSecretOf, parseToken, secretDigest } from './token.ts'

/** What is kept of a session. */
interface SessionRecord {
  readonly id: string
  readonly user: string
  /** Whoever could open the control socket: no account of the node. */
  readonly local: boolean
  readonly cookie: boolean
  readonly secret: string
  readonly csrf: string
  readonly epoch: string
  readonly createdMs: number
  /** Now and then: a session that was used is written down seldom. */
  readonly usedMs: number
}

/** Who logs in, after the password was verified. */
export interface Admission {
  readonly id: string
  readonly user: string
  readonly role: Account['role']
  readonly local: boolean
  readonly cookie: boolean
  readonly address: string
}

/** A session that has not ended. */
export interface LiveSession {
  readonly id: string
  readonly user: string
  readonly csrf: string
  readonly cookie: boolean
  readonly expiresMs: number
  readonly log: SessionLog
  view(role: Account['role']): OwnSession
}

interface Held extends LiveSession {
  readonly record: SessionRecord
  stream: LogSubscription | undefined
  usedMs: number
  keptMs: number
}

/** What sessions need. */
export interface SessionsOptions {
  readonly store: Store
  readonly timers: Timers
  readonly journal: Journal
  readonly audit: Audit
  readonly accounts: Accounts
  readonly wallClock: () => number
  readonly random: (bytes: number) => Buffer
  /** `sessions`: so many here. */
  readonly limits: Pick<CoreLimits, 'sessionMs' | 'idleMs' | 'sessions' | 'sessionsPerUser' | 'events'>
  readonly isOwned: (session: string) => boolean
  readonly statesOf: (session: string) => AsyncIterable<readonly OperationState[]>
}

const localUser = { name: 'local', role: 'admin' } as const
/** How often those are looked for that have run out, and streams of users that are gone. */
const sweepMs = 2000
/** That a session was used is kept so often, as a part of the time after which it runs out. */
const keptPart = 1 / 12

/** See the top of the file. */
export class Sessions {
  readonly #options: SessionsOptions
  readonly #held = new Map<string, Held>()
  /** How many sessions each user has here. */
  readonly #users = new Map<string, number>()
  #cancelSweep: (() => void) | undefined

  constructor(options: SessionsOptions) {
    this.#options = options
    this.#sweepLater()
  }

  get(id: string): LiveSession | undefined {
    return this.#held.get(id)
  }

  /** What a worker before has left. */
  async load(): Promise<void> {
    const { store, isOwned } = this.#options
    const heads = new Map<string, LogHead>()
    for await (const entries of pagesOf(store, keys.heads)) for (const entry of entries) heads.set(lastOf(entry.key), headOf(entry))
    for await (const entries of pagesOf(store, keys.sessions)) {
      for (const { value } of entries) {
        const record = fromJson<SessionRecord>(value)
        if (isOwned(record.id)) this.#hold(record, heads.get(record.id))
      }
    }
  }

  /** Begins a session. Rejects with `TOO_MANY_SESSIONS`, and as the journal does. */
  async admit({ id, user, role, local, cookie, address }: Admission): Promise<LoggedIn> {
    const { random, wallClock, journal, audit } = this.#options
    this.#checkRoom(user)
    const secret = random(32).toString('base64url')
    const nowMs = wallClock()
    const record: SessionRecord = {
      id,
      user,
      local,
      cookie,
      secret: secretDigest(secret),
      csrf: random(24).toString('base64url'),
      epoch: random(4).toString('hex'),
      createdMs: nowMs,
      usedMs: nowMs,
    }
    const write = (writes: Writes): void => {
      writes.put(keys.session(id), toJson(record))
      audit.write(writes, { user, session: id, address, action: 'login', target: '/v1/login', outcome: 'done' })
    }
    await journal.write({ impatient: true, write })
    const held = this.#hold(record, undefined)
    return { token: formatToken({ session: id, secret }), session: held.view(role) }
  }

  /** The session of a token, and the account as it is now. A use of it. */
  async find(token: string): Promise<{ readonly session: LiveSession; readonly account: Account } | undefined> {
    const parsed = parseToken(token)
    const held = parsed && this.#held.get(parsed.session)
    if (parsed === undefined || held === undefined || !isSecretOf(held.record.secret, parsed.secret)) return undefined
    if (this.#isOver(held)) return this.#end(held, 'expired')
    const account = await this.#accountOf(held)
    if (account === undefined) return this.#end(held, 'revoked')
    if (!this.#held.has(held.id)) return undefined
    this.#use(held)
    return { session: held, account }
  }

  /** See `ApiSession.subscribe`. */
  subscribe(id: string, after: string | undefined, sink: EventSink): Subscription {
    const held = this.#held.get(id)
    if (held === undefined) throw new ManagementError('NOT_LOGGED_IN', 'The session has ended.')
    held.stream?.end('replaced')
    const { store, timers, statesOf } = this.#options
    const stream: LogSubscription = new LogSubscription({ store, timers, log: held.log, operations: () => statesOf(id), after, sink })
    held.stream = stream
    return {
      resume: () => stream.resume(),
      close: () => {
        stream.close()
        if (held.stream !== stream) return
        held.stream = undefined
        this.#use(held)
      },
    }
  }

  /** See `ApiSession.logout`. */
  async logout(id: string, address: string): Promise<void> {
    const held = this.#held.get(id)
    if (held === undefined) return
    await this.#forget(held, 'logout', address)
  }

  /** Accounts have changed: whoever may not be there any more is out. */
  async review(): Promise<void> {
    const accounts = new Map<string, Promise<Account | undefined>>()
    for (const held of this.#held.values()) {
      if (held.stream === undefined) continue
      const key = `${held.record.local} ${held.user}`
      accounts.set(key, accounts.get(key) ?? this.#accountOf(held))
    }
    for (const held of this.#held.values()) {
      const account = accounts.get(`${held.record.local} ${held.user}`)
      if (account !== undefined && (await account) === undefined) this.#end(held, 'revoked')
    }
  }

  /** All streams end; the sessions stay in the store. */
  close(): void {
    this.#cancelSweep?.()
    this.#cancelSweep = undefined
    for (const { stream } of this.#held.values()) stream?.end('closed')
    this.#held.clear()
  }

  #hold(record: SessionRecord, head: LogHead | undefined): Held {
    const { id, user, csrf, cookie, epoch, createdMs, usedMs } = record
    const expiresMs = createdMs + this.#options.limits.sessionMs
    const held: Held = {
      id,
      user,
      csrf,
      cookie,
      expiresMs,
      record,
      log: new SessionLog({ session: id, epoch, limit: this.#options.limits.events, head }),
      stream: undefined,
      usedMs,
      keptMs: usedMs,
      view: role => ({ session: id, user, role, expires: new Date(expiresMs).toISOString(), ...(cookie && { csrf }) }),
    }
    this.#held.set(id, held)
    this.#countUser(user, 1)
    return held
  }

  #checkRoom(user: string): void {
    const { sessions, sessionsPerUser } = this.#options.limits
    if (this.#held.size >= sessions) throw new ManagementError('TOO_MANY_SESSIONS', 'The node has too many sessions of its API; try again later.')
    if ((this.#users.get(user) ?? 0) < sessionsPerUser) return
    throw new ManagementError('TOO_MANY_SESSIONS', 'This user has too many sessions; log out of one.')
  }

  #countUser(user: string, by: number): void {
    const count = (this.#users.get(user) ?? 0) + by
    if (count === 0) this.#users.delete(user)
    else this.#users.set(user, count)
  }

  /** Undefined for who may not use the API. */
  async #accountOf({ record }: Held): Promise<Account | undefined> {
    if (record.local) return localUser
    const account = await this.#options.accounts.find(record.user)
    return account?.role === 'user' ? undefined : account
  }

  #isOver({ expiresMs, usedMs, stream }: Held): boolean {
    const nowMs = this.#options.wallClock()
    return nowMs >= expiresMs || (stream === undefined && nowMs >= usedMs + this.#options.limits.idleMs)
  }

  #use(held: Held): void {
    const nowMs = this.#options.wallClock()
    held.usedMs = nowMs
    if (nowMs - held.keptMs < this.#options.limits.idleMs * keptPart) return
    held.keptMs = nowMs
    const write = (writes: Writes): void => {
      if (!held.log.ended) writes.put(keys.session(held.id), toJson({ ...held.record, usedMs: nowMs } satisfies SessionRecord))
    }
    // Where it cannot be kept, the session runs out a little earlier after a crash.
    this.#options.journal.write({ write }).catch(() => undefined)
  }

  #end(held: Held, reason: StreamEnd): undefined {
    // A journal that has ended leaves it to the next one.
    this.#forget(held, reason).catch(() => undefined)
  }

  async #forget(held: Held, reason: StreamEnd, address?: string): Promise<void> {
    if (!this.#held.delete(held.id)) return
    const { id, user, log } = held
    this.#countUser(user, -1)
    log.ended = true
    held.stream?.end(reason)
    await this.#options.journal.write({
      write: writes => {
        writes.delete(keys.session(id))
        writes.deleteAll(keys.operationsOf(id))
        log.delete(writes)
        if (address !== undefined)
          this.#options.audit.write(writes, { user, session: id, address, action: 'logout', target: '/v1/logout', outcome: 'done' })
      },
    })
  }

  #sweepLater(): void {
    this.#cancelSweep = this.#options.timers.schedule(sweepMs, () => void this.#sweep())
  }

  async #sweep(): Promise<void> {
    for (const held of this.#held.values()) {
      if (this.#isOver(held)) this.#end(held, 'expired')
      else if (held.stream !== undefined) this.#use(held)
    }
    // Accounts that cannot be read now are looked at the next time.
    await this.review().catch(() => undefined)
    if (this.#cancelSweep !== undefined) this.#sweepLater()
  }
}

/** Whoever could open the control socket. */
export const localAccount: Account = localUser
