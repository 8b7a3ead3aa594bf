/** Notices silence: of a target that owes an answer, and of a task that makes no progress. */
import { IscsiError } from './errors.ts'
import type { Connection } from './connection.ts'
import { sendCommand } from './sending.ts'
import type { SessionCore } from './session-core.ts'
import { sessionStates } from './states.ts'
import type { Task } from './task.ts'

const shortestTickMs = 10
const longestTickMs = 1000
/** A task that was asked after so often without anything coming of it takes its connection down. */
const asksMax = 5

/** Of one session. */
export class Watchdog {
  readonly #core: SessionCore
  #timer: NodeJS.Timeout | undefined

  constructor(core: SessionCore) {
    this.#core = core
  }

  start(): void {
    this.stop()
    const { timeoutMs, recoveryMs } = this.#core.settings
    const tickMs = Math.min(timeoutMs / 4, this.#core.recoveryLevel > 0 ? recoveryMs / 2 : Infinity, longestTickMs)
    // Behind what has come meanwhile: a process that was busy itself must not take the others for silent.
    this.#timer = setInterval(() => setImmediate(() => this.#tick()), Math.max(shortestTickMs, tickMs))
    this.#timer.unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #tick(): void {
    const core = this.#core
    if (!sessionStates[core.state].sends) return
    const nowMs = performance.now()
    for (const connection of core.connections) if (connection.isReady) this.#listenTo(connection, nowMs)
    if (core.recoveryLevel === 0) return
    for (const task of core.tasks.values()) {
      const isStale = nowMs - task.heardAtMs >= core.settings.recoveryMs
      if (isStale && task.state === 'sent' && task.connection?.isReady === true) this.#askAfter(task, task.connection, nowMs)
    }
  }

  /** Half of the time in silence, then a question, then the other half (RFC 7143 11.18). */
  #listenTo(connection: Connection, nowMs: number): void {
    const { timeoutMs } = this.#core.settings
    const { pingedAtMs, receivedAtMs } = connection
    const silentMs = nowMs - receivedAtMs
    if (pingedAtMs === undefined) {
      if (silentMs > timeoutMs / 2) this.#ping(connection)
    } else if (nowMs - pingedAtMs > timeoutMs / 2) {
      // It lives, but the answer was lost on the way: the next silence has a question of its own.
      if (receivedAtMs > pingedAtMs) connection.pingedAtMs = undefined
      else if (silentMs > timeoutMs) connection.fail(new IscsiError('CONNECTION_LOST', `the target has not answered for ${Math.round(silentMs)} ms`))
    }
  }

  #ping(connection: Connection): void {
    // Rejects with the connection, which says so itself.
    this.#core.ping(connection).catch(() => undefined)
  }

  /** What has not come may be lost: error recovery within a command (7.1.4.1, 7.2.1). */
  #askAfter(task: Task, connection: Connection, nowMs: number): void {
    // First whether anybody is there. The answer tells ExpCmdSN and StatSN: a status that was lost at the end of all shows by it.
    if (connection.answeredAtMs <= task.heardAtMs) return this.#pingAgain(connection, nowMs)
    task.heardAtMs = nowMs
    const { window } = this.#core
    const missing = task.numbers.missing()
    // Those behind the first that the target has not got may be there, and wait for it.
    const isMissed = task.cmdSn === window.expCmdSn
    if (isMissed || missing.length > 0) task.asked++
    if (task.asked > asksMax)
      return connection.fail(new IscsiError('CONNECTION_LOST', 'what is missing does not come, however often it is asked for'))
    // Sent once more under the same number (7.2.1). A target that has it already does not mind.
    if (isMissed) sendCommand(connection, task)
    else if (missing.length > 0) connection.snackNumbers(task, missing)
    else if (window.isAcknowledged(task.cmdSn) && task.solicitedBytes < (task.command.dataOut?.length ?? 0))
      connection.snackNumbers(task, [{ begin: task.numbers.next, length: 0 }])
    // Data that was asked for and lost on its way is the target's to notice, and to ask for again (11.8).
    connection.snackStatuses(connection.statuses.missing())
  }

  /** One question at a time, unless it was lost itself while others got through. */
  #pingAgain(connection: Connection, nowMs: number): void {
    const { pingedAtMs, receivedAtMs } = connection
    const wasLost = pingedAtMs !== undefined && receivedAtMs > pingedAtMs && nowMs - pingedAtMs > this.#core.settings.recoveryMs
    if (pingedAtMs === undefined || wasLost) this.#ping(connection)
  }
}
