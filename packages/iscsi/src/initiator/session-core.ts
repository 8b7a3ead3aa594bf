/** A session: its numbers, connections and tasks (RFC 7143 4.2). What goes wrong is the business of `Recovery`. */
import {
  defaultAgreed,
  finalBit,
  immediateBit,
  LogoutReason,
  LogoutRequest,
  Opcode,
  randomIsid,
  reservedTag,
  TaskManagementRequest,
} from '../pdu/index.ts'
import type { Agreed, TaskManagementFunction } from '../pdu/index.ts'
import { CommandWindow } from './command-window.ts'
import { Connection } from './connection.ts'
import type { ConnectionHost } from './connection.ts'
import { dial } from './dial.ts'
import type { Dialled } from './dial.ts'
import { IscsiError } from './errors.ts'
import { Exchanges } from './exchanges.ts'
import { receivePdu } from './incoming.ts'
import type { SessionSettings } from './options.ts'
import type { ReceivedPdu } from './receiver.ts'
import { Recovery } from './recovery.ts'
import { sendCommand } from './sending.ts'
import { nextSessionState, sessionStates } from './states.ts'
import type { SessionEvent, SessionState } from './states.ts'
import { Task } from './task.ts'
import type { CommandOptions, CommandResult } from './task.ts'
import { Watchdog } from './watchdog.ts'

/** How long a goodbye is waited for, in ms. */
const logoutMs = 2000

/** What is asked of task management. */
export interface ManagementRequest {
  readonly function: TaskManagementFunction
  readonly lun?: bigint
  /** The task it is about. */
  readonly task?: Task
  /** TASK REASSIGN: the next Data-In that is wanted. */
  readonly expDataSn?: number
}

/** See the file. */
export class SessionCore implements ConnectionHost {
  readonly settings: SessionSettings
  readonly isid: Buffer = randomIsid()
  /** Sent, and without a result. */
  readonly tasks: Map<number, Task> = new Map()
  readonly exchanges: Exchanges = new Exchanges()
  readonly recovery: Recovery = new Recovery(this)
  readonly #watchdog: Watchdog = new Watchdog(this)
  window: CommandWindow = new CommandWindow(1)
  connections: Connection[] = []
  agreed: Readonly<Agreed> = defaultAgreed
  targetAlias: string | undefined
  /** Where the portal is: a permanent redirection changes it. */
  address: { readonly host: string; readonly port: number }
  /** Told of sense data that came unasked. */
  onSenseEvent: (lun: bigint, sense: Buffer) => void = () => undefined
  #tsih = 0
  #state: SessionState = 'free'
  #queue: Task[] = []
  #lastTag = 0
  #error: Error = new IscsiError('CLOSED', 'the session was closed')

  constructor(settings: SessionSettings) {
    this.settings = settings
    this.address = { host: settings.host, port: settings.port }
  }

  get state(): SessionState {
    return this.#state
  }

  /** What was agreed on for errors (RFC 7143 7). */
  get recoveryLevel(): number {
    return this.agreed.ErrorRecoveryLevel
  }

  get cmdSn(): number {
    return this.window.cmdSn
  }

  /** Commands that wait to be sent. */
  get queued(): number {
    return this.#queue.length
  }

  go(event: SessionEvent): void {
    this.#state = nextSessionState(this.#state, event)
  }

  /** A tag that nothing else has. */
  nextTag(): number {
    do this.#lastTag = (this.#lastTag + 1) >>> 0
    while (this.#lastTag === reservedTag || this.tasks.has(this.#lastTag) || this.exchanges.has(this.#lastTag))
    return this.#lastTag
  }

  // Logging in

  /** Logs in a new session, or one that takes the place of that before (6.3.5), with all its connections. */
  async login(signal: AbortSignal | undefined): Promise<void> {
    const cmdSn = 1
    await this.#dial({ cid: 0, tsih: 0, cmdSn, signal }, dialled => {
      this.window = new CommandWindow(cmdSn)
      this.window.update(dialled.response.expCmdSn, dialled.response.maxCmdSn)
      this.agreed = dialled.outcome.agreed
      this.targetAlias = dialled.outcome.targetAlias
      this.#tsih = dialled.outcome.tsih
      this.connections = [this.#made(0, dialled)]
    })
    const wanted = Math.min(this.settings.connections, this.agreed.MaxConnections)
    for (let cid = 1; cid < wanted; cid++) await this.join(cid, signal)
    if (this.connections.length < wanted) throw new IscsiError('CONNECTION_LOST', 'a connection was lost as soon as it was there')
    this.go('login')
    this.#watchdog.start()
    this.pump()
  }

