/** Create contexts of opens that outlive a connection (MS-SMB2 3.2.4.3.5 to 3.2.4.3.8, 3.2.4.4, 3.2.5.7). */
import { emptyBytes } from '@holdfast/wire'
import {
  Capability,
  createContext,
  CreateContextName,
  CreateContexts,
  decodeLease,
  Dialect,
  DurableHandleFlags,
  DurableHandleReconnectV2,
  DurableHandleRequestV2,
  DurableHandleResponseV2,
  LeaseState,
  LeaseV2,
  OplockLevel,
  QueryOnDiskIdResponse,
  ShareCapability,
  ShareType,
} from '../messages/index.ts'
import type { CreateContext, CreateResponse } from '../messages/index.ts'
import type { RemoteOpen } from './remote-open.ts'
import type { Tree } from './tree.ts'

/** What a server keeps at most (MS-SMB2 3.3.5.9.10). */
const timeoutMaxMs = 300_000
const noKey = '00000000-0000-0000-0000-000000000000'
/** Read, handle and write caching: the client caches nothing, but a lease with handle caching is what durability costs. */
const everything = LeaseState.readCaching | LeaseState.handleCaching | LeaseState.writeCaching

/** What CREATE says beside its own fields. */
export interface CreateExtras {
  readonly requestedOplockLevel: number
  readonly createContexts: Buffer
}

const plain: CreateExtras = Object.freeze({ requestedOplockLevel: OplockLevel.none, createContexts: emptyBytes })

/** True where opens may be asked for that outlive the connection. */
export const maySurvive = (tree: Tree): boolean =>
  tree.session.negotiated.revision >= Dialect.smb300 && tree.info.shareType === ShareType.disk && tree.session.link.reconnectMs > 0

const mayBePersistent = (tree: Tree): boolean =>
  (tree.info.capabilities & ShareCapability.continuousAvailability) !== 0 &&
  (tree.session.negotiated.capabilities & Capability.persistentHandles) !== 0

const hasLeases = (tree: Tree): boolean => (tree.session.negotiated.capabilities & Capability.leasing) !== 0

const context = (name: string, data: Buffer): CreateContext => ({ name, data })

const leaseContext = ({ lease }: RemoteOpen): CreateContext[] =>
  lease === undefined
    ? []
    : [
        context(
          CreateContextName.requestLease,
          LeaseV2.toBytes({ leaseKey: lease.key, leaseState: lease.state, parentLeaseKey: noKey, epoch: lease.epoch }),
        ),
      ]

function extras(open: RemoteOpen, contexts: readonly CreateContext[]): CreateExtras {
  const createContexts = CreateContexts.toBytes(contexts)
  return { requestedOplockLevel: open.lease === undefined ? OplockLevel.none : OplockLevel.lease, createContexts }
}

/** Asks for durability: with a lease, and persistent on a share that is continuously available. `leaseKey`: a new one for each open. */
export function durableRequest(open: RemoteOpen, how: { readonly leaseKey: string; readonly epoch?: number }): CreateExtras {
  const { tree } = open
  if (open.request.isBrief === true || !maySurvive(tree)) return plain
  open.lease = hasLeases(tree) ? { key: how.leaseKey, state: everything, epoch: how.epoch ?? 0 } : undefined
  const data = DurableHandleRequestV2.toBytes({
    timeoutMs: Math.min(timeoutMaxMs, tree.session.link.reconnectMs),
    flags: mayBePersistent(tree) ? DurableHandleFlags.persistent : 0,
    createGuid: open.createGuid,
  })
  return extras(open, [
    context(CreateContextName.durableHandleRequestV2, data),
    ...leaseContext(open),
    context(CreateContextName.queryOnDiskId, emptyBytes),
  ])
}

/** Asks for an open that the server keeps (2.2.13.2.12). */
export function durableReconnect(open: RemoteOpen): CreateExtras {
  const { persistent, volatile, createGuid } = open
  const flags = open.durability === 'persistent' ? DurableHandleFlags.persistent : 0
  const data = DurableHandleReconnectV2.toBytes({ fileId: { persistent, volatile }, createGuid, flags })
  return extras(open, [context(CreateContextName.durableHandleReconnectV2, data), ...leaseContext(open)])
}

function noteLease(open: RemoteOpen, contexts: readonly CreateContext[], oplockLevel: number): void {
  const data = createContext(contexts, CreateContextName.requestLease)
  const granted = data === undefined || oplockLevel !== OplockLevel.lease ? undefined : decodeLease(data)
  if (open.lease === undefined) return
  if (granted === undefined || granted.leaseKey.toLowerCase() !== open.lease.key) open.lease = undefined
  else Object.assign(open.lease, { state: granted.leaseState, epoch: granted.version === 2 ? granted.epoch : 0 })
}

/** Notes what the server granted. Throws MalformedError for contexts that are none. */
export function noteGrant(open: RemoteOpen, response: CreateResponse): void {
  const contexts = CreateContexts.decode(response.createContexts)
  open.persistent = response.fileId.persistent
  open.volatile = response.fileId.volatile
  noteLease(open, contexts, response.oplockLevel)
  const granted = createContext(contexts, CreateContextName.durableHandleRequestV2)
  if (granted !== undefined) {
    const { flags } = DurableHandleResponseV2.decode(granted)
    open.durability = (flags & DurableHandleFlags.persistent) === 0 ? 'durable' : 'persistent'
  }
  const onDisk = createContext(contexts, CreateContextName.queryOnDiskId)
  const { creationTime, lastWriteTime, endOfFile } = response
  const diskFileId = onDisk === undefined ? 0n : QueryOnDiskIdResponse.decode(onDisk).diskFileId
  open.fingerprint ??= { diskFileId, creationTime, lastWriteTime, endOfFile }
}
