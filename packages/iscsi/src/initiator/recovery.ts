/** What becomes of a session when a connection is lost (RFC 7143 7.1.4, 7.1.5): by error recovery level, the connection is made anew, or all. */
import { setTimeout as sleep } from 'node:timers/promises'
import { LoginStatus, LogoutReason, TaskManagementFunction, TaskManagementResponseCode } from '../pdu/index.ts'
import type { Connection } from './connection.ts'
import { asError, IscsiError, isFinal } from './errors.ts'
import type { Interruption } from './interruption.ts'
import { sendCommand } from './sending.ts'
import type { SessionCore } from './session-core.ts'
import { sessionStates } from './states.ts'
import type { Task } from './task.ts'

/** The pause after the first try, which comes at once; each one after it is twice as long. */
const firstPauseMs = 50
const longestPauseMs = 1000
/** The pause behind a try, in ms: none behind the one before the first. */
export const pauseAfter = (attempt: number): number => (attempt === 0 ? 0 : Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(attempt - 1, 10)))

const bySerial = (a: Task, b: Task): number => (a.cmdSn - b.cmdSn) | 0

/** Of one session. */
export class Recovery {
  readonly #core: SessionCore
  readonly #stopping = new AbortController()
  /** Connections that are being made anew. */
  #reassigning = 0
  /** What the target asked for, in ms by the monotonic clock: no reconnection before. */
  #notBeforeMs = 0

  constructor(core: SessionCore) {
    this.#core = core
  }

  /** Nothing is made anew from now on. */
  stop(): void {
    this.#stopping.abort(new IscsiError('CLOSED', 'the session was closed'))
  }

  /** The target wants to be left alone for so long (Time2Wait). */
  waitAtLeast(seconds: number): void {
    this.#notBeforeMs = performance.now() + seconds * 1000
  }

  /** A connection has failed. */
  lost(connection: Connection, error: Error): void {
    const core = this.#core
    core.exchanges.drop(new IscsiError('CONNECTION_LOST', error.message, { cause: error }), connection)
    core.connections = core.connections.filter(other => other !== connection)
    connection.go('clean')
    // One that is being made is tried again by whoever makes it.
    if (!sessionStates[core.state].sends || connection.isReserved) return
    const canReassign = core.recoveryLevel === 2 && core.agreed.DefaultTime2Retain > 0 && core.settings.reconnectMs > 0
    if (canReassign) void this.#remakeConnection(connection, error)
    else this.failSession(error)
  }

  /** All of the session is to be made anew. */
  failSession(error: Error): void {
    const core = this.#core
    if (!sessionStates[core.state].sends) return
    core.go('fail')
    for (const connection of core.connections) connection.close()
    core.connections = []
    core.exchanges.drop(new IscsiError('CONNECTION_LOST', error.message, { cause: error }))
    this.repeatTasks(() => true)
    this.#tell('session', { kind: 'lost', attempt: 0, cause: error, pauseMs: 0 })
    if (core.settings.reconnectMs === 0) this.#giveUp(error)
    else void this.#remakeSession(error)
  }

  /** Tasks that the target does not have any more are sent as new ones, where that does no harm. */
  repeatTasks(isMeant: (task: Task) => boolean): void {
    const core = this.#core
    const repeated: Task[] = []
    for (const task of [...core.tasks.values()].filter(isMeant).sort(bySerial)) {
      core.release(task)
      if (task.state === 'aborting') task.fail(task.command.signal?.reason)
      else if (!task.command.isRepeatable)
        task.fail(new IscsiError('OUTCOME_UNKNOWN', 'the connection was lost before the command had its status, and it is not repeated'))
      else {
        task.go('lose-session')
        repeated.push(task)
      }
    }
    core.requeue(repeated)
  }

  /** The target asks us to log out (11.9.1): the session is made anew, which the target may send elsewhere. */
  leave(connection: Connection): void {
    const core = this.#core
    if (!connection.isReady) return
    connection.go('be-asked-to-leave')
    const reason = core.recoveryLevel === 2 ? LogoutReason.removeConnectionForRecovery : LogoutReason.closeConnection
    const isOnly = core.connections.length === 1 && core.recoveryLevel < 2
    core
      .logout(connection, isOnly ? LogoutReason.closeSession : reason)
      // Whether it answers or not: the connection ends.
      .catch(() => undefined)
      .finally(() => connection.fail(new IscsiError('CONNECTION_LOST', 'the target asked for a logout')))
  }