  /**
   * Logs in a connection that joins the session; one with the same CID takes the place of that before (6.3.4). `isReserved`: it carries nothing until
   * it is told to. The response's ExpCmdSN is not looked at: some targets echo the request's CmdSN.
   */
  async join(cid: number, signal: AbortSignal | undefined, isReserved = false): Promise<Connection> {
    return this.#dial({ cid, tsih: this.#tsih, cmdSn: this.window.cmdSn, signal }, dialled => {
      const connection = this.#made(cid, dialled)
      connection.isReserved = isReserved
      this.connections.push(connection)
      return connection
    })
  }

  async #dial<T>(of: { cid: number; tsih: number; cmdSn: number; signal: AbortSignal | undefined }, made: (dialled: Dialled) => T): Promise<T> {
    const { settings, isid, address } = this
    const { cid, tsih, cmdSn, signal } = of
    const login = {
      settings,
      target: settings.target,
      wanted: tsih === 0 ? settings.wanted : { HeaderDigest: settings.wanted.HeaderDigest!, DataDigest: settings.wanted.DataDigest! },
      isid,
      tsih,
      cid,
      cmdSn,
      initiatorTaskTag: this.nextTag(),
      ...(tsih !== 0 && { session: this.agreed }),
    }
    return dial({ address, login, signal }, dialled => {
      if (dialled.movedTo !== undefined) this.address = dialled.movedTo
      return made(dialled)
    })
  }

  #made(cid: number, { transport, outcome, response }: Dialled): Connection {
    return new Connection({ transport, cid, agreed: outcome.agreed, sendBytesMax: outcome.sendBytesMax, statSn: response.statSn, host: this })
  }

  // Commands

  /** Carries a command out. Rejects with IscsiError, or the signal's reason. */
  async execute(command: CommandOptions): Promise<CommandResult> {
    const { signal } = command
    signal?.throwIfAborted()
    if (this.#state === 'closed' || this.#state === 'given-up') throw this.#error
    return new Promise((resolve, reject) => {
      const task = new Task(command, this.nextTag(), resolve, reject)
      if (signal !== undefined) {
        const onAbort = (): void => void this.#abort(task, signal)
        signal.addEventListener('abort', onAbort, { once: true })
        task.unlisten = () => signal.removeEventListener('abort', onAbort)
      }
      this.#queue.push(task)
      this.pump()
    })
  }

  /** Sends what waits, as far as the target lets us. */
  pump(): void {
    while (this.#queue.length > 0 && sessionStates[this.#state].sends && this.window.isOpen) {
      const connection = this.#leastLoaded()
      if (connection === undefined) return
      this.#send(this.#queue.shift()!, connection)
    }
  }

  #leastLoaded(): Connection | undefined {
    const { connections } = this
    if (connections.length === 1) return connections[0].isReady ? connections[0] : undefined
    let best: Connection | undefined
    for (const connection of connections) if (connection.isReady && (best === undefined || connection.load < best.load)) best = connection
    return best
  }

  #send(task: Task, connection: Connection): void {
    task.cmdSn = this.window.take()
    task.heardAtMs = performance.now()
    task.connection = connection
    connection.load++
    this.tasks.set(task.tag, task)
    task.go('send')
    sendCommand(connection, task)
  }

  /** A task has all that belongs to its end. */
  endTask(task: Task): void {
    this.release(task)
    if (task.state === 'aborting') task.fail(task.command.signal?.reason)
    else task.finish()
    if (this.#queue.length > 0) this.pump()
  }

  /** A task ends without a result. */
  failTask(task: Task, reason: unknown): void {
    this.release(task)
    task.fail(reason)
  }

  /** The session does not know a task any more. */
  release(task: Task): void {
    if (!this.tasks.delete(task.tag) || task.connection === undefined) return
    task.connection.load--
    if (task.heldStatSn !== undefined) task.connection.statuses.release(task.heldStatSn)
  }

  /** Tasks are to be sent, before all others, as new ones. */
  requeue(tasks: readonly Task[]): void {
    for (const task of tasks) task.restart(this.nextTag())
    this.#queue.unshift(...tasks)
    this.pump()
  }

  async #abort(task: Task, signal: AbortSignal): Promise<void> {
    if (task.state === 'queued') {
      this.#queue = this.#queue.filter(other => other !== task)
      return task.fail(signal.reason)
    }
    if (task.state === 'done' || task.state === 'aborting') return
    task.go('abort')
    const { connection } = task
    // One whose connection is being made anew is let go of then.
    if (connection?.isReady === true) await this.abortAtTarget(task, connection)
  }

  /** Has the target let go of a task that is `aborting`, and ends it. */
  async abortAtTarget(task: Task, connection: Connection): Promise<void> {
    try {
      await this.manage({ function: 1, task }, connection)
    } catch (error) {
      // With the connection the task is lost too, and ended by whoever makes it anew; a target that refuses will answer the task.
      if (error instanceof IscsiError) return
      throw error
    }
    if (task.state === 'aborting') this.failTask(task, task.command.signal?.reason)
  }

  /** Asks for a task management function; resolves with the response's code. Rejects with IscsiError. */
  async manage(request: ManagementRequest, connection: Connection | undefined = this.#leastLoaded()): Promise<number> {
    if (connection === undefined) throw new IscsiError('CONNECTION_LOST', 'there is no connection to send task management on')
    const tag = this.nextTag()
    const { task } = request
    connection.put(TaskManagementRequest, {
      opcode: Opcode.taskManagementRequest | immediateBit,
      flags: finalBit | request.function,
      lun: request.lun ?? task?.command.lun ?? 0n,
      initiatorTaskTag: tag,
      referencedTaskTag: task?.tag,
      cmdSn: this.window.cmdSn,
      expStatSn: connection.expStatSn,
      refCmdSn: task?.cmdSn,
      expDataSn: request.expDataSn,
    })
    const { header } = await this.exchanges.wait(tag, connection, 'task management')
    return header[2]
  }

  // Connections

  received(connection: Connection, pdu: ReceivedPdu): void {
    receivePdu(this, connection, pdu)
    if (this.#queue.length > 0) this.pump()
  }

  lost(connection: Connection, error: Error): void {
    this.recovery.lost(connection, error)
  }

  /** Asks a target whether it is there. Rejects with IscsiError when the connection is lost. */
  async ping(connection: Connection): Promise<void> {
    const tag = this.nextTag()
    connection.pingedAtMs = performance.now()
    connection.nop(tag)
    await this.exchanges.wait(tag, connection, 'NOP-Out')
    connection.pingedAtMs = undefined
    connection.answeredAtMs = performance.now()
  }

  /** Says goodbye for a connection or the session (11.14). Rejects with IscsiError. */
  async logout(connection: Connection, reason: LogoutReason): Promise<void> {
    const tag = this.nextTag()
    connection.go('log-out')
    connection.put(LogoutRequest, {
      flags: finalBit | reason,
      initiatorTaskTag: tag,
      cid: connection.cid,
      cmdSn: this.window.cmdSn,
      expStatSn: connection.expStatSn,
    })
    await this.exchanges.wait(tag, connection, 'logout')
  }

  /** Everything that waits or is under way is rejected. */
  rejectAll(error: Error): void {
    this.#error = error
    this.exchanges.drop(error)
    for (const task of this.tasks.values()) this.failTask(task, error)
    for (const task of this.#queue.splice(0)) task.fail(error)
  }

  /** Ends the session. What is under way is rejected with `CLOSED`. */
  async close(): Promise<void> {
    if (this.#state === 'closed') return
    const wasUp = sessionStates[this.#state].sends
    this.go('close')
    this.#watchdog.stop()
    this.recovery.stop()
    const error = new IscsiError('CLOSED', 'the session was closed')
    const last = this.connections.find(({ isReady }) => isReady)
    this.rejectAll(error)
    if (wasUp && last !== undefined) {
      const goodbye = this.logout(last, LogoutReason.closeSession)
      // A target that does not answer a goodbye is left all the same.
      const timer = setTimeout(() => this.exchanges.drop(error), logoutMs)
      await goodbye.catch(() => undefined)
      clearTimeout(timer)
    }
    for (const connection of this.connections) connection.close()
    this.connections = []
  }
}
