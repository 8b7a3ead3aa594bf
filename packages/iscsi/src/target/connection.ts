import type { Connection, ConnectionHandler, Message, WorkerNode } from '@holdfast/engine'
import { formatTargetAddress, headerOffset, noDigests } from '../pdu/index.ts'
import type { TextPair, Wanted } from '../pdu/index.ts'
import type { TargetDevice } from '../scsi/index.ts'
import { CommandWindow } from './command-window.ts'
import { connectionNumbers, ConnectionStage, loginCheckpoint, loginRecordOf } from './connection-state.ts'
import type { LoginRecord } from './connection-state.ts'
import { framingVariant } from './framing.ts'
import { FullFeature, putSessionDrop } from './full-feature.ts'
import { Authentication } from './login/authentication.ts'
import { LoginPhase } from './login/login-phase.ts'
import type { Admission, LoginHost, LoginIdentity, LoginOutcome } from './login/login-phase.ts'
import { LoginRefusal } from './login/refusal.ts'
import { keyOf, openSession, portalGroupTag, resumeSession } from './open-session.ts'
import { isAmong } from './options.ts'
import type { IscsiLimits, TargetDescription } from './options.ts'
import { Orphans } from './orphans.ts'
import { PduWriter } from './pdu-writer.ts'
import { Retention } from './retention.ts'
import { ScsiTasks } from './scsi-tasks.ts'
import type { Session, SessionConnection } from './session.ts'
import type { IscsiConnectionView } from './session-view.ts'
import type { TargetNode } from './target-node.ts'
import { TaskManager } from './task-management.ts'
import type { Code } from './task-management.ts'
import { TextExchange } from './text-exchange.ts'

/** One connection of an initiator, from its login to its end. */
export class TargetConnection implements ConnectionHandler, LoginHost, SessionConnection {
  readonly writer: PduWriter
  readonly limits: IscsiLimits
  cid = 0
  readonly #connection: Connection
  readonly #worker: WorkerNode
  readonly #node: TargetNode
  #login: LoginPhase | undefined
  #phase: FullFeature | undefined
  #session: Session | undefined
  #tasks: ScsiTasks | undefined
  #isClosed = false
  /** Its end is meant: nothing waits for it to come back. */
  #isLeaving = false
  #isFlushing = false
  #inBatch = false
  #heardAt: number
  #pingedAt: number | undefined
  #pings = 0
  /** As agreed on; in force when the login is over. */
  #digests = noDigests
  #since = Date.now()
  /** What has come while its session is being brought back; undefined where it is not. */
  #early: Message[] | undefined

