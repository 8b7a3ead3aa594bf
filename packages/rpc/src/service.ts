/** An RPC interface as a table: opnum -> operation, an operation's parameters as NDR layouts. */

import type { Fields, ValuesOf } from './ndr.ts'

export type MaybePromise<T> = T | Promise<T>

/** Who calls: the user of the SMB session that the pipe was opened in. */
export interface RpcUser {
  readonly name: string
  /** The domain part of the account; the server's name for its own accounts. */
  readonly domain: string
  /** `S-1-5-21-…` */
  readonly sid: string
  readonly isAdmin: boolean
}

/** What a handler may know of its caller; one per pipe. */
export interface CallContext {
  readonly user: RpcUser
  /** Context handles (C706 5.1.6) of this pipe: hex of the 16-octet id -> what it stands for. */
  readonly handles: Map<string, unknown>
}

/** One operation; `handle` gets the [in] parameters and returns the [out] ones with the return value as last field. */
export interface Operation {
  readonly name: string
  readonly input: Fields
  readonly output: Fields
  handle(input: Record<string, unknown>, context: CallContext): MaybePromise<Record<string, unknown>>
}

/** An RPC interface (C706 4.2.2.1) and its operations by opnum. */
export interface RpcService {
  readonly name: string
  readonly uuid: string
  readonly majorVersion: number
  readonly minorVersion: number
  readonly operations: Readonly<Record<number, Operation>>
}

/** Gives a handler the types that its layouts imply. Trailing [in] parameters that nobody looks at may be left out. */
export function operation<I extends Fields, O extends Fields>(definition: {
  readonly name: string
  readonly input: I
  readonly output: O
  handle(input: ValuesOf<I>, context: CallContext): MaybePromise<ValuesOf<O>>
}): Operation {
  return definition
}

/** Thrown by a handler: the caller gets a fault PDU with `status`. */
export class RpcFault extends Error {
  readonly status: number
  constructor(status: number) {
    super(`RPC fault 0x${status.toString(16)}`)
    this.name = 'RpcFault'
    this.status = status
  }
}

/** Win32 error codes that the services return (MS-ERREF 2.2; NERR_*: MS-SRVS 2.2.2). */
export const winError = {
  success: 0,
  fileNotFound: 2,
  accessDenied: 5,
  notSupported: 50,
  invalidParameter: 87,
  invalidName: 123,
  invalidLevel: 124,
  moreData: 234,
  netNameNotFound: 2310,
  clientNameNotFound: 2312,
} as const
