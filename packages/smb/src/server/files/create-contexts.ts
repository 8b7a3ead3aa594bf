/** Create contexts of a CREATE request (MS-SMB2 2.2.13.2, 3.3.5.9.1 – 3.3.5.9.13), read into what the open needs. */
import type { ExtendedAttribute } from '@holdfast/storage'
import { AaplCommand, AaplServerQueryRequest } from '../../messages/aapl.ts'
import { LeaseFlags, Dialect } from '../../messages/constants.ts'
import { durableContexts } from './durable-contexts.ts'
import type { AskedDurability, AskedReconnect } from './durable-contexts.ts'
import {
  AllocationSize,
  AppInstanceId,
  AppInstanceVersion,
  createContext,
  CreateContextName,
  CreateContexts,
  decodeLease,
} from '../../messages/create-contexts.ts'
import { decodeEaList } from '../../messages/fscc-ea.ts'
import { NtStatus } from '../../messages/nt-status.ts'
import { StatusError } from '../core/handler-api.ts'
import type { AppInstance, LeaseRequest } from '../opens/index.ts'

export interface AskedContexts {
  readonly extendedAttributes: readonly ExtendedAttribute[]
  /** Self-relative SECURITY_DESCRIPTOR for a new file. */
  readonly security: Uint8Array | undefined
  readonly maximalAccess: boolean
  readonly onDiskId: boolean
  readonly allocationBytes: number
  /** A version of the past is asked for; there are none. */
  readonly snapshot: boolean
  readonly lease: LeaseRequest | undefined
  readonly durable: AskedDurability | undefined
  readonly reconnect: AskedReconnect | undefined
  readonly appInstance: AppInstance | undefined
  /** RequestBitmap of Apple's server query. */
  readonly aaplQuery: bigint | undefined
}

const none: AskedContexts = {
  extendedAttributes: [],
  security: undefined,
  maximalAccess: false,
  onDiskId: false,
  allocationBytes: 0,
  snapshot: false,
  lease: undefined,
  durable: undefined,
  reconnect: undefined,
  appInstance: undefined,
  aaplQuery: undefined,
}

export function readContexts(bytes: Buffer, dialect: number): AskedContexts {
  if (bytes.length === 0) return none
  const contexts = CreateContexts.decode(bytes)
  const find = (name: string): Buffer | undefined => createContext(contexts, name)
  const eas = find(CreateContextName.eaBuffer)
  return {
    extendedAttributes: eas === undefined ? [] : ownEas(eas),
    security: find(CreateContextName.sdBuffer),
    maximalAccess: find(CreateContextName.queryMaximalAccess) !== undefined,
    onDiskId: find(CreateContextName.queryOnDiskId) !== undefined,
    allocationBytes: allocationOf(find(CreateContextName.allocationSize)),
    snapshot: find(CreateContextName.timewarpToken) !== undefined,
    lease: leaseOf(find(CreateContextName.requestLease), dialect),
    ...durableContexts(find, dialect),
    appInstance: appInstanceOf(find, dialect),
    aaplQuery: aaplOf(find(CreateContextName.aapl)),
  }
}

/** The request's memory goes back before the attributes are written. */
function ownEas(list: Buffer): ExtendedAttribute[] {
  return decodeEaList(list).map(ea => ({ ...ea, value: Uint8Array.from(ea.value) }))
}

function allocationOf(context: Buffer | undefined): number {
  if (context === undefined) return 0
  const { allocationSize } = AllocationSize.decode(context)
  if (allocationSize > BigInt(Number.MAX_SAFE_INTEGER)) throw new StatusError(NtStatus.DISK_FULL)
  return Number(allocationSize)
}

function leaseOf(context: Buffer | undefined, dialect: number): LeaseRequest | undefined {
  if (context === undefined || dialect < Dialect.smb210) return undefined
  const lease = decodeLease(context)
  if (lease === undefined) return undefined
  // Version 2 is for 3.x; a 2.1 client that sends it is answered as with version 1 (3.3.5.9.11).
  if (lease.version === 1 || dialect < Dialect.smb300) return { version: 1, key: lease.leaseKey, state: lease.leaseState, epoch: 0 }
  const withParent = (lease.leaseFlags & LeaseFlags.parentLeaseKeySet) !== 0
  return { version: 2, key: lease.leaseKey, state: lease.leaseState, epoch: lease.epoch, ...(withParent ? { parentKey: lease.parentLeaseKey } : {}) }
}

/** For the SMB 3.x dialect family; the version for 3.1.1 (3.3.5.9.13). */
function appInstanceOf(find: (name: string) => Buffer | undefined, dialect: number): AppInstance | undefined {
  const context = find(CreateContextName.appInstanceId)
  if (context === undefined || dialect < Dialect.smb300) return undefined
  const id = AppInstanceId.decode(context).appInstanceId
  const version = dialect < Dialect.smb311 ? undefined : find(CreateContextName.appInstanceVersion)
  if (version === undefined) return { id }
  const { appInstanceVersionHigh, appInstanceVersionLow } = AppInstanceVersion.decode(version)
  return { id, version: (appInstanceVersionHigh << 64n) | appInstanceVersionLow }
}

function aaplOf(context: Buffer | undefined): bigint | undefined {
  if (context === undefined || context.length < AaplServerQueryRequest.size) return undefined
  const query = AaplServerQueryRequest.decode(context)
  return query.commandCode === AaplCommand.serverQuery ? query.requestBitmap : undefined
}
