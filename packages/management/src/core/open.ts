/** Puts a core together: what is behind the HTTP of the management API, on one worker. */

import { randomBytes } from 'node:crypto'
import { systemTimers } from '@holdfast/cluster'
import type { Entry } from '@holdfast/cluster'
import { Audit } from '../audit/audit.ts'
import type { OperationHost } from '../operations/live.ts'
import { Operations } from '../operations/operations.ts'
import { ownerOfSession } from '../sessions/token.ts'
import { Sessions } from '../sessions/sessions.ts'
import type { ManagementCore, ManagementCoreOptions } from './core.ts'
import { Ids } from './ids.ts'
import { openJournal } from './journal.ts'
import { keys, lastOf } from './keys.ts'
import { defaultLimits } from './limits.ts'
import { Core } from './management-core.ts'
import { pagesOf } from './pages.ts'

/** Progress of all operations of a worker comes to so many events a second at most. */
const progressEventsPerSecond = 100

/**
 * Opens the part of the management API that is on one worker; every worker has one, of the same store. Takes up the sessions that this worker owns and their
 * operations, whoever had them before: those that ran go on, or are undone.
 *
 * Rejects as the store does.
 *
 * @example
 * import type { ManagementCoreOptions, StreamEvent } from '@holdfast/management'
 *
 * const deleteDisk = async (options: ManagementCoreOptions, write: (event: StreamEvent) => boolean) => {
 *   await using core = await openManagementCore(options)
 *   const { token } = await core.login({ user: 'alice', password: 'secret', address: '127.0.0.1' })
 *   const session = await core.session(token)
 *   session?.subscribe({}, { event: write, end: reason => console.log(reason) })
 *   await session?.start('volume.delete', { parameters: { name: 'disk1' }, query: undefined, body: undefined }, { address: '127.0.0.1' })
 * }
 */
export async function openManagementCore(options: ManagementCoreOptions): Promise<ManagementCore> {
  const { store, node, managed, secrets, wallClock = Date.now, timers = systemTimers, random = randomBytes } = options
  const limits = { ...defaultLimits, ...options.limits }
  const closing = new AbortController()
  const onLost = (error: Error): void => core.lose(error)
  const incarnation = random(12).toString('hex')
  const journal = await openJournal({ store, worker: node.index, incarnation, timers, onLost })
  const now = (): string => new Date(wallClock()).toISOString()
  const ids = new Ids({ wallClock, random })
  const audit = new Audit({ store, journal, ids, now })
  const isOwned = (session: string): boolean => ownerOfSession(session, node.workers) === node.index
  const shareOf = (limit: number): number => Math.ceil(limit / node.workers)

  const sessions: Sessions = new Sessions({
    store,
    timers,
    journal,
    audit,
    accounts: managed.accounts,
    wallClock,
    random,
    limits: { ...limits, sessions: shareOf(limits.sessions), sessionsPerUser: shareOf(limits.sessionsPerUser) },
    isOwned,
    statesOf: session => operations.statesOf(session),
  })
  const host: OperationHost = {
    journal,
    audit,
    timers,
    wallClock,
    now,
    progressMs: () => Math.max(limits.progressMs, (operations.running * 1000) / progressEventsPerSecond),
    logOf: session => sessions.get(session)?.log,
    log: (level, message, fields) => node.log(level, message, fields),
    closing: closing.signal,
  }
  const operations: Operations = new Operations(host, {
    store,
    secrets,
    ids,
    limits,
    actionOf: kind => managed.actions[kind],
    onEnd: ({ kind }) => {
      if (kind.startsWith('user.')) core.accountsChanged()
    },
  })
  const core: Core = new Core({ store, node, managed, journal, audit, sessions, operations, closing, timers, wallClock, random, limits })
  await sessions.load()
  const pending: Entry[] = []
  for await (const entries of pagesOf(store, keys.pending))
    pending.push(...entries.filter(({ key }) => isOwned(lastOf(key.slice(0, key.lastIndexOf('/'))))))
  await operations.load(pending)
  core.start()
  return core
}
