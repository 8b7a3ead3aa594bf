/** Where the server's rooms meet: the core, the file commands, the open tables and the pipes of IPC$. */
import type { WorkerNode, WorkerProtocol } from '@holdfast/engine'
import { createPipeServices, shareType } from '@holdfast/rpc'
import type { PipeServicesView, ShareView } from '@holdfast/rpc'
import { cryptoProvider } from '../security/index.ts'
import { SmbAdministration } from './administration.ts'
import type { AccountNames } from './administration.ts'
import { createSmbProtocol } from './core/index.ts'
import type { SmbServerConfig, SmbServerDependencies } from './core/index.ts'
import { fileCommands, PipeServices } from './files/index.ts'
import { ShareReaders } from './share-readers.ts'
import { ShareControl, SharesOnWorker, withoutObjects } from './shares-on-worker.ts'
import type { ServedShare, ShareOnWorker } from './shares-on-worker.ts'

/** What `createSmbServer` makes a server of, on each worker. */
export interface SmbServerOptions {
  /** Structured-cloneable settings; its shares are those of `shares`. */
  readonly config: Omit<SmbServerConfig, 'shares'>
  readonly shares: readonly ServedShare[]
  /** NetBIOS name, and the domain of local users. */
  readonly serverName: string
  readonly comment?: string
  /** What srvsvc tells administrators, and does for them, besides what this worker knows by itself. */
  readonly management?: Pick<PipeServicesView, 'sessions' | 'opens' | 'closeSessions' | 'closeOpen'>
  /** SID that local accounts' SIDs begin with, `S-1-5-21-a-b-c`. */
  readonly machineSid: string
  readonly accounts: AccountNames & Pick<PipeServicesView, 'accountByName'>
  readonly dependencies: Omit<SmbServerDependencies, 'fileCommands' | 'fileSystem' | 'shareExtension'>
}

/** The protocol, and what manages it while it runs. */
export interface SmbService extends Required<WorkerProtocol> {
  readonly shares: ShareControl
  /** For other protocols that read the same shares. */
  readonly readers: ShareReaders
  readonly administration: SmbAdministration
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
export function createSmbServer(node: WorkerNode, options: SmbServerOptions): SmbService {
  const { machineSid, accounts } = options
  // Not at the first login: a worker that is ended while it loads native code takes the process along.
  cryptoProvider()
  const shares = new SharesOnWorker({ node, machineSid, log: options.dependencies.log })
  for (const share of options.shares) shares.add(share)
  const pipes = pipesOf(options, shares)
  const config: SmbServerConfig = { ...options.config, shares: options.shares.map(withoutObjects) }
  const server = createSmbProtocol(config, node, {
    ...options.dependencies,
    fileCommands,
    fileSystem: ({ name }) => shares.get(name)?.share.fileSystem,
    shareExtension: ({ type, name }) => (type === 'pipe' ? pipes : shares.get(name)?.files),
  })
  return {
    accept: (connection, checkpoints) => server.accept(connection, checkpoints),
    close: () => server.close(),
    shares: new ShareControl(server, shares),
    readers: new ShareReaders(shares),
    administration: new SmbAdministration(server, shares, accounts),
  }
}

const ipcShare: ShareView = { name: 'IPC$', type: shareType.ipc | shareType.special, comment: 'Remote IPC', path: '', currentUses: 0 }

/** What the server tells clients without a name: what it is, and that there is IPC$. Neither accounts (lsarpc) nor shares. */
const anonymousPipes: readonly string[] = ['srvsvc', 'wkssvc']

function pipesOf(options: SmbServerOptions, served: SharesOnWorker): PipeServices {
  const view = pipesView(options, served)
  const shown = createPipeServices({ ...view, shares: () => [ipcShare] })
  return new PipeServices(createPipeServices(view), new Map([...shown].filter(([name]) => anonymousPipes.includes(name))))
}

function pipesView(options: SmbServerOptions, served: SharesOnWorker): PipeServicesView {
  const viewOf = ({ share: { name, comment = '' } }: ShareOnWorker): ShareView => ({
    name,
    type: shareType.disk,
    comment,
    path: shownPath(name),
    currentUses: 0,
  })
  return {
    serverName: options.serverName,
    comment: options.comment ?? 'Holdfast',
    domainName: options.serverName,
    accountDomain: options.serverName,
    accountDomainSid: options.machineSid,
    primaryDomain: options.serverName,
    shares: () => [...[...served.values()].map(viewOf), ipcShare],
    ...options.accounts,
    ...options.management,
  }
}
