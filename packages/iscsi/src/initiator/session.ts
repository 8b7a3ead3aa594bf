/** A session with a target: commands, task management, logical units. */
import { MalformedError } from '@holdfast/wire'
import { TaskManagementFunction } from '../pdu/index.ts'
import type { Agreed } from '../pdu/index.ts'
import { encodeLun } from '../scsi/lun.ts'
import { IscsiError } from './errors.ts'
import { sessionSettings } from './options.ts'
import type { SessionOptions } from './options.ts'
import { SessionCore } from './session-core.ts'
import type { SessionState } from './states.ts'
import type { CommandOptions, CommandResult } from './task.ts'

/** LUN field of a logical unit's number. */
export const lunField = (lun: number): bigint => encodeLun(lun).readBigUInt64BE()

/** Task management that a session offers (RFC 7143 11.5.1). */
export type ManagementName = 'abortTaskSet' | 'clearTaskSet' | 'logicalUnitReset' | 'targetWarmReset' | 'targetColdReset'

/**
 * A session with one target; logged out by `await using`.
 *
 * It outlives its connections: one that is lost is made anew, and what was under way is carried on with or carried out once more.
 *
 * @example
 * await using session = await IscsiSession.connect({ ...portal, target: 'iqn.2026-11.io.holdfast:disk0', user: 'alice', password })
 * const dataIn = Buffer.alloc(36)
 * const { status } = await session.execute({ lun: lunField(0), cdb: Buffer.from('120000002400', 'hex'), dataIn, isRepeatable: true }) // INQUIRY
 * status // => 0
 * String(dataIn.subarray(8, 32)) // => 'HOLDFASTVOLUME          '
 * @example
 * // Several units of one target share its session.
 * await using session = await IscsiSession.connect({ ...portal, target: 'iqn.2026-11.io.holdfast:disk0', user: 'alice', password })
 * const disk = await IscsiDisk.attach(session, 0)
 * disk.sizeBytes // => 1073741824
 */
export class IscsiSession implements AsyncDisposable {
  readonly #core: SessionCore

  private constructor(core: SessionCore) {
    this.#core = core
  }

  /** Connects and logs in. Rejects with IscsiError, with UsageError for options that make no sense, with the signal's reason. */
  static async connect(options: SessionOptions): Promise<IscsiSession> {
    const core = new SessionCore(sessionSettings(options))
    try {
      await core.login(options.signal)
    } catch (error) {
      for (const connection of core.connections) connection.close()
      throw error instanceof MalformedError ? new IscsiError('MALFORMED', error.message, { cause: error }) : error
    }
    return new IscsiSession(core)
  }

  get state(): SessionState {
    return this.#core.state
  }

  /** What was agreed on at login (RFC 7143 13). */
  get agreed(): Readonly<Agreed> {
    return this.#core.agreed
  }

  /** What the target calls itself for people. */
  get targetAlias(): string | undefined {
    return this.#core.targetAlias
  }

  /** Connections that are up. */
  get connections(): number {
    return this.#core.connections.filter(({ isReady }) => isReady).length
  }

  /** Told of sense data that the target sends unasked (RFC 7143 11.9). */
  set onSenseEvent(listener: (lun: bigint, sense: Buffer) => void) {
    this.#core.onSenseEvent = listener
  }

  /** Carries a command out, whatever status it ends with. Rejects with IscsiError, or the signal's reason. */
  async execute(command: CommandOptions): Promise<CommandResult> {
    return this.#core.execute(command)
  }

  /** Asks for task management on a logical unit, or the target; resolves with the response (`TaskManagementResponseCode`). */
  async manage(name: ManagementName, lun = 0): Promise<number> {
    return this.#core.manage({ function: TaskManagementFunction[name], lun: lunField(lun) })
  }

  /** Asks the target whether it is there (NOP-Out), on every connection. Rejects with IscsiError. */
  async ping(): Promise<void> {
    await Promise.all(this.#core.connections.map(async connection => this.#core.ping(connection)))
  }

  /** Logs out. What is under way is rejected with `CLOSED`. */
  async close(): Promise<void> {
    await this.#core.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}
