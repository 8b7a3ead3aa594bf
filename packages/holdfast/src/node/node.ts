/** Starts a node: connection manager, workers, listeners. */

import { availableParallelism } from 'node:os'
import { openStorePort, type SqliteStore } from '@holdfast/cluster'
import { ConnectionManager } from '@holdfast/engine'
import { createPartitionMemory } from '@holdfast/smb/server'
import { type Address, formatAddress } from '../config/addresses.ts'
import { ConfigError } from '../config/errors.ts'
import { type PassedSocket, passedSocketAt } from '../config/passed-sockets.ts'
import type { Logger } from '../log.ts'
import { checkedKerberos } from './kerberos.ts'
import { hasVolumes, type NodeConfig } from './node-config.ts'
import { freeControlSocket, prepareNodeVolumes } from './node-volumes.ts'
import { prepareNodeShares } from './node-shares.ts'
import { nodeStoreOf, openNodeStore } from './open-store.ts'
import { PartitionMemories } from './partition-memories.ts'
import { framings, type ProtocolName, type ThreadObjects, workerProtocols } from './protocols.ts'

export interface NodeResources extends ThreadObjects {
  readonly log: Logger
  /** Listening sockets that are there already, for those of the configured addresses that they are at. */
  readonly passedSockets?: readonly PassedSocket[]
  /** Opens the store of persistent opens and of volumes; default: a SQLite file at `path`. Tests put something in between. */
  readonly openStore?: (path: string) => Promise<NodeStore>
}

/** What the workers of a node are connected to. */
export type NodeStore = Pick<SqliteStore, 'connect'> & AsyncDisposable

/** Protocols that listen at addresses. */
export type ListenerName = Exclude<ProtocolName, 'control'>

/** A node that serves. */
export interface RunningNode extends AsyncDisposable {
  /** With the ports that were really taken. */
  readonly listeners: Readonly<Record<ListenerName, readonly Address[]>>
  readonly workers: number
  /** Stops accepting, finishes what runs. Idempotent. */
  close(): Promise<void>
  /** Ends a worker as a crash would. For tests and chaos runs. */
  killWorker(index: number): void
}

/** A listener could not be opened. `code` is Node's (`EADDRINUSE`, `EACCES`, …); the message is a line for people. */
export class ListenError extends Error {
  readonly code: string
  readonly protocol: ListenerName
  constructor(protocol: ListenerName, address: Address, cause: NodeJS.ErrnoException) {
    const where = `${protocol} ${formatAddress(address)}`
    super(listenProblems[cause.code ?? '']?.(where) ?? `${where}: ${cause.message}`, { cause })
    this.name = 'ListenError'
    this.code = cause.code ?? 'LISTEN'
    this.protocol = protocol
  }
}

const listenProblems: Readonly<Record<string, (where: string) => string>> = {
  EADDRINUSE: where => `${where} is in use by another program`,
  EACCES: where => `${where} may not be used without root (ports below 1024)`,
  EADDRNOTAVAIL: where => `${where} is no address of this machine`,
  ENOTFOUND: where => `${where}: there is no such host`,
}

/**
 * Resolves when every listener is up. Rejects with `ListenError`, with ConfigError for a keytab that is of no use and for volumes that cannot
 * become what the configuration says, with `VolumeError`, or with the error of a worker that cannot start; nothing runs then.
 *
 *     await using node = await startNode(config, { log })
 *     node.listeners.smb[0].port
 */
