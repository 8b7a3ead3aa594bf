/** The SMB server on a worker: the place where filesystems, users and the protocol meet. */

import { openStorePort } from '@holdfast/cluster'
import type { Store } from '@holdfast/cluster'
import type { WorkerNode, WorkerProtocol } from '@holdfast/engine'
import { LoginThrottle, ntlmMechanism } from '@holdfast/smb/security'
import { createSmbServer, smbFraming } from '@holdfast/smb/server'
import type { Logger, ServedShare, ShareReaders, SmbLimits } from '@holdfast/smb/server'
import { directory } from '@holdfast/storage'
import type { FileSystem } from '@holdfast/storage'
import { openAccounts } from './accounts.ts'
import { kerberosOf } from './kerberos.ts'
import { levelTold } from './log-level.ts'
import { measuredStore } from './measured-store.ts'
import type { NodeConfig, NodeShare } from './node-config.ts'
import { openStoreOf } from './open-store.ts'
import { PartitionMemoryClient } from './partition-memories.ts'
import { openShareModule } from './share-module.ts'
import { srvsvcManagement } from '../sessions/srvsvc-management.ts'
import { registerOpens } from '../sessions/worker-opens.ts'
import { registerSmbSessions } from '../sessions/worker-sessions.ts'
import { ShareStore } from '../shares/share-store.ts'
import { openWorkerShares, type WorkerShares } from '../shares/worker-shares.ts'
import { attentiveStore } from '../volumes/attentive-store.ts'

/** How SMB is cut out of a TCP stream (MS-SMB2 2.1). */
export const smbListenerFraming = smbFraming()

/** The protocol on a worker, and the shares that it serves. */
export interface SmbOnWorker extends WorkerProtocol {
  readonly shares: WorkerShares
  /** The same shares for other protocols. */
  readonly readers: ShareReaders
}

/** Builds the protocol for one worker. `objects` has the filesystems of an in-thread node by share name. */
export async function createSmbOnWorker(node: WorkerNode, config: NodeConfig, objects?: ReadonlyMap<string, FileSystem>): Promise<SmbOnWorker> {
  const storePort = node.service('store')
  const store = storePort && measuredStore(openStorePort(storePort), node)
  const accounts = openAccounts({ stateDir: config.stateDir, domain: config.name, domainSid: config.identity.machineSid })
  const shares = await Promise.all(
    config.shares.map((share, index) => serveShare(share, { node, store, partitionMemory: config.partitions?.[index], objects })),
  )
  const limits: Partial<SmbLimits> = config.limits.smb
  const log = loggerOf(node, config.logLevel)
  const kerberos = config.kerberos && kerberosOf(config.kerberos, { stateDir: config.stateDir, accounts, log })
  const server = createSmbServer(node, {
    serverName: config.name,
    machineSid: config.identity.machineSid,
    accounts: { accountBySid: sid => accounts.accountBySid(sid), accountByName: name => accounts.accountByName(name) },
    management: srvsvcManagement(node),
    shares,
    config: {
      serverGuid: config.identity.serverGuid,
      signing: config.signing,
      anonymous: config.anonymous === 'on',
      limits,
      listensOn: config.smb.map(({ host }) => host),
    },
    dependencies: {
      mechanisms({ anonymous, onUser }) {
        const lookup = (user: string) => {
          onUser?.(user)
          return accounts.ntlmAccount(user)
        }
        // In the order in which Windows offers them; what the client prefers is taken.
        const ntlm = config.ntlm === 'off' ? [] : [ntlmMechanism({ netbiosName: config.name, lookup, anonymous })]
        return [...(kerberos?.(onUser) ?? []), ...ntlm]
      },
      identify({ user, expiresAtMs }) {
        const token = accounts.token(user)
        return token && { ...token, ...(expiresAtMs !== undefined && { expiresAtMs }) }
      },
      throttle: new LoginThrottle(),
      log,
    },
  })
  registerSmbSessions(node, server.administration)
  registerOpens(node, server.administration)
  const memories = memoriesOf(node)
  const workerShares = await openWorkerShares({
    node,
    store: store && new ShareStore(attentiveStore(store, node)),
    control: server.shares,
    configured: config.shares,
    open: async share => serveShare(share, { node, store, partitionMemory: await memories?.of(share.name), objects }),
    forget: name => memories?.forget(name),
    stateDir: config.stateDir,
  })
  return { accept: server.accept, close: server.close, shares: workerShares, readers: server.readers }
}

function memoriesOf(node: WorkerNode): PartitionMemoryClient | undefined {
  const port = node.service('partitions')
  return port && new PartitionMemoryClient(port, node)
}

async function serveShare(
  share: NodeShare,
  from: {
    readonly node: WorkerNode
    readonly store: Store | undefined
    readonly partitionMemory: SharedArrayBuffer | undefined
    readonly objects: ReadonlyMap<string, FileSystem> | undefined
  },
): Promise<ServedShare> {
  const { node, store, partitionMemory, objects } = from
  const { name, comment, readOnly, encrypt, accessBasedEnumeration = false, delayedWriteTimes = true, continuouslyAvailable = false, users } = share
  return {
    name,
    comment,
    readOnly,
    encrypt,
    accessBasedEnumeration,
    delayedWriteTimes,
    ...(users === undefined ? {} : { users }),
    continuouslyAvailable,
    ...(continuouslyAvailable && store !== undefined && { openStore: openStoreOf(store, name, node) }),
    ...(partitionMemory === undefined ? {} : { partitionMemory }),
    fileSystem: await openSource(share, objects),
  }
}

async function openSource({ name, source, readOnly }: NodeShare, objects?: ReadonlyMap<string, FileSystem>): Promise<FileSystem> {
  if (source.kind === 'directory') return directory(source.path, { readOnly })
  if (source.kind === 'module') return await openShareModule(source.url, source.options)
  const object = objects?.get(name)
  if (object === undefined) throw new Error(`no filesystem object for the share ${name}`)
  return object
}

function loggerOf(node: WorkerNode, nodeLevel: string | undefined): Logger {
  const isLevelEnabled = (level: string): boolean => levelTold(level, nodeLevel)
  // What nobody reads does not travel to the manager.
  const at = (level: string) => (isLevelEnabled(level) ? (fields: object, message: string) => node.log(level, message, plain(fields)) : () => {})
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), isLevelEnabled }
}

/** Errors do not survive the way to another thread with their stack. */
function plain(fields: object): Record<string, unknown> {
  const shown = (value: unknown) => (value instanceof Error ? (value.stack ?? value.message) : typeof value === 'bigint' ? String(value) : value)
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, shown(value)]))
}