  constructor(connection: Connection, node: TargetNode) {
    this.#connection = connection
    this.#node = node
    this.#worker = node.worker
    this.limits = node.limits
    this.writer = new PduWriter(connection, () => this.#flushSoon())
    this.#login = new LoginPhase(this)
    this.#heardAt = node.now()
  }

  onMessage(message: Message): void {
    if (this.#isClosed || this.#isLeaving) return message.release()
    this.#heardAt = this.#node.now()
    this.#pingedAt = undefined
    if (this.#early !== undefined) return void this.#early.push(message)
    if (this.#phase === undefined) return this.#receiveLogin(message)
    this.#inBatch = true
    this.#phase.receive(message)
  }

  onBatchEnd(): void {
    this.#inBatch = false
    this.writer.flush()
  }

  onClose(): void {
    this.#isClosed = true
    this.#node.connections.delete(this)
    this.writer.flush()
    this.writer.out.close()
    for (const message of this.#early?.splice(0) ?? []) message.release()
    const session = this.#session
    if (session === undefined) return
    session.window.forget(this.#phase!)
    if (session.connections.get(this.cid) === this) session.connections.delete(this.cid)
    const hasOthers = session.connections.size > 0
    const survives = session.parameters.errorRecoveryLevel === 2
    if (this.#isLeaving && hasOthers) void this.#abortTasks(session)
    // Below level 2 a session does not outlive any of its connections (RFC 7143 7.1.1).
    else if (this.#isLeaving || !survives || session.target === undefined) void this.#node.endSession(session, 'connection closed')
    else this.#orphan(session, session.target.device)
  }

  async #abortTasks(session: Session): Promise<void> {
    const own = [...session.tasks.values()].filter(task => task.connection === this.#tasks)
    await Promise.all(own.map(task => task.connection.abort(task)))
  }

  /** At level 2 its tasks wait for another connection, for as long as was agreed on. */
  #orphan(session: Session, device: TargetDevice): void {
    const orphans = new Orphans({ session, device, retention: this.writer.retention, tasks: this.#tasks!.leave() })
    session.orphans.add(orphans)
    const { defaultTime2Wait, defaultTime2Retain } = session.parameters
    setTimeout(
      () => {
        session.orphans.delete(orphans)
        if (session.connections.size === 0) void this.#node.endSession(session, 'no connection has come back')
        else void orphans.abandon()
      },
      (defaultTime2Wait + defaultTime2Retain) * 1000,
    ).unref()
  }

  /** Takes over a task, or what has been sent for it, from a connection that has failed (TASK REASSIGN). */
  #reassign(session: Session, tag: number, firstData: number): { readonly code: Code; readonly resume?: () => void } {
    const task = session.tasks.get(tag)
    const holder = task?.connection
    if (task !== undefined && !(holder instanceof Orphans)) return { code: 'taskStillAllegiant' }
    if (task !== undefined && holder instanceof Orphans) return { code: 'complete', resume: () => this.#tasks!.adopt(task, holder) }
    const sent = [...session.orphans].map(orphans => orphans.response(tag, firstData)).find(found => found !== undefined)
    if (sent === undefined) return { code: 'taskDoesNotExist' }
    return { code: 'complete', resume: () => sent.forEach(pdu => this.writer.putElsewhere(pdu)) }
  }

  /** Ends the connection once what was written has gone out. */
  close(reason: string): void {
    if (this.#isClosed) return
    this.#isLeaving = true
    this.writer.flush()
    this.#worker.log('debug', 'iscsi: connection ends', {
      connection: this.#connection.id,
      reason,
      initiator: this.#session?.initiatorName,
      remote: this.#connection.remoteAddress,
    })
    this.#connection.close(reason)
  }

  view(): IscsiConnectionView {
    const { remoteAddress, remotePort, localAddress, localPort } = this.#connection
    const { header: headerDigest, data: dataDigest } = this.#digests
    const lastHeard = Date.now() - Math.round(this.#node.now() - this.#heardAt)
    return { cid: this.cid, remoteAddress, remotePort, localAddress, localPort, headerDigest, dataDigest, since: this.#since, lastHeard }
  }

  requestLogout(withinSeconds: number): void {
    this.#phase?.requestLogout(withinSeconds)
  }

  announceEnd(): void {
    this.#phase?.announceSessionDrop()
  }

  /** Looks whether the initiator is still there: called now and then. */
  watch(now: number): void {
    this.#tasks?.watch(now)
    if (this.#phase === undefined || now - this.#heardAt < this.limits.idleMs) return
    if (this.#pingedAt === undefined) {
      this.#pingedAt = now
      this.#phase.ping(++this.#pings)
    } else if (now - this.#pingedAt >= this.limits.idleMs) this.close('the initiator does not answer')
  }

  // Login

  #receiveLogin(message: Message): void {
    this.#worker.beginAsync()
    void this.#login!.receive(message).finally(() => {
      this.#worker.endAsync()
      message.release()
    })
  }

  moveIfElsewhere({ targetName }: LoginIdentity, message: Message): boolean {
    const owner = targetName === undefined ? undefined : this.#node.options.targets.find(targetName)?.owner
    if (owner === undefined || owner === this.#worker.index) return false
    this.#connection.moveTo(owner, message)
    return true
  }

  async admit(identity: LoginIdentity): Promise<Admission> {
    const { options } = this.#node
    const target = identity.targetName === undefined ? undefined : this.#targetFor(identity, identity.targetName)
    const joined = this.#joinedSession(identity)
    const alias: TextPair[] = target?.alias === undefined ? [] : [['TargetAlias', target.alias]]
    const users = target?.users
    return {
      authentication: new Authentication({
        credentials: options.credentials,
        requirement: () => (this.#node.needsAuthentication(target) ? 'required' : 'optional'),
        mayLogIn: user => isAmong(users, user),
        throttle: options.throttle,
        remoteAddress: this.#connection.remoteAddress,
      }),
      wanted: wantedFrom(this.limits),
      declarations: target === undefined ? [] : [...alias, ['TargetPortalGroupTag', String(portalGroupTag)]],
      ...(joined && { agreed: joined.agreed }),
    }
  }

  #targetFor(identity: LoginIdentity, name: string): TargetDescription {
    const target = this.#node.options.targets.find(name)
    if (target === undefined) throw new LoginRefusal('notFound', `there is no target ${name}`)
    if (target.initiators !== undefined && !target.initiators.includes(identity.initiatorName)) {
      throw new LoginRefusal('authorizationFailure', `${identity.initiatorName} is not among the initiators of ${name}`)
    }
    const { localAddress, localPort } = this.#connection
    const other = this.#node.options.redirect?.({ ...identity, targetName: name, localAddress, localPort })
    if (other !== undefined) throw new LoginRefusal('targetMovedTemporarily', 'redirected', [['TargetAddress', formatTargetAddress(other)]])
    return target
  }

  /** The session that a connection with a TSIH belongs to (11.12.6). */
  #joinedSession(identity: LoginIdentity): Session | undefined {
    if (identity.tsih === 0) return undefined
    const session = identity.targetName === undefined ? undefined : this.#node.sessions.find(keyOf(identity))
    if (session?.tsih !== identity.tsih) throw new LoginRefusal('sessionDoesNotExist', `no session with TSIH ${identity.tsih}`)
    const others = session.connections.size - Number(session.connections.has(identity.cid))
    if (others >= session.parameters.maxConnections) throw new LoginRefusal('tooManyConnections', 'the session has all its connections')
    return session
  }

  async establish(outcome: LoginOutcome): Promise<number> {
    const joined = this.#joinedSession(outcome.identity)
    const session = joined ?? (await this.#begin(outcome))
    if (this.#isClosed) {
      if (joined === undefined) await this.#node.endSession(session, 'the connection went during the login')
      throw new LoginRefusal('sessionDoesNotExist', 'the connection went during the login')
    }
    const record = loginRecordOf(outcome, session)
    // Before the last response, which says that it holds.
    this.#connection.checkpoint(loginCheckpoint, record)
    this.#enter(session, record)
    this.writer.numbers = session.window
    this.writer.stage = ConnectionStage.fullFeature
    // Before the last response as well: the first command may be there before this worker does anything else.
    this.#connection.reframe(framingVariant(this.#digests))
    return session.tsih
  }

  async #begin(outcome: LoginOutcome): Promise<Session> {
    const { identity, user } = outcome
    const { options, sessions } = this.#node
    const { targetName, initiatorName } = identity
    const description = targetName === undefined ? undefined : options.targets.find(targetName)
    if (targetName !== undefined && description === undefined) throw new LoginRefusal('targetRemoved', `${targetName} has gone`)
    // Session reinstatement (RFC 7143 6.3.5).
    const old = sessions.find(keyOf(identity))
    if (old !== undefined) await this.#node.endSession(old, 'reinstated')
    if (targetName !== undefined && sessions.count(targetName) >= this.limits.sessionsPerTarget) {
      throw new LoginRefusal('outOfResources', `${targetName} has ${this.limits.sessionsPerTarget} sessions, the most it takes`)
    }
    const record = loginRecordOf(outcome, { tsih: sessions.nextTsih(), since: Date.now() })
    const window = new CommandWindow(identity.cmdSn, this.limits.commandsPerSession)
    const session = await openSession(this.#node, record, window, description).catch((error: unknown) => {
      this.#worker.log('error', 'iscsi: a target cannot be opened', { connection: this.#connection.id, target: targetName, error: String(error) })
      throw new LoginRefusal('serviceUnavailable', `${targetName} cannot be opened`)
    })
    sessions.add(session)
    session.target?.device.addNexus(session.target.nexus)
    this.#worker.log('info', 'iscsi: session begins', {
      connection: this.#connection.id,
      initiator: initiatorName,
      target: targetName,
      user,
      remote: this.#connection.remoteAddress,
    })
    return session
  }

  /** The connection is one of the session's. */
  #enter(session: Session, { cid, agreed, sendBytesMax, since }: LoginRecord): void {
    this.cid = cid
    this.#since = since
    // Connection reinstatement (RFC 7143 7.2): the old one is implicitly logged out.
    session.connections.get(cid)?.close('reinstated')
    session.connections.set(cid, this)
    this.#session = session
    this.#digests = { header: agreed.HeaderDigest === 'CRC32C', data: agreed.DataDigest === 'CRC32C' }
    if (session.parameters.errorRecoveryLevel > 0) this.writer.retention = new Retention(this.limits.retainedBytes)
    this.#startPhase(session, sendBytesMax)
  }

  /** Goes on with a session whose worker died, on the same TCP connection; what comes meanwhile waits. */
  resume(record: LoginRecord): void {
    this.#login = undefined
    this.#early = []
    this.#worker.beginAsync()
    void this.#resume(record).finally(() => {
      this.#worker.endAsync()
      const early = this.#early ?? []
      this.#early = undefined
      for (const message of early) this.onMessage(message)
      this.onBatchEnd()
    })
  }

  async #resume(record: LoginRecord): Promise<void> {
    const numbers = connectionNumbers(this.#connection.state)
    const { agreed, targetName } = record
    const told = { expected: numbers.expCmdSn, maximum: numbers.maxCmdSn }
    const digests = { header: agreed.HeaderDigest === 'CRC32C', data: agreed.DataDigest === 'CRC32C' }
    this.writer.resume({ statSn: numbers.statSn, numbers: told, digests })
    // What has been sent and may be asked for again is lost, and with it what levels 1 and 2 promise.
    const canGoOn = agreed.ErrorRecoveryLevel === 0
    const session = canGoOn ? await resumeSession(this.#node, record, numbers).catch(() => undefined) : undefined
    if (this.#isClosed) {
      if (session?.connections.size === 0) await this.#node.endSession(session, 'connection closed')
      return
    }
    if (session === undefined) {
      putSessionDrop(this.writer, agreed)
      return this.close('the worker of the session died')
    }
    this.writer.numbers = session.window
    this.#enter(session, record)
    this.#node.counters.resumed.add()
    this.#worker.log('info', 'iscsi: a session goes on', { connection: this.#connection.id, initiator: record.initiatorName, target: targetName })
    this.#begun()
  }

  #startPhase(session: Session, sendBytesMax: number): void {
    const { writer } = this
    const { target, user } = session
    const local = { host: this.#connection.localAddress, port: this.#connection.localPort }
    const async = { beginAsync: () => this.#worker.beginAsync(), endAsync: () => this.#worker.endAsync(), flushSoon: () => this.#flushSoon() }
    const isInBatch = (): boolean => this.#inBatch
    if (target !== undefined) {
      const { alias, name } = target.description
      this.#tasks = new ScsiTasks({
        ...async,
        isInBatch,
        writer,
        session,
        device: target.device,
        nexus: target.nexus,
        dataIn: { segmentBytes: sendBytesMax, maxBurstBytes: session.parameters.maxBurstBytes },
        budget: this.#node.budget,
        writeBytesMax: this.limits.writeBytes,
        orphaned: this.#node.counters.orphaned,
        heardAt: () => this.#heardAt,
        measure: this.#node.counters.measure({ volume: alias ?? name, connection: this.#connection.id, user }),
        now: this.#node.now,
        protocolError: (message, reason) => {
          const request = `iscsi/${this.#connection.id}/${message.bytes.readUInt32BE(headerOffset.initiatorTaskTag)}`
          this.#worker.log('debug', 'iscsi: protocol error', { request, connection: this.#connection.id, reason })
          this.#phase!.reject(message, 'taskInProgress')
        },
      })
    }
    this.#phase = new FullFeature({
      writer,
      session,
      tasks: this.#tasks,
      taskManager:
        target &&
        new TaskManager({
          ...async,
          writer,
          session,
          device: target.device,
          nexus: target.nexus,
          sessions: () => this.#node.sessions.of(target.description.name),
          reassign: (tag, firstData) => this.#reassign(session, tag, firstData),
        }),
      text: new TextExchange({
        writer,
        segmentBytes: sendBytesMax,
        targets: which => this.#node.targetsFor(which, { user, session, local }),
        close: reason => this.close(reason),
      }),
      dataSegmentBytes: this.limits.dataSegmentBytes,
      endTasks: () => this.#node.endTasks(session, 'logout'),
      close: reason => this.close(reason),
    })
  }

  /** The last response of the login has gone out without digests; from here on they are as agreed. */
  established(): void {
    this.#login = undefined
    this.writer.digests = this.#digests
    this.#begun()
  }

  #begun(): void {
    this.#connection.known()
    this.#node.connections.add(this)
  }

