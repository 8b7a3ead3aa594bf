/** The SMB2 server on a worker node. */
import { randomBytes } from 'node:crypto'
import type { Connection, ConnectionHandler, WorkerNode, WorkerProtocol } from '@holdfast/engine'
import type { LoginAttempt, LoginThrottle } from '../../security/throttle.ts'
import { restoreConnection } from './checkpoints.ts'
import { ClientDirectory } from './clients.ts'
import { settingsOf, silent, systemTimers } from './config.ts'
import type { Logger, Settings, ShareConfig, SmbServerConfig, SmbServerDependencies, Timers } from './config.ts'
import { SmbConnection } from './connection.ts'
import { gaugesOf, RequestCounters } from './counters.ts'
import type { Gauges } from './counters.ts'
import { commandTable } from './dispatch.ts'
import type { CommandEntry } from './dispatch.ts'
import type { OpenCloseReason } from './handler-api.ts'
import type { SmbRequest } from './request.ts'
import { Session } from './session.ts'
import { SlowRequests } from './slow.ts'
import { Share, ShareTable } from './tree.ts'

const sessionsObjectId = 'smb-sessions'
/** 100 ns units between 1601 and 1970 (MS-DTYP 2.3.3). */
const epochDifference = 116_444_736_000_000_000n

interface Previous {
  readonly number: number
  readonly sid: string
}

/** What all connections of a worker share. */
export class SmbServer implements WorkerProtocol {
  readonly node: WorkerNode
  readonly settings: Settings
  readonly serverGuid: string
  readonly dependencies: SmbServerDependencies
  readonly log: Logger
  readonly clock: () => number
  readonly random: (lengthBytes: number) => Buffer
  /** Each request's end is in the log: asked once, since it is asked with every request. */
  readonly tellsRequests: boolean
  readonly timers: Timers
  readonly throttle: LoginThrottle | undefined
  readonly counters: RequestCounters
  readonly gauges: Gauges
  readonly clients: ClientDirectory
  readonly slow: SlowRequests
  readonly table: readonly CommandEntry[]
  readonly shares = new ShareTable()
  /** Sessions that live on this worker, by number. */
  readonly sessions = new Map<number, Session>()
  /** Closed sessions whose keys a response may still need. */
  readonly retired: Session[] = []
  /** Leases are granted. */
  readonly leasing: boolean
  readonly #connections = new Set<SmbConnection>()

