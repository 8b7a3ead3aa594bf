import type { Agreed } from '../pdu/index.ts'
import type { Nexus, TargetDevice } from '../scsi/index.ts'
import type { CommandWindow } from './command-window.ts'
import type { DataOutParameters } from './data-out.ts'
import type { TargetDescription } from './options.ts'
import type { Orphans } from './orphans.ts'
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
  /** Tells the initiator that the session ends, before it does (RFC 7143 11.9.1). */
  announceEnd(): void
  /** Ends it; its tasks are aborted with it. */
  close(reason: string): void
}

/** An iSCSI session: the nexus of an initiator port and a target port, over one connection or several. */
export class Session {
  readonly tsih: number
  readonly isid: Buffer
  readonly initiatorName: string
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
  readonly tasks = new Map<number, IscsiTask>()
  readonly connections = new Map<number, SessionConnection>()

  constructor(of: Pick<Session, 'tsih' | 'isid' | 'initiatorName' | 'target' | 'key' | 'agreed' | 'parameters' | 'window'>) {
    this.key = of.key
    this.agreed = of.agreed
    this.tsih = of.tsih
    this.isid = of.isid
    this.initiatorName = of.initiatorName
    this.target = of.target
    this.parameters = of.parameters
    this.window = of.window
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

/** The sessions of one worker. */
export class Sessions {
  readonly #byKey = new Map<string, Session>()
  readonly #byTsih = new Map<number, Session>()
  #lastTsih: number

  /** TSIHs of different workers differ, so that one of a session that was elsewhere is not taken for another's. */
  constructor(worker: number, workers: number) {
    this.#lastTsih = Math.floor((0xffff * worker) / workers)
  }

  find(key: string): Session | undefined {
    return this.#byKey.get(key)
  }

  add(session: Session): void {
    this.#byKey.set(session.key, session)
    this.#byTsih.set(session.tsih, session)
  }

  remove(session: Session): void {
    if (this.#byKey.get(session.key) === session) this.#byKey.delete(session.key)
    this.#byTsih.delete(session.tsih)
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
