/** Where the server's rooms meet: the core, the file commands, the open tables and the pipes of IPC$. */
import type { WorkerNode, WorkerProtocol } from '@holdfast/engine'
import { createPipeServices, shareType } from '@holdfast/rpc'
import type { PipeServicesView, ShareView } from '@holdfast/rpc'
import type { FileSystem } from '@holdfast/storage'
import { wellKnownSids } from '../messages/sid.ts'
import { createSmbProtocol } from './core/index.ts'
import type { ShareConfig, SmbServerConfig, SmbServerDependencies } from './core/index.ts'
import { breakEvents, fileCommands, PipeServices, publishRemoval, removeByPath, ShareFiles } from './files/index.ts'
import { createOpenTableClient } from './opens/index.ts'
import type { OpenStore } from './opens/index.ts'

/** A disk share on this worker. */
export interface ServedShare extends ShareConfig {
  readonly fileSystem: FileSystem
  /** From `createPartitionMemory`, the same on all workers. */
  readonly partitionMemory?: SharedArrayBuffer
  /** Worker that arbitrates between the share's opens; the same answer on all workers. Default 0. */
  readonly owner?: number
  /** Keeps the persistent opens of a share that is continuously available; without it the share is none. Used on the worker that arbitrates. */
  readonly openStore?: OpenStore
}

/** What `createSmbServer` makes a server of, on each worker. */
export interface SmbServerOptions {
  /** Structured-cloneable settings; its shares are those of `shares`. */
  readonly config: Omit<SmbServerConfig, 'shares'>
  readonly shares: readonly ServedShare[]
  /** NetBIOS name, and the domain of local users. */
  readonly serverName: string
  readonly comment?: string
  /** SID that local accounts' SIDs begin with, `S-1-5-21-a-b-c`. */
  readonly machineSid: string
  readonly accounts: Pick<PipeServicesView, 'accountBySid' | 'accountByName'>
  readonly dependencies: Omit<SmbServerDependencies, 'fileCommands' | 'fileSystem' | 'shareExtension'>
}

/** MS-SRVS shows paths as a Windows server has them; where a share really lies is nobody's business. */
const shownPath = (name: string): string => `C:\\${name}`

/**
 * The SMB server for a worker node.
 *
 * @example
 * const fileSystem = memory()
 * await using manager = await ConnectionManager.start({
 *   inThread: {
 *     smb: {
 *       framing: smbFraming(),
 *       create: node =>
 *         createSmbServer(node, {
 *           serverName: 'FILES',
 *           machineSid: 'S-1-5-21-1-2-3',
 *           config: { serverGuid: '6d5ad7a2-5ccb-4e0d-9dc9-3a2a9d6c8c01' },
 *           shares: [{ name: 'scratch', fileSystem }],
 *           accounts: { accountBySid: () => undefined, accountByName: () => undefined },
 *           dependencies: {
 *             mechanisms: () => [ntlmMechanism({ netbiosName: 'FILES', lookup: () => ({ ntHash: ntHash('secret') }) })],
 *             identify: ({ user }) => ({ name: user, domain: 'FILES', sid: 'S-1-5-21-1-2-3-1000', groupSids: [], isAdministrator: false }),
 *           },
 *         }),
 *     },
 *   },
 * })
 * const { host, port } = await manager.listen({ protocol: 'smb', framing: smbFraming(), distributed: true, host: '127.0.0.1', port: 0 })
 * await using client = await SmbClient.connect({ host, port, user: 'alice', password: 'secret' })
 */
export function createSmbServer(node: WorkerNode, options: SmbServerOptions): WorkerProtocol {
  const served = new Map(options.shares.map(share => [share.name.toUpperCase(), share]))
  const pipes = pipesOf(options)
  const persistentHandles = options.shares.some(isContinuouslyAvailable)
  const config: SmbServerConfig = { persistentHandles, ...options.config, shares: options.shares.map(withoutObjects) }
  return createSmbProtocol(config, node, {
    ...options.dependencies,
    fileCommands,
    fileSystem: share => served.get(share.name.toUpperCase())?.fileSystem,
    shareExtension(share) {
      const found = served.get(share.name.toUpperCase())
      return found === undefined ? pipes : createShareFiles(node, found, options)
    },
  })
}

/** What a client is told to survive has to be kept somewhere. */
const isContinuouslyAvailable = (share: ServedShare): boolean => share.continuouslyAvailable === true && share.openStore !== undefined

function withoutObjects(share: ServedShare): ShareConfig {
  const { fileSystem: _fileSystem, partitionMemory: _memory, owner: _owner, openStore: _store, ...config } = share
  return { ...config, continuouslyAvailable: isContinuouslyAvailable(share) }
}

function createShareFiles(node: WorkerNode, share: ServedShare, options: SmbServerOptions): ShareFiles {
  const { fileSystem } = share
  const events = breakEvents(() => files)
  const opens = createOpenTableClient({
    node,
    partition: share.name,
    ...(share.partitionMemory === undefined ? {} : { memory: share.partitionMemory }),
    ownerOf: (_partition, workers) => (share.owner ?? 0) % workers,
    events: {
      ...events,
      onStoreError: error =>
        options.dependencies.log?.error({ error, share: share.name }, 'the persistent opens of a share cannot be read; it is tried again'),
      onOrphanedDelete: order => {
        removeByPath(files, order)
          .then(() => publishRemoval(files, order))
          .catch((error: unknown) => options.dependencies.log?.warn({ error, path: order.path }, 'a file marked for deletion could not be removed'))
          .finally(() => void opens.deleteFinished(order))
      },
    },
    store: isContinuouslyAvailable(share) ? share.openStore : undefined,
    watchFolder: fileSystem.watch === undefined ? undefined : (path, how, listener) => fileSystem.watch!(path, how, listener),
  })
  const files: ShareFiles = new ShareFiles({
    fileSystem,
    opens,
    owner: `${options.machineSid}-500`,
    group: wellKnownSids.users,
    readOnly: share.readOnly ?? fileSystem.features.readOnly,
    writeThrough: isContinuouslyAvailable(share),
    accessBasedEnumeration: share.accessBasedEnumeration ?? false,
    delayedWriteTimes: share.delayedWriteTimes ?? true,
  })
  return files
}

const ipcShare: ShareView = { name: 'IPC$', type: shareType.ipc | shareType.special, comment: 'Remote IPC', path: '', currentUses: 0 }

/** What the server tells clients without a name: what it is, and that there is IPC$. Neither accounts (lsarpc) nor shares. */
const anonymousPipes: readonly string[] = ['srvsvc', 'wkssvc']

function pipesOf(options: SmbServerOptions): PipeServices {
  const view = pipesView(options)
  const shown = createPipeServices({ ...view, shares: () => [ipcShare] })
  return new PipeServices(createPipeServices(view), new Map([...shown].filter(([name]) => anonymousPipes.includes(name))))
}

function pipesView(options: SmbServerOptions): PipeServicesView {
  const shares: ShareView[] = options.shares.map(share => ({
    name: share.name,
    type: shareType.disk,
    comment: share.comment ?? '',
    path: shownPath(share.name),
    currentUses: 0,
  }))
  shares.push(ipcShare)
  return {
    serverName: options.serverName,
    comment: options.comment ?? 'Holdfast',
    domainName: options.serverName,
    accountDomain: options.serverName,
    accountDomainSid: options.machineSid,
    primaryDomain: options.serverName,
    shares: () => shares,
    ...options.accounts,
  }
}