  async #remakeSession(cause: Error): Promise<void> {
    const core = this.#core
    const beganMs = performance.now()
    const last = await this.#tryUntil(core.settings.reconnectMs, beganMs, async (signal, attempt) => {
      await core.login(signal)
      this.#tell('session', { kind: 'restored', attempt, cause, pauseMs: Math.round(performance.now() - beganMs) })
    })
    if (last === undefined || core.state !== 'failed') return
    this.#giveUp(last.error)
    this.#tell('session', { kind: 'given-up', attempt: last.attempt, cause: last.error, pauseMs: Math.round(performance.now() - beganMs) })
  }

  #giveUp(cause: Error): void {
    this.#core.go('give-up')
    const error = isFinal(cause) ? cause : new IscsiError('CONNECTION_LOST', `the connection is lost: ${cause.message}`, { cause })
    this.#core.rejectAll(error)
  }

  /** Tries until it works; undefined then, else why the last try did not. */
  async #tryUntil(
    patienceMs: number,
    beganMs: number,
    attemptOnce: (signal: AbortSignal, attempt: number) => Promise<void>,
  ): Promise<{ readonly error: Error; readonly attempt: number } | undefined> {
    let last: Error = new IscsiError('CONNECTION_LOST', 'there was no time to reconnect')
    const stopping = this.#stopping.signal
    for (let attempt = 0; ;) {
      const remainingMs = patienceMs - (performance.now() - beganMs)
      if (isFinal(last) || (attempt > 0 && remainingMs <= 0)) return { error: last, attempt }
      const pauseMs = Math.max(pauseAfter(attempt), this.#notBeforeMs - performance.now())
      try {
        await sleep(Math.max(0, Math.min(pauseMs, remainingMs)), undefined, { signal: stopping })
        attempt++
        await attemptOnce(AbortSignal.any([stopping, AbortSignal.timeout(Math.max(1, Math.ceil(remainingMs)))]), attempt)
        return undefined
      } catch (error) {
        if (stopping.aborted) return { error: stopping.reason as Error, attempt }
        last = asError(error)
        for (const half of this.#core.state === 'failed' ? this.#core.connections.splice(0) : []) half.close()
      }
    }
  }

  /** Error recovery level 2: the same connection again, and its tasks on it (6.3.4, 7.2.2). */
  async #remakeConnection(lost: Connection, cause: Error): Promise<void> {
    const core = this.#core
    const beganMs = performance.now()
    if (core.state === 'logged-in') core.go('lose-connection')
    this.#reassigning++
    const tasks = [...core.tasks.values()].filter(({ connection }) => connection === lost).sort(bySerial)
    for (const task of tasks) if (task.state === 'sent') task.go('lose-connection')
    this.#tell('connection', { kind: 'lost', attempt: 0, cause, pauseMs: 0 })
    this.waitAtLeast(Math.max(core.agreed.DefaultTime2Wait, (this.#notBeforeMs - performance.now()) / 1000))
    const patienceMs = Math.min(core.settings.reconnectMs, (core.agreed.DefaultTime2Wait + core.agreed.DefaultTime2Retain) * 1000)
    let joined: Connection | undefined
    const last = await this.#tryUntil(patienceMs, beganMs, async (signal, attempt) => {
      try {
        const connection = await core.join(lost.cid, signal, true)
        // The answer tells what of what was sent the target has.
        await core.ping(connection)
        joined = connection
      } catch (error) {
        // The target has forgotten the session: there is nothing to join.
        if (error instanceof IscsiError && error.status === LoginStatus.sessionDoesNotExist) return
        throw error
      }
      joined.isReserved = false
      this.#reassign(tasks, joined)
      this.#tell('connection', { kind: 'restored', attempt, cause, pauseMs: Math.round(performance.now() - beganMs) })
    })
    this.#reassigning--
    if (joined === undefined) return this.failSession(last?.error ?? cause)
    if (core.state === 'reassigning' && this.#reassigning === 0) core.go('reassigned')
    core.pump()
  }

  #reassign(tasks: readonly Task[], connection: Connection): void {
    for (const task of tasks) {
      if (task.state === 'done') continue
      const isAcknowledged = this.#core.window.isAcknowledged(task.cmdSn)
      task.connection = connection
      connection.load++
      task.heardAtMs = performance.now()
      if (task.state === 'aborting') void this.#core.abortAtTarget(task, connection)
      else if (isAcknowledged) void this.#reassignTask(task, connection)
      else {
        // The target has never got it, and takes it under its number now.
        task.numbers.restart(0)
        task.go('resend')
        sendCommand(connection, task)
      }
    }
  }

  async #reassignTask(task: Task, connection: Connection): Promise<void> {
    const core = this.#core
    const expDataSn = task.command.dataIn === undefined ? 0 : task.numbers.expected
    // What comes from now on may come in the same breath as the answer.
    task.numbers.restart(expDataSn)
    task.adoptsNumbers = task.command.dataIn === undefined
    task.end = undefined
    task.go('reassign')
    try {
      const code = await core.manage({ function: TaskManagementFunction.taskReassign, task, expDataSn }, connection)
      if (code === TaskManagementResponseCode.complete || task.state === 'done') return
      if (code === TaskManagementResponseCode.taskDoesNotExist) this.repeatTasks(other => other === task)
      else this.failSession(new IscsiError('CONNECTION_LOST', `the target does not reassign tasks (response ${code})`))
    } catch (error) {
      // Lost again: whoever lost it has the task in hand.
      if (!(error instanceof IscsiError)) throw error
    }
  }

  #tell(scope: Interruption['scope'], event: Omit<Interruption, 'at' | 'scope'>): void {
    const tell = this.#core.settings.onInterruption
    // In a turn of its own: what it throws is its own business.
    if (tell !== undefined) queueMicrotask(() => tell({ ...event, scope, at: new Date() }))
  }
}