export async function startNode(given: NodeConfig, resources: NodeResources): Promise<RunningNode> {
  const { log, fileSystems, devices, passedSockets = [], openStore = openNodeStore } = resources
  const inThread = given.inThread ?? belongsInThread(given, (fileSystems?.size ?? 0) + (devices?.size ?? 0))
  const kerberos = given.kerberos && checkedKerberos(given.kerberos, given.stateDir)
  if (kerberos) log.info(kerberos, 'login with Kerberos is on')
  // What has been started ends again, the last first, unless all of it comes up.
  await using started = new AsyncDisposableStack()
  const needsStore = hasVolumes(given) || given.shares.some(share => share.continuouslyAvailable)
  const store = needsStore ? started.use(await openStore(nodeStoreOf(given.stateDir))) : undefined
  const config = store !== undefined && hasVolumes(given) ? await prepared(given, store, log) : given
  if (config.smb.length + config.iscsi.length + config.http.length + (config.content?.length ?? 0) === 0) throw new ConfigError(nothingToServe)
  const manager = started.use(
    await ConnectionManager.start({
      services: store === undefined ? {} : servicesOf(store),
      ...(inThread ? { inThread: workerProtocols({ fileSystems, devices }) } : { workerModule: new URL('./worker.ts', import.meta.url) }),
      config: {
        ...config,
        logLevel: log.level,
        startedAt: new Date().toISOString(),
        ...(kerberos && { kerberos }),
        partitions: config.shares.map(() => createPartitionMemory()),
      } satisfies NodeConfig,
      limits: config.limits.engine,
      ...(config.workers !== undefined && { workers: config.workers }),
      onLog: (level, message, fields) => log[isLevel(level) ? level : 'info'](fields, message),
    }),
  )
  if (config.controlSocket !== undefined) {
    const { path } = started.use(freeControlSocket(config.controlSocket))
    await manager.listen({ protocol: 'control', framing: framings.control, distributed: false, path })
  }
  // One after the other: so they are in the order in which they were given, and the first that fails is told.
  const listeners = { smb: [] as Address[], iscsi: [] as Address[], http: [] as Address[], content: [] as Address[] }
  for (const protocol of ['smb', 'iscsi', 'http', 'content'] as const) {
    for (const address of config[protocol] ?? []) listeners[protocol].push(await listen(manager, protocol, address, passedSockets))
  }
  const running = started.move()
  const close = (): Promise<void> => running.disposeAsync()
  return { listeners, workers: manager.workers, close, killWorker: index => manager.killWorker(index), [Symbol.asyncDispose]: close }
}

/**
 * An object cannot leave its thread: the worker node comes to it. And where there is one processor, two threads take turns for every request,
 * and nothing runs at the same time; who wants a worker's death to cost no connection there asks for `workers`.
 */
const belongsInThread = ({ workers }: NodeConfig, objects: number): boolean => objects > 0 || (workers === undefined && availableParallelism() === 1)

/** What to say to somebody who has given nothing to serve. */
export const nothingToServe = 'there is nothing to serve; give --share NAME=DIR or --volume NAME=SIZE (see holdfast serve --help)'

function servicesOf(store: NodeStore) {
  const memories = new PartitionMemories()
  const connect = () => store.connect()
  return { store: connect, volumes: connect, management: connect, health: connect, partitions: () => memories.connect() }
}

async function prepared(config: NodeConfig, store: NodeStore, log: Logger): Promise<NodeConfig> {
  await using client = openStorePort(store.connect())
  return await prepareNodeVolumes(await prepareNodeShares(config, client), client, log)
}

async function listen(
  manager: ConnectionManager,
  protocol: ListenerName,
  address: Address,
  passedSockets: readonly PassedSocket[],
): Promise<Address> {
  // SMB and iSCSI are bi-directional and stateful, and content is sent by the worker; a request of the API is all there is (S11).
  const options = { protocol, framing: framings[protocol], distributed: protocol !== 'http', answersAfterEnd: protocol === 'content' }
  const { port } = address
  const passed = passedSocketAt(address, passedSockets)
  try {
    if (passed) return await manager.listen({ ...options, descriptor: passed.descriptor })
    if (address.host !== '') return await manager.listen({ ...options, host: address.host, port })
    try {
      return await manager.listen({ ...options, host: '::', port })
    } catch (error) {
      // A machine without IPv6 has every interface at 0.0.0.0.
      if ((error as NodeJS.ErrnoException).code !== 'EAFNOSUPPORT') throw error
      return await manager.listen({ ...options, host: '0.0.0.0', port })
    }
  } catch (error) {
    throw new ListenError(protocol, address, error as NodeJS.ErrnoException)
  }
}

const isLevel = (level: string): level is 'debug' | 'info' | 'warn' | 'error' => ['debug', 'info', 'warn', 'error'].includes(level)
