/** Create contexts (MS-SMB2 2.2.13.2, 2.2.14.2): the list, and what each context carries. Apple's are in aapl.ts. */
import {
  bytes,
  chainLength,
  codec,
  data,
  eachChained,
  encodeChain,
  filetime,
  fixed,
  guid,
  lengthOf,
  MalformedError,
  offsetOf,
  reserved,
  struct,
  u16,
  u32,
  u64,
  withDefault,
} from '@holdfast/wire'
import type { Codec, Infer } from '@holdfast/wire'
import { FileId } from './file-id.ts'

const rawName = (digits: string): string => Buffer.from(digits, 'hex').toString('latin1')

/** Names of create contexts (2.2.13.2); one character per byte. */
export const CreateContextName = {
  /** SMB2_CREATE_EA_BUFFER: FILE_FULL_EA_INFORMATION list. */
  eaBuffer: 'ExtA',
  /** SMB2_CREATE_SD_BUFFER: self-relative SECURITY_DESCRIPTOR. */
  sdBuffer: 'SecD',
  durableHandleRequest: 'DHnQ',
  durableHandleReconnect: 'DHnC',
  allocationSize: 'AlSi',
  queryMaximalAccess: 'MxAc',
  timewarpToken: 'TWrp',
  queryOnDiskId: 'QFid',
  requestLease: 'RqLs',
  durableHandleRequestV2: 'DH2Q',
  durableHandleReconnectV2: 'DH2C',
  appInstanceId: rawName('45bca66aefa7f74a9008fa462e144d74'),
  appInstanceVersion: rawName('b982d0b73b56074fa07b524a8116a010'),
  /** SVHDX_OPEN_DEVICE_CONTEXT: ignored by servers that share no virtual disks. */
  svhdxOpenDevice: rawName('9ccbcf9e04c1e643980e158da1f6ec83'),
  aapl: 'AAPL',
  /** SMB 3.1.1 POSIX extensions. */
  posix: rawName('93ad25509cb411e7b42383de968bcd7c'),
} as const

/** SMB2_CREATE_CONTEXT (2.2.13.2). */
const Entry = struct('SMB2_CREATE_CONTEXT', {
  next: reserved(u32),
  nameOffset: offsetOf('name', u16),
  nameLength: lengthOf('name', u16),
  reserved: reserved(u16),
  dataOffset: offsetOf('data', u16),
  dataLength: lengthOf('data', u32),
  name: data(),
  data: data({ align: 8, emptyOffset: 'zero' }),
})

/** One create context as it travels, its data not yet decoded (MS-SMB2 2.2.13.2). */
export interface CreateContext {
  /** See `CreateContextName`. */
  readonly name: string
  /** A view when decoded. */
  readonly data: Buffer
}

const maxContexts = 256
const minNameLength = 4
const entries = (contexts: readonly CreateContext[]) =>
  contexts.map(({ name, data: bytesOf }) => ({ name: Buffer.from(name, 'latin1'), data: bytesOf }))

/** The list of contexts that CREATE carries. Throws MalformedError also for a name shorter than 4 bytes or a Next that is no multiple of 8. */
export const CreateContexts: Codec<readonly CreateContext[]> = codec<readonly CreateContext[]>({
  name: 'SMB2_CREATE_CONTEXT list',
  decode(b, at, end) {
    const contexts: CreateContext[] = []
    if (end <= at) return contexts
    eachChained(b, { at, end, minEntryBytes: Entry.fixedSize }, (from, to) => {
      if ((from - at) % 8 !== 0) throw new MalformedError('bad-chain', 'a create context is not aligned')
      if (contexts.length === maxContexts) throw new MalformedError('too-many-contexts', 'too many create contexts')
      const entry = Entry.decode(b, from, to)
      if (entry.name.length < minNameLength) throw new MalformedError('bad-length', 'the name of a create context is too short')
      contexts.push({ name: entry.name.toString('latin1'), data: entry.data })
    })
    return contexts
  },
  encodedLength: contexts => chainLength(Entry, entries(contexts)),
  encode: (contexts, into, at) => encodeChain(Entry, entries(contexts), into, at),
})

/** The data of the first context with this name; undefined without one. */
export function createContext(contexts: readonly CreateContext[], name: string): Buffer | undefined {
  for (const context of contexts) if (context.name === name) return context.data
  return undefined
}

/** SMB2_CREATE_DURABLE_HANDLE_REQUEST (2.2.13.2.3). */
export const DurableHandleRequest = struct('SMB2_CREATE_DURABLE_HANDLE_REQUEST', { durableRequest: reserved(bytes(16)) })
/** SMB2_CREATE_DURABLE_HANDLE_RESPONSE (2.2.14.2.3). */
export const DurableHandleResponse = struct('SMB2_CREATE_DURABLE_HANDLE_RESPONSE', { reserved: reserved(u64) })
/** SMB2_CREATE_DURABLE_HANDLE_RECONNECT (2.2.13.2.4). */
export const DurableHandleReconnect = struct('SMB2_CREATE_DURABLE_HANDLE_RECONNECT', { fileId: FileId })
export type DurableHandleReconnect = Infer<typeof DurableHandleReconnect>

