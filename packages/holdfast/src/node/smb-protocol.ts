/** The SMB server on a worker: the place where filesystems, users and the protocol meet. */

import { openStorePort } from '@holdfast/cluster'
import type { Store } from '@holdfast/cluster'
import type { WorkerNode, WorkerProtocol } from '@holdfast/engine'
import { LoginThrottle, ntlmMechanism } from '@holdfast/smb/security'
import { createSmbServer, smbFraming } from '@holdfast/smb/server'
import type { Logger, ServedShare, SmbLimits } from '@holdfast/smb/server'
import { directory } from '@holdfast/storage'
import type { FileSystem } from '@holdfast/storage'
import { openAccounts } from './accounts.ts'
import { kerberosOf } from './kerberos.ts'
import type { NodeConfig, NodeShare } from './node-config.ts'
import { openStoreOf } from './open-store.ts'
import { openShareModule } from './share-module.ts'

/** How SMB is cut out of a TCP stream (MS-SMB2 2.1). */
export const smbListenerFraming = smbFraming()

/** Builds the protocol for one worker. `objects` has the filesystems of an in-thread node by share name. */
export async function createSmbOnWorker(node: WorkerNode, config: NodeConfig, objects?: ReadonlyMap<string, FileSystem>): Promise<WorkerProtocol> {
  const storePort = node.service('store')
  const store = storePort && openStorePort(storePort)
  const accounts = openAccounts({ stateDir: config.stateDir, domain: config.name, domainSid: config.identity.machineSid })
  const shares = await Promise.all(
    config.shares.map((share, index) => serveShare(share, { node, store, partitionMemory: config.partitions?.[index], objects })),
  )
  const limits: Partial<SmbLimits> = config.limits.smb
  const log = loggerOf(node)
  const kerberos = config.kerberos && kerberosOf(config.kerberos, { stateDir: config.stateDir, accounts, log })
  return createSmbServer(node, {
    serverName: config.name,
    machineSid: config.identity.machineSid,
    accounts: { accountBySid: sid => accounts.accountBySid(sid), accountByName: name => accounts.accountByName(name) },
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

function loggerOf(node: WorkerNode): Logger {
  const at = (level: string) => (fields: object, message: string) => node.log(level, message, plain(fields))
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

/** Errors do not survive the way to another thread with their stack. */
function plain(fields: object): Record<string, unknown> {
  const shown = (value: unknown) => (value instanceof Error ? (value.stack ?? value.message) : typeof value === 'bigint' ? String(value) : value)
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, shown(value)]))
}
