/** Create contexts of handles that outlive their connection (MS-SMB2 2.2.13.2.3, .4, .11, .12; 3.3.5.9.6, .7, .10, .12). */
import { Dialect } from '../../messages/constants.ts'
import {
  CreateContextName,
  DurableHandleFlags,
  DurableHandleReconnect,
  DurableHandleReconnectV2,
  DurableHandleRequestV2,
  DurableHandleResponse,
  DurableHandleResponseV2,
} from '../../messages/create-contexts.ts'
import type { CreateContext } from '../../messages/create-contexts.ts'
import { NtStatus } from '../../messages/nt-status.ts'
import { StatusError } from '../core/handler-api.ts'

/** DHnQ or DH2Q. */
export interface AskedDurability {
  readonly version: 1 | 2
  readonly persistent: boolean
  /** 0: as the server likes. */
  readonly timeoutMs: number
  readonly createGuid: string | undefined
}

/** DHnC or DH2C. */
export interface AskedReconnect {
  readonly version: 1 | 2
  readonly persistent: boolean
  readonly openId: bigint
  readonly createGuid: string | undefined
}

type Found = Buffer | undefined

/** How long a durable open waits for its client where that does not say. */
const defaultTimeoutMs = 60_000
/** However long a client asks for (3.3.5.9.10). */
const maxTimeoutMs = 300_000

export const durableTimeoutMs = ({ timeoutMs }: AskedDurability): number => Math.min(timeoutMs === 0 ? defaultTimeoutMs : timeoutMs, maxTimeoutMs)

/** Which contexts exclude each other: [there, of these none may be there]. A reconnect of version 1 ignores a request of version 1 beside it. */
const exclusive = [
  ['DHnC', ['DH2Q', 'DH2C']],
  ['DHnQ', ['DH2Q', 'DH2C']],
  ['DH2C', ['DH2Q']],
] as const

export function durableContexts(
  find: (name: string) => Found,
  dialect: number,
): { readonly durable: AskedDurability | undefined; readonly reconnect: AskedReconnect | undefined } {
  const isNew = dialect >= Dialect.smb300
  const there: Readonly<Record<'DHnQ' | 'DHnC' | 'DH2Q' | 'DH2C', Found>> = {
    DHnQ: find(CreateContextName.durableHandleRequest),
    DHnC: find(CreateContextName.durableHandleReconnect),
    DH2Q: isNew ? find(CreateContextName.durableHandleRequestV2) : undefined,
    DH2C: isNew ? find(CreateContextName.durableHandleReconnectV2) : undefined,
  }
  for (const [one, others] of exclusive) {
    if (there[one] !== undefined && others.some(other => there[other] !== undefined)) throw new StatusError(NtStatus.INVALID_PARAMETER)
  }
  const reconnect = reconnectOf(there.DHnC, there.DH2C)
  return { reconnect, durable: reconnect === undefined ? requestOf(there.DHnQ, there.DH2Q) : undefined }
}

function requestOf(first: Found, second: Found): AskedDurability | undefined {
  if (second !== undefined) {
    const { timeoutMs, flags, createGuid } = DurableHandleRequestV2.decode(second)
    return { version: 2, persistent: (flags & DurableHandleFlags.persistent) !== 0, timeoutMs, createGuid: plain(createGuid) }
  }
  return first === undefined ? undefined : { version: 1, persistent: false, timeoutMs: 0, createGuid: undefined }
}

function reconnectOf(first: Found, second: Found): AskedReconnect | undefined {
  if (second !== undefined) {
    const { fileId, flags, createGuid } = DurableHandleReconnectV2.decode(second)
    return { version: 2, persistent: (flags & DurableHandleFlags.persistent) !== 0, openId: fileId.persistent, createGuid: plain(createGuid) }
  }
  if (first === undefined) return undefined
  return { version: 1, persistent: false, openId: DurableHandleReconnect.decode(first).fileId.persistent, createGuid: undefined }
}

const plain = (guid: string): string => guid.replaceAll('-', '')

/** What the response says of a durable open (2.2.14.2.3, 2.2.14.2.12). */
export function durableResponse(asked: AskedDurability, persistent: boolean): CreateContext {
  if (asked.version === 1) return { name: CreateContextName.durableHandleRequest, data: DurableHandleResponse.toBytes({}) }
  const data = DurableHandleResponseV2.toBytes({ timeoutMs: durableTimeoutMs(asked), flags: persistent ? DurableHandleFlags.persistent : 0 })
  return { name: CreateContextName.durableHandleRequestV2, data }
}