  refused(reason: string): void {
    this.#node.counters.loginFailures.add()
    this.#worker.log('info', 'iscsi: a login is refused', { connection: this.#connection.id, reason, remote: this.#connection.remoteAddress })
    this.close(reason)
  }

  /** What is written outside of a batch goes out when the running code has ended. */
  #flushSoon(): void {
    if (this.#inBatch || this.#isFlushing) return
    this.#isFlushing = true
    queueMicrotask(() => {
      this.#isFlushing = false
      this.writer.flush()
    })
  }
}

/** What we would like, by key (RFC 7143 13). Digests are as the initiator wishes. */
const wantedFrom = (limits: IscsiLimits): Wanted => ({
  HeaderDigest: ['CRC32C', 'None'],
  DataDigest: ['CRC32C', 'None'],
  MaxConnections: limits.connectionsPerSession,
  InitialR2T: false,
  ImmediateData: true,
  FirstBurstLength: limits.firstBurstBytes,
  MaxBurstLength: limits.maxBurstBytes,
  MaxOutstandingR2T: 4,
  DataPDUInOrder: true,
  DataSequenceInOrder: true,
  ErrorRecoveryLevel: 2,
  DefaultTime2Wait: 2,
  DefaultTime2Retain: 20,
  TaskReporting: ['RFC3720'],
  iSCSIProtocolLevel: 1,
})