/** SMB2_CREATE_QUERY_MAXIMAL_ACCESS_REQUEST (2.2.13.2.5); the data may be empty as well. */
export const QueryMaximalAccessRequest = struct('SMB2_CREATE_QUERY_MAXIMAL_ACCESS_REQUEST', { timestamp: filetime })
export type QueryMaximalAccessRequest = Infer<typeof QueryMaximalAccessRequest>
/** SMB2_CREATE_QUERY_MAXIMAL_ACCESS_RESPONSE (2.2.14.2.5). */
export const QueryMaximalAccessResponse = struct('SMB2_CREATE_QUERY_MAXIMAL_ACCESS_RESPONSE', { queryStatus: u32, maximalAccess: u32 })
export type QueryMaximalAccessResponse = Infer<typeof QueryMaximalAccessResponse>

/** SMB2_CREATE_ALLOCATION_SIZE (2.2.13.2.6), bytes. */
export const AllocationSize = struct('SMB2_CREATE_ALLOCATION_SIZE', { allocationSize: u64 })
export type AllocationSize = Infer<typeof AllocationSize>

/** SMB2_CREATE_TIMEWARP_TOKEN (2.2.13.2.7). */
export const TimewarpToken = struct('SMB2_CREATE_TIMEWARP_TOKEN', { timestamp: filetime })
export type TimewarpToken = Infer<typeof TimewarpToken>

/** SMB2_CREATE_QUERY_ON_DISK_ID response (2.2.14.2.9), 32 bytes; the request has no data. */
export const QueryOnDiskIdResponse = struct('SMB2_CREATE_QUERY_ON_DISK_ID', { diskFileId: u64, volumeId: u64, reserved: reserved(bytes(16)) })
export type QueryOnDiskIdResponse = Infer<typeof QueryOnDiskIdResponse>

const leaseFields = {
  /** 16 bytes chosen by the client, as text. */
  leaseKey: guid,
  /** `LeaseState` bits. */
  leaseState: u32,
  /** `LeaseFlags` bits. */
  leaseFlags: withDefault(u32, 0),
  leaseDuration: reserved(u64),
}

/** SMB2_CREATE_REQUEST_LEASE (2.2.13.2.8) and SMB2_CREATE_RESPONSE_LEASE (2.2.14.2.10), 32 bytes. */
export const LeaseV1 = struct('SMB2_CREATE_REQUEST_LEASE', leaseFields)
export type LeaseV1 = Infer<typeof LeaseV1>

/** SMB2_CREATE_REQUEST_LEASE_V2 (2.2.13.2.10) and SMB2_CREATE_RESPONSE_LEASE_V2 (2.2.14.2.11), 52 bytes. */
export const LeaseV2 = struct('SMB2_CREATE_REQUEST_LEASE_V2', { ...leaseFields, parentLeaseKey: guid, epoch: u16, reserved: reserved(u16) })
export type LeaseV2 = Infer<typeof LeaseV2>

/** The two forms share a name and differ in length. */
export type LeaseContext = (LeaseV1 & { readonly version: 1 }) | (LeaseV2 & { readonly version: 2 })

/** Reads either form of an `RqLs` context; undefined for any other length (which a server ignores). */
export function decodeLease(contextData: Buffer): LeaseContext | undefined {
  if (contextData.length === LeaseV1.size) return { version: 1, ...LeaseV1.decode(contextData) }
  if (contextData.length === LeaseV2.size) return { version: 2, ...LeaseV2.decode(contextData) }
  return undefined
}

/** Flags of durable handles, version 2 (2.2.13.2.11). */
export const DurableHandleFlags = { persistent: 0x0000_0002 } as const

/** SMB2_CREATE_DURABLE_HANDLE_REQUEST_V2 (2.2.13.2.11), 32 bytes. */
export const DurableHandleRequestV2 = struct('SMB2_CREATE_DURABLE_HANDLE_REQUEST_V2', {
  /** 0: as the server likes. */
  timeoutMs: u32,
  /** `DurableHandleFlags`. */
  flags: withDefault(u32, 0),
  reserved: reserved(u64),
  createGuid: guid,
})
export type DurableHandleRequestV2 = Infer<typeof DurableHandleRequestV2>

/** SMB2_CREATE_DURABLE_HANDLE_RESPONSE_V2 (2.2.14.2.12), 8 bytes. */
export const DurableHandleResponseV2 = struct('SMB2_CREATE_DURABLE_HANDLE_RESPONSE_V2', { timeoutMs: u32, flags: withDefault(u32, 0) })
export type DurableHandleResponseV2 = Infer<typeof DurableHandleResponseV2>

/** SMB2_CREATE_DURABLE_HANDLE_RECONNECT_V2 (2.2.13.2.12), 36 bytes. */
export const DurableHandleReconnectV2 = struct('SMB2_CREATE_DURABLE_HANDLE_RECONNECT_V2', {
  fileId: FileId,
  createGuid: guid,
  flags: withDefault(u32, 0),
})
export type DurableHandleReconnectV2 = Infer<typeof DurableHandleReconnectV2>

/** SMB2_CREATE_APP_INSTANCE_ID (2.2.13.2.13), 20 bytes. */
export const AppInstanceId = struct('SMB2_CREATE_APP_INSTANCE_ID', { structureSize: fixed(u16, 20), reserved: reserved(u16), appInstanceId: guid })
export type AppInstanceId = Infer<typeof AppInstanceId>

/** SMB2_CREATE_APP_INSTANCE_VERSION (2.2.13.2.15), 24 bytes. */
export const AppInstanceVersion = struct('SMB2_CREATE_APP_INSTANCE_VERSION', {
  structureSize: fixed(u16, 24),
  reserved: reserved(u16),
  padding: reserved(u32),
  appInstanceVersionHigh: u64,
  appInstanceVersionLow: u64,
})
export type AppInstanceVersion = Infer<typeof AppInstanceVersion>
