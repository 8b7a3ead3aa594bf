import type { Connection, ConnectionHandler, WorkerNode } from '@holdfast/engine'
import type { FoundTarget } from '../pdu/index.ts'
import { loggedInCheckpoint, TargetConnection } from './connection.ts'
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
    this.sessions = new Sessions(worker.index, worker.workers)
    this.budget = new SolicitationBudget(this.limits.solicitedBytes)
    options.targets.onRemove?.(name => this.#removed(name))
    this.#watch = setInterval(() => {
      const now = this.now()
      for (const connection of this.connections) connection.watch(now)
    }, watchMs).unref()
  }

  accept(connection: Connection, checkpoints: ReadonlyMap<string, unknown>): ConnectionHandler {
    const handler = new TargetConnection(connection, this)
    // The worker that had the session died with it: the initiator logs in again, and repeats what was not answered.
    if (checkpoints.get(loggedInCheckpoint) === true) handler.close('the worker of the session died')
    return handler
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
    await Promise.all([...session.tasks.values()].map(task => task.connection.abort(task)))
    await target?.device.nexusLoss(target.nexus)
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
