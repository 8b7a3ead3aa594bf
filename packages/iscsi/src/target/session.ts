import type { Counter, WorkerNode } from '@holdfast/engine'
import type { Agreed } from '../pdu/index.ts'
import type { Nexus, TargetDevice } from '../scsi/index.ts'
import type { CommandWindow } from './command-window.ts'
import type { DataOutParameters } from './data-out.ts'
import type { TargetDescription } from './options.ts'
import type { Orphans } from './orphans.ts'
import type { IscsiConnectionView, IscsiSessionView } from './session-view.ts'
import type { IscsiTask } from './task.ts'

/** What a session has agreed on (RFC 7143 13). */
export interface SessionParameters extends DataOutParameters {
  readonly maxConnections: number
  readonly errorRecoveryLevel: number
  /** Seconds. */
  readonly defaultTime2Wait: number
  readonly defaultTime2Retain: number
}

/** A connection of a session, as others of the session need it. */
export interface SessionConnection {
  readonly cid: number
  view(): IscsiConnectionView
  /** Asks the initiator to log out within so many seconds (RFC 7143 11.9.1). */
  requestLogout(withinSeconds: number): void
  /** Tells the initiator that the session ends, before it does (RFC 7143 11.9.1). */
  announceEnd(): void
  /** Ends it; its tasks are aborted with it. */
  close(reason: string): void
}

/** What a session is made of. */
type SessionDescription = Pick<
  Session,
  'tsih' | 'isid' | 'initiatorName' | 'initiatorAlias' | 'user' | 'since' | 'target' | 'key' | 'agreed' | 'parameters' | 'window'
>

/** An iSCSI session: the nexus of an initiator port and a target port, over one connection or several. */
export class Session {
  readonly tsih: number
  readonly isid: Buffer
  readonly initiatorName: string
  readonly initiatorAlias: string | undefined
  /** Undefined where nobody has logged in. */
  readonly user: string | undefined
  /** Milliseconds since 1970. */
  readonly since: number
  /** Undefined in a discovery session. */
  readonly target: { readonly description: TargetDescription; readonly device: TargetDevice; readonly nexus: Nexus } | undefined
  /** Under which the registry has it. */
  readonly key: string
  /** What its first login agreed on. */
  readonly agreed: Readonly<Agreed>
  readonly parameters: SessionParameters
  readonly window: CommandWindow
  /** What failed connections have left (error recovery level 2). */
  readonly orphans = new Set<Orphans>()
  /** Resolves when nothing more happens for it; undefined before its end. */
  ended: Promise<void> | undefined
  /** Resolves when it has left the registry. */
  readonly over: Promise<void>
  /** Called when it does. */
  readonly leave: () => void
  readonly tasks = new Map<number, IscsiTask>()
  readonly connections = new Map<number, SessionConnection>()
  /** SCSI commands that have come, and bytes of data that they have read and written. */
  readonly traffic = { commands: 0, readBytes: 0, writtenBytes: 0 }

  constructor(of: SessionDescription) {
    this.key = of.key
    this.agreed = of.agreed
    this.tsih = of.tsih
    this.isid = of.isid
    this.initiatorName = of.initiatorName
    this.initiatorAlias = of.initiatorAlias
    this.user = of.user
    this.since = of.since
    this.target = of.target
    this.parameters = of.parameters
    this.window = of.window
    const { promise, resolve } = Promise.withResolvers<void>()
    this.over = promise
    this.leave = resolve
  }

  view(): IscsiSessionView {
    const { tsih, isid, initiatorName, initiatorAlias, user, since, parameters, traffic } = this
    return {
      tsih,
      isid: isid.toString('hex'),
      initiatorName,
      initiatorAlias,
      user,
      target: this.target?.description.name,
      since,
      errorRecoveryLevel: parameters.errorRecoveryLevel,
      ...traffic,
      waitingCommands: this.tasks.size,
      connections: [...this.connections.values()].map(connection => connection.view()),
    }
  }

  /** A task is over: its answer makes room for the next command. */
  end(task: IscsiTask): void {
    if (this.tasks.get(task.tag) === task) this.tasks.delete(task.tag)
    this.window.end()
  }
}

/** The same for the same ports (RFC 7143 4.2.8: at most one session between an initiator port and a target port). */
export const sessionKey = (initiatorName: string, isid: Buffer, targetName: string): string =>
  `${initiatorName},i,0x${isid.toString('hex')},${targetName}`

const tsihsPerIncarnation = 1009

/** The sessions of one worker. */
export class Sessions {
  readonly #byKey = new Map<string, Session>()
  readonly #byTsih = new Map<number, Session>()
  readonly #gauge: Counter | undefined
  #lastTsih: number

  /**
   * TSIHs of different workers differ, so that one of a session that was elsewhere is not taken for another's; those of a worker and of its
   * successor do, as sessions go on there.
   */
  constructor({ index, workers, incarnation }: Pick<WorkerNode, 'index' | 'workers' | 'incarnation'>, gauge?: Counter) {
    this.#gauge = gauge
    this.#lastTsih = (Math.floor((0xffff * index) / workers) + incarnation * tsihsPerIncarnation) % 0xffff
  }

  find(key: string): Session | undefined {
    return this.#byKey.get(key)
  }

  get(tsih: number): Session | undefined {
    return this.#byTsih.get(tsih)
  }

  get all(): Iterable<Session> {
    return this.#byTsih.values()
  }

  add(session: Session): void {
    this.#byKey.set(session.key, session)
    this.#byTsih.set(session.tsih, session)
    this.#gauge?.set(this.#byTsih.size)
  }

  remove(session: Session): void {
    if (this.#byKey.get(session.key) === session) this.#byKey.delete(session.key)
    if (this.#byTsih.get(session.tsih) === session) this.#byTsih.delete(session.tsih)
    this.#gauge?.set(this.#byTsih.size)
  }

  /** All sessions with a target. */
  *of(targetName: string): Generator<Session> {
    for (const session of this.#byKey.values()) if (session.target?.description.name === targetName) yield session
  }

  count(targetName: string): number {
    return [...this.of(targetName)].length
  }

  nextTsih(): number {
    do this.#lastTsih = (this.#lastTsih % 0xffff) + 1
    while (this.#byTsih.has(this.#lastTsih))
    return this.#lastTsih
  }
}
