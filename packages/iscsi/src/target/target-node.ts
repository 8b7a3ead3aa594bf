import { setTimeout as sleep } from 'node:timers/promises'
import type { Connection, ConnectionHandler, WorkerNode } from '@holdfast/engine'
import type { FoundTarget } from '../pdu/index.ts'
import { TargetConnection } from './connection.ts'
import { connectionNumbers, ConnectionStage, loginCheckpoint } from './connection-state.ts'
import type { LoginRecord } from './connection-state.ts'
import { TargetCounters } from './counters.ts'
import { defaultIscsiLimits, isAmong } from './options.ts'
import type { IscsiLimits, IscsiTargetOptions, TargetDescription } from './options.ts'
import type { Session } from './session.ts'
import { Sessions } from './session.ts'
import { SolicitationBudget } from './solicitation-budget.ts'

/** How often connections are looked at, in milliseconds. */
const watchMs = 5000

/** Who asks for targets, and where. */
interface Asker {
  readonly user: string | undefined
  readonly session: Session
  readonly local: { readonly host: string; readonly port: number }
}

/** The target of one worker: what its connections share. */
export class TargetNode {
  readonly worker: WorkerNode
  readonly options: IscsiTargetOptions
  readonly limits: IscsiLimits
  readonly counters: TargetCounters
  readonly sessions: Sessions
  readonly budget: SolicitationBudget
  /** Those that have logged in. */
  readonly connections = new Set<TargetConnection>()
  readonly now = (): number => performance.now()
  readonly #watch: NodeJS.Timeout

  constructor(worker: WorkerNode, options: IscsiTargetOptions) {
    this.worker = worker
    this.options = options
    this.limits = { ...defaultIscsiLimits, ...options.limits }
    this.counters = new TargetCounters(worker, { tellsCommands: options.tellsCommands ?? false })
    this.sessions = new Sessions(worker, this.counters.sessions)
    this.budget = new SolicitationBudget(this.limits.solicitedBytes)
    options.targets.onRemove?.(name => this.#removed(name))
    this.#watch = setInterval(() => {
      const now = this.now()
      for (const connection of this.connections) connection.watch(now)
    }, watchMs).unref()
  }

  /** A new connection, or one whose worker died: where that had a session, it goes on. */
  accept(connection: Connection, checkpoints: ReadonlyMap<string, unknown>): ConnectionHandler {
    const handler = new TargetConnection(connection, this)
    const record = checkpoints.get(loginCheckpoint) as LoginRecord | undefined
    const numbers = connectionNumbers(connection.state)
    if (numbers.stage === ConnectionStage.fullFeature && record !== undefined) this.#resume(handler, connection, record)
    // Nobody knows any more what a login had come to; the first request of one is begun with anew.
    else if (numbers.stage !== ConnectionStage.begin) handler.close('the worker of the login died')
    return handler
  }

  /** Its session is where its target is. */
  #resume(handler: TargetConnection, connection: Connection, record: LoginRecord): void {
    const owner = record.targetName === undefined ? undefined : this.options.targets.find(record.targetName)?.owner
    if (owner === undefined || owner === this.worker.index) handler.resume(record)
    else connection.moveTo(owner)
  }

  close(): void {
    clearInterval(this.#watch)
  }

  /** Ends a session: its tasks are aborted, its connections closed, its units told. */
  async endSession(session: Session, reason: string): Promise<void> {
    for (const connection of session.connections.values()) connection.close(reason)
    await this.endTasks(session, reason)
  }

  /** The same without its connections: for a session that logs out. */
  endTasks(session: Session, reason: string): Promise<void> {
    return (session.ended ??= this.#endTasks(session, reason))
  }

  async #endTasks(session: Session, reason: string): Promise<void> {
    const { target } = session
    this.worker.log('info', 'iscsi: session ends', { initiator: session.initiatorName, target: target?.description.name, reason })
    this.sessions.remove(session)
    session.leave()
    await Promise.all([...session.tasks.values()].map(task => task.connection.abort(task)))
    await target?.device.nexusLoss(target.nexus)
  }

  /** Ends a session in agreement with its initiator, or without. False where there is none. */
  async disconnect(tsih: number, patienceSeconds = 5): Promise<boolean> {
    const session = this.sessions.get(tsih)
    if (session === undefined) return false
    for (const connection of session.connections.values()) connection.requestLogout(patienceSeconds)
    this.worker.beginAsync()
    const patience = new AbortController()
    const timeout = sleep(patienceSeconds * 1000, false, { signal: patience.signal }).catch(() => false)
    const hasLeft = await Promise.race([session.over.then(() => true), timeout])
    patience.abort()
    this.worker.endAsync()
    if (hasLeft) return true
    for (const connection of session.connections.values()) connection.announceEnd()
    await this.endSession(session, 'disconnected')
    return true
  }

  async #removed(name: string): Promise<void> {
    const sessions = [...this.sessions.of(name)]
    for (const { connections } of sessions) for (const connection of connections.values()) connection.announceEnd()
    await Promise.all(sessions.map(session => this.endSession(session, 'the target is removed')))
  }

  /** Without a target: for a discovery session. */
  needsAuthentication(target: TargetDescription | undefined): boolean {
    return target === undefined ? this.options.discoveryNeedsAuthentication === true : target.needsAuthentication
  }

  /** What SendTargets tells (RFC 7143 Appendix C): the targets that the initiator, and the user who has logged in, may use. */
  targetsFor(which: string, who: Asker): readonly FoundTarget[] {
    const own = who.session.target?.description.name
    const addresses = this.options.portals(who.local)
    return this.options.targets
      .list()
      .filter(({ name }) => (own === undefined ? which === 'All' || which === name : (which === '' || which === own) && name === own))
      .filter(target => own !== undefined || this.#isOpenTo(target, who.user, who.session.initiatorName))
      .map(({ name }) => ({ name, addresses }))
  }

  #isOpenTo(target: TargetDescription, user: string | undefined, initiatorName: string): boolean {
    if (target.initiators !== undefined && !target.initiators.includes(initiatorName)) return false
    return user === undefined || isAmong(target.users, user)
  }
}
