/** Create contexts as the cases write them (MS-SMB2 2.2.13.2). */
import { randomUUID } from 'node:crypto'
import {
  AppInstanceId,
  AppInstanceVersion,
  CreateContextName,
  DurableHandleFlags,
  DurableHandleReconnectV2,
  DurableHandleRequestV2,
  LeaseFlags,
  LeaseState,
  LeaseV1,
  LeaseV2,
} from '@holdfast/smb/messages'
import type { CreateContext, FileId } from '@holdfast/smb/messages'

/** A GUID that nobody has used. */
export const newGuid = (): string => randomUUID()

/** A FileId that no open has. */
export const noSuchFile: FileId = { persistent: 0x7fff_ffff_ffff_ff00n, volatile: 0x7fff_ffff_ffff_ff00n }

const { readCaching: r, handleCaching: h, writeCaching: w } = LeaseState

/** Lease states by their letters. */
export const leaseStates = { r, rw: r | w, rh: r | h, rwh: r | w | h } as const

/** SMB2_CREATE_DURABLE_HANDLE_REQUEST. */
export const dhnq = (): CreateContext => ({ name: CreateContextName.durableHandleRequest, data: Buffer.alloc(16) })

/** SMB2_CREATE_DURABLE_HANDLE_RECONNECT. */
export function dhnc({ persistent }: FileId): CreateContext {
  const data = Buffer.alloc(16)
  data.writeBigUInt64LE(persistent, 0)
  return { name: CreateContextName.durableHandleReconnect, data }
}

/** What DH2Q asks for. */
export interface Durability {
  readonly createGuid?: string
  readonly timeoutMs?: number
  readonly persistent?: boolean
}

const flagsOf = (persistent: boolean | undefined): number => (persistent === true ? DurableHandleFlags.persistent : 0)

/** SMB2_CREATE_DURABLE_HANDLE_REQUEST_V2. */
export const dh2q = ({ createGuid = newGuid(), timeoutMs = 0, persistent }: Durability = {}): CreateContext => ({
  name: CreateContextName.durableHandleRequestV2,
  data: DurableHandleRequestV2.toBytes({ timeoutMs, flags: flagsOf(persistent), createGuid }),
})

/** SMB2_CREATE_DURABLE_HANDLE_RECONNECT_V2. */
export const dh2c = (fileId: FileId, { createGuid = newGuid(), persistent }: Durability = {}): CreateContext => ({
  name: CreateContextName.durableHandleReconnectV2,
  data: DurableHandleReconnectV2.toBytes({ fileId: { persistent: fileId.persistent, volatile: 0n }, createGuid, flags: flagsOf(persistent) }),
})

/** What RqLs asks for. */
export interface LeaseWish {
  readonly key: string
  readonly state: number
  readonly version?: 1 | 2
  readonly epoch?: number
  readonly parent?: string
}

/** SMB2_CREATE_REQUEST_LEASE, or its version 2. */
export function rqls({ key, state, version = 2, epoch = 0, parent }: LeaseWish): CreateContext {
  const common = { leaseKey: key, leaseState: state, leaseFlags: parent === undefined ? 0 : LeaseFlags.parentLeaseKeySet }
  const data =
    version === 1 ? LeaseV1.toBytes(common) : LeaseV2.toBytes({ ...common, parentLeaseKey: parent ?? '00000000-0000-0000-0000-000000000000', epoch })
  return { name: CreateContextName.requestLease, data }
}

/** SMB2_CREATE_APP_INSTANCE_ID. */
export const appInstanceId = (id: string): CreateContext => ({
  name: CreateContextName.appInstanceId,
  data: AppInstanceId.toBytes({ appInstanceId: id }),
})

/** SMB2_CREATE_APP_INSTANCE_VERSION. */
export const appInstanceVersion = (high: bigint, low: bigint): CreateContext => ({
  name: CreateContextName.appInstanceVersion,
  data: AppInstanceVersion.toBytes({ appInstanceVersionHigh: high, appInstanceVersionLow: low }),
})