  constructor(config: SmbServerConfig, node: WorkerNode, dependencies: SmbServerDependencies) {
    this.node = node
    this.settings = settingsOf(config)
    this.serverGuid = config.serverGuid
    this.dependencies = dependencies
    this.log = dependencies.log ?? silent
    this.tellsRequests = this.log.isLevelEnabled?.('debug') ?? false
    this.clock = dependencies.clock ?? Date.now
    this.random = dependencies.random ?? randomBytes
    this.timers = dependencies.timers ?? systemTimers
    this.throttle = dependencies.throttle
    this.leasing = config.leasing ?? true
    this.counters = new RequestCounters(node)
    this.gauges = gaugesOf(node)
    this.clients = new ClientDirectory(node)
    this.slow = new SlowRequests({ delayMs: this.settings.interimDelayMs, timers: this.timers, clock: this.clock })
    this.table = commandTable(dependencies.fileCommands)
    this.addShare({ name: 'IPC$', type: 'pipe', comment: 'Remote IPC' })
    for (const share of config.shares) this.addShare(share)
    node.register(sessionsObjectId, { closePrevious: (previous: Previous) => this.#closePreviousHere(previous) })
  }

  addShare(config: ShareConfig): Share {
    const share = new Share(config, config.type === 'pipe' ? undefined : this.dependencies.fileSystem(config), this.counters.trafficOf(config.name))
    share.extension = this.dependencies.shareExtension?.(share, config)
    this.shares.add(share)
    return share
  }

  /**
   * A share is no more: nothing new is opened on it, and what is connected to it ends, which the promise waits for. Whoever uses such a tree connect
   * hears NETWORK_NAME_DELETED.
   */
  async removeShare(name: string): Promise<void> {
    const share = this.shares.get(name)
    if (share === undefined) return
    this.shares.remove(name)
    await Promise.all([...this.sessions.values()].flatMap(session => endTreesOf(session, share.extension)))
  }

  accept(link: Connection, checkpoints: ReadonlyMap<string, unknown>): ConnectionHandler {
    const connection = new SmbConnection(this, link)
    this.#connections.add(connection)
    if (checkpoints.size > 0) restoreConnection(connection, checkpoints)
    return connection
  }

  async close(): Promise<void> {
    await Promise.all([...this.sessions.values()].map(session => this.closeSession(session, { reason: 'shutdown' })))
  }

  /** Now, as 100 ns since 1601. */
  fileTime(): bigint {
    return BigInt(Math.floor(this.clock())) * 10_000n + epochDifference
  }

  // Sessions

  createSession(connection: SmbConnection): Session {
    const session = new Session({ number: this.#newNumber(), server: this, connection })
    this.adopt(session)
    return session
  }

  adopt(session: Session): void {
    this.sessions.set(session.number, session)
    this.gauges.sessions.add(1)
  }

  /**
   * 32 bits, as some clients keep no more: the worker's index in the highest 8, 24 random ones. Who guesses one gains nothing without its keys.
   */
  #newNumber(): number {
    for (;;) {
      const number = (((this.node.index & 0xff) << 24) | this.random(3).readUIntLE(0, 3)) >>> 0
      if (number !== 0 && number !== 0xffffffff && !this.sessions.has(number)) return number
    }
  }

  /** The worker a session was made on; undefined for a number that no worker gives. */
  workerOfSession(number: number): number | undefined {
    const worker = number >>> 24
    return worker < this.node.workers ? worker : undefined
  }

  /**
   * Ends a session on all its channels: waiting requests (but `except`) are cancelled and its opens closed, which the promise waits for.
   */
  async closeSession(session: Session, options: { reason: OpenCloseReason; except?: SmbRequest }): Promise<void> {
    if (this.sessions.get(session.number) !== session) return
    this.sessions.delete(session.number)
    session.on('close')
    this.gauges.sessions.add(-1)
    this.gauges.trees.add(-session.trees.size)
    for (const connection of session.channels.keys()) {
      connection.forgetSession(session)
      connection.running.cancelWhere(request => request.session === session && request !== options.except)
    }
    session.opens.end()
    await session.closeOpens(options.reason)
    session.trees.clear()
    this.dependencies.onSessionClosed?.(session)
    this.retired.push(session)
    this.disposeRetired()
  }

  /** The same because an administrator says so: connections that have no other session are closed. */
  async endSession(session: Session, reason: OpenCloseReason): Promise<void> {
    const connections = [...session.channels.keys()]
    await this.closeSession(session, { reason })
    for (const connection of connections) {
      if (connection.sessions.size + connection.bindings.size === 0) connection.close('its session was ended by an administrator')
    }
  }

  /** Clients may ask for persistent handles: there is a share that is continuously available. */
  get offersPersistentHandles(): boolean {
    if (this.settings.persistentHandles) return true
    for (const { continuouslyAvailable } of this.shares.values()) if (continuouslyAvailable) return true
    return false
  }

  /** Frees the keys of closed sessions that no unsent response can need. */
  disposeRetired(): void {
    for (let i = this.retired.length - 1; i >= 0; i--) {
      const session = this.retired[i]
      let isNeeded = false
      for (const connection of session.channels.keys()) if (connection.chains > 0 && !connection.isGone) isNeeded = true
      if (isNeeded) continue
      this.retired.splice(i, 1)
      session.dispose()
    }
  }

  /** (3.3.5.5.3) closes the session that a client says its new one takes the place of, if it was the same user's. On whatever worker it is. */
  async closePrevious(id: bigint, sid: string): Promise<void> {
    if (id <= 0n || id > 0xffffffffn) return
    const previous: Previous = { number: Number(id), sid }
    if (await this.#closePreviousHere(previous)) return
    const ask = (worker: number): Promise<unknown> => this.node.call(worker, sessionsObjectId, 'closePrevious', previous).catch(() => false)
    const home = this.workerOfSession(previous.number)
    if (home !== undefined && home !== this.node.index && (await ask(home)) === true) return
    // It may have been taken over by another worker when its own died.
    const others = Array.from({ length: this.node.workers }, (_, worker) => worker).filter(worker => worker !== this.node.index && worker !== home)
    await Promise.all(others.map(ask))
  }

  async #closePreviousHere({ number, sid }: Previous): Promise<boolean> {
    const session = this.sessions.get(number)
    if (session === undefined) return false
    if (session.user.sid === sid) await this.closeSession(session, { reason: 'connection-lost' })
    return true
  }

  /** Holds an answer to a logon back for as long as the guessing of passwords has earned. */
  async hold(attempt: LoginAttempt): Promise<void> {
    const delayMs = this.throttle?.delayMs(attempt) ?? 0
    if (delayMs > 0) await new Promise<void>(resolve => void this.timers.set(resolve, delayMs))
  }

  /** Connections of a client on this worker, the oldest first. */
  *connectionsOf(clientGuid: string): Iterable<SmbConnection> {
    for (const connection of this.#connections) if (connection.clientGuid === clientGuid) yield connection
  }

  onConnectionClosed(connection: SmbConnection, reason: OpenCloseReason): void {
    if (!this.#connections.delete(connection)) return
    this.gauges.connections.add(-1)
    this.clients.leave(connection)
    // Nobody is left to hear how it ends.
    connection.running.cancelWhere(({ outlivesConnection, session }) => !outlivesConnection || session.channels.size <= 1, 'cancelled')
    for (const session of connection.bindings.values()) connection.unbind(session)
    for (const session of connection.sessions.values()) this.#dropChannel(session, { connection, reason })
  }

  /** A session without channels has ended (3.3.7.1). */
  #dropChannel(session: Session, { connection, reason }: { connection: SmbConnection; reason: OpenCloseReason }): void {
    const channel = session.channels.get(connection)
    connection.sessions.delete(session.number)
    if (session.channels.size > 1) {
      session.channels.delete(connection)
      channel?.signer?.close()
      return
    }
    this.node.beginAsync()
    this.closeSession(session, { reason })
      .catch((error: unknown) => this.log.error({ error, session: session.number }, 'a session could not be closed'))
      .finally(() => this.node.endAsync())
  }
}

/** A share that has been changed since has the same files. */
const endTreesOf = (session: Session, extension: unknown): Promise<void>[] =>
  [...session.trees.values()].filter(tree => tree.share.extension === extension).map(tree => session.endTree(tree, { reason: 'ended' }))

/**
 * The SMB server for a worker node. `config` is structured-cloneable and the same on all workers; `dependencies` are made per worker.
 *
 *     const smb = createSmbProtocol(config, node, { fileCommands, fileSystem: share => filesystems.get(share.name), mechanisms, identify })
 */
export const createSmbProtocol = (config: SmbServerConfig, node: WorkerNode, dependencies: SmbServerDependencies): SmbServer =>
  new SmbServer(config, node, dependencies)
