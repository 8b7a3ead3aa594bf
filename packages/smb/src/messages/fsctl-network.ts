/** What FSCTLs about the connection carry: negotiation check, interfaces, resiliency, DFS, pipes (MS-SMB2 2.2.31, 2.2.32; MS-FSCC 2.3). */
import {
  array,
  bytes,
  countOf,
  data,
  fixed,
  guid,
  lengthOf,
  MalformedError,
  reserved,
  rest,
  struct,
  u16,
  u16be,
  u32,
  u64,
  u8,
  utf16,
  bool8,
  codec,
  encodeChain,
  decodeChain,
  chainLength,
  withDefault,
} from '@holdfast/wire'
import type { Codec, Infer } from '@holdfast/wire'

/** VALIDATE_NEGOTIATE_INFO request (MS-SMB2 2.2.31.4). */
export const ValidateNegotiateInfoRequest = struct('VALIDATE_NEGOTIATE_INFO request', {
  capabilities: u32,
  guid: guid,
  securityMode: u16,
  dialectCount: countOf('dialects', u16),
  dialects: array(u16),
})
export type ValidateNegotiateInfoRequest = Infer<typeof ValidateNegotiateInfoRequest>

/** VALIDATE_NEGOTIATE_INFO response (MS-SMB2 2.2.32.6). */
export const ValidateNegotiateInfoResponse = struct('VALIDATE_NEGOTIATE_INFO response', {
  capabilities: u32,
  guid: guid,
  securityMode: u16,
  dialect: u16,
})
export type ValidateNegotiateInfoResponse = Infer<typeof ValidateNegotiateInfoResponse>

/** Capability bits of an interface (MS-SMB2 2.2.32.5). */
export const InterfaceCapability = { rss: 0x0000_0001, rdma: 0x0000_0002 } as const

/** SOCKADDR_IN (MS-SMB2 2.2.32.5.1.1) and SOCKADDR_IN6 (2.2.32.5.1.2). */
export const SocketFamily = { internetwork: 0x0002, internetworkV6: 0x0017 } as const
const SockaddrIn = struct('SOCKADDR_IN', { family: fixed(u16, SocketFamily.internetwork), port: u16be, address: bytes(4), reserved: reserved(u64) })
const SockaddrIn6 = struct('SOCKADDR_IN6', {
  family: fixed(u16, SocketFamily.internetworkV6),
  port: u16be,
  flowInfo: reserved(u32),
  address: bytes(16),
  scopeId: u32,
})

const InterfaceEntry = struct('NETWORK_INTERFACE_INFO response', {
  next: reserved(u32),
  ifIndex: u32,
  /** `InterfaceCapability`. */
  capability: withDefault(u32, 0),
  reserved: reserved(u32),
  /** Bits per second. */
  linkSpeed: u64,
  sockaddr: bytes(128),
})

/** One address of one interface (MS-SMB2 2.2.32.5). */
export interface NetworkInterface {
  readonly ifIndex: number
  /** `InterfaceCapability` bits. */
  readonly capability: number
  /** Bits per second. */
  readonly linkSpeed: bigint
  /** 4 bytes of IPv4 or 16 of IPv6. */
  readonly address: Uint8Array
  readonly port: number
  /** IPv6 only. */
  readonly scopeId: number
}

function toEntry({ ifIndex, capability, linkSpeed, address, port, scopeId }: NetworkInterface) {
  const sockaddr = address.length === 4 ? SockaddrIn.toBytes({ port, address }) : SockaddrIn6.toBytes({ port, address, scopeId })
  return { ifIndex, capability, linkSpeed, sockaddr }
}

function fromEntry({ ifIndex, capability, linkSpeed, sockaddr }: Infer<typeof InterfaceEntry>): NetworkInterface | undefined {
  const common = { ifIndex, capability, linkSpeed }
  const family = sockaddr.readUInt16LE(0)
  if (family === SocketFamily.internetwork) return { ...common, ...SockaddrIn.decode(sockaddr), scopeId: 0 }
  return family === SocketFamily.internetworkV6 ? { ...common, ...SockaddrIn6.decode(sockaddr) } : undefined
}

/** NETWORK_INTERFACE_INFO response (MS-SMB2 2.2.32.5): a list, 152 bytes an entry; addresses of other families are left out when read. */
export const NetworkInterfaceInfo: Codec<readonly NetworkInterface[]> = codec<readonly NetworkInterface[]>({
  name: 'NETWORK_INTERFACE_INFO response',
  decode: (b, at, end) => decodeChain(InterfaceEntry, b, at, end).flatMap(entry => fromEntry(entry) ?? []),
  encodedLength: interfaces => chainLength(InterfaceEntry, interfaces.map(toEntry)),
  encode: (interfaces, into, at) => encodeChain(InterfaceEntry, interfaces.map(toEntry), into, at),
})

/** NETWORK_RESILIENCY_REQUEST (MS-SMB2 2.2.31.3). */
export const NetworkResiliencyRequest = struct('NETWORK_RESILIENCY_REQUEST', { timeoutMs: u32, reserved: reserved(u32) })
export type NetworkResiliencyRequest = Infer<typeof NetworkResiliencyRequest>

const DfsReferral = struct('REQ_GET_DFS_REFERRAL', { maxReferralLevel: u16, requestFileName: rest() })

/** REQ_GET_DFS_REFERRAL (MS-DFSC 2.2.2); the name ends at its NUL. */
export function decodeDfsReferralRequest(input: Buffer): { readonly maxReferralLevel: number; readonly requestFileName: string } {
  const { maxReferralLevel, requestFileName } = DfsReferral.decode(input)
  const text = requestFileName.toString('utf16le')
  const nul = text.indexOf('\0')
  if (nul < 0) throw new MalformedError('bad-string', 'the name of a DFS referral request is not terminated')
  return { maxReferralLevel, requestFileName: text.slice(0, nul) }
}

/** FSCTL_PIPE_WAIT request (MS-FSCC 2.3). */
export const PipeWaitRequest = struct('FSCTL_PIPE_WAIT request', {
  /** 100 ns units. */
  timeout: u64,
  nameLength: lengthOf('name', u32),
  timeoutSpecified: bool8,
  padding: reserved(u8),
  name: utf16(),
})
export type PipeWaitRequest = Infer<typeof PipeWaitRequest>

/** NamedPipeState (MS-FSCC 2.3). */
export const NamedPipeState = { disconnected: 1, listening: 2, connected: 3, closing: 4 } as const

/** FSCTL_PIPE_PEEK reply (MS-FSCC 2.3). */
export const PipePeekReply = struct('FSCTL_PIPE_PEEK reply', {
  /** `NamedPipeState`. */
  namedPipeState: u32,
  readDataAvailable: u32,
  numberOfMessages: u32,
  messageLength: u32,
  data: data({ rest: true }),
})
export type PipePeekReply = Infer<typeof PipePeekReply>
