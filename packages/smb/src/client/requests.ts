/**
 * Requests as records: plain data that can be encoded whenever a message is sent, and so once more after a reconnect.
 *
 * An operation is a row of a table; a record is an operation, its value, and the scope it is for.
 */
import type { Codec } from '@holdfast/wire'
import {
  CancelRequest,
  ChangeNotifyRequest,
  ChangeNotifyResponse,
  CloseRequest,
  CloseResponse,
  Command,
  CreateRequest,
  CreateResponse,
  EchoRequest,
  EchoResponse,
  FlushRequest,
  FlushResponse,
  IoctlRequest,
  IoctlResponse,
  LockRequest,
  LockResponse,
  LogoffRequest,
  LogoffResponse,
  NegotiateRequest,
  NegotiateResponse,
  LeaseBreakAcknowledgment,
  LeaseBreakResponse,
  NtStatus,
  OplockBreakAcknowledgment,
  OplockBreakResponse,
  QueryDirectoryRequest,
  QueryDirectoryResponse,
  QueryInfoRequest,
  QueryInfoResponse,
  ReadRequest,
  ReadResponse,
  SessionSetupRequest,
  SessionSetupResponse,
  SetInfoRequest,
  SetInfoResponse,
  TreeConnectRequest,
  TreeConnectResponse,
  TreeDisconnectRequest,
  TreeDisconnectResponse,
  WriteRequest,
  WriteResponse,
} from '../messages/index.ts'
import type { PooledBuffer } from './buffers.ts'
import type { Incoming } from './incoming.ts'
import type { Protection } from './protection.ts'

/** A command with both its messages. */
export interface Operation<In, Out> {
  readonly name: string
  readonly command: number
  readonly request: Pick<Codec<unknown, In>, 'encode' | 'encodedLength'>
  readonly response: Pick<Codec<Out, never>, 'decode'>
  /** Statuses beside SUCCESS that come with a response of the command's own form. */
  readonly partial: readonly number[]
}

function operation<In, Out>(
  name: string,
  command: number,
  request: Operation<In, unknown>['request'],
  response: Operation<never, Out>['response'],
  partial: readonly number[] = [],
): Operation<In, Out> {
  return Object.freeze({ name, command, request, response, partial })
}

const overflow = [NtStatus.BUFFER_OVERFLOW]

/** All operations of a client (MS-SMB2 2.2). */
export const operations = Object.freeze({
  negotiate: operation('NEGOTIATE', Command.negotiate, NegotiateRequest, NegotiateResponse),
  sessionSetup: operation('SESSION_SETUP', Command.sessionSetup, SessionSetupRequest, SessionSetupResponse, [NtStatus.MORE_PROCESSING_REQUIRED]),
  logoff: operation('LOGOFF', Command.logoff, LogoffRequest, LogoffResponse),
  treeConnect: operation('TREE_CONNECT', Command.treeConnect, TreeConnectRequest, TreeConnectResponse),
  treeDisconnect: operation('TREE_DISCONNECT', Command.treeDisconnect, TreeDisconnectRequest, TreeDisconnectResponse),
  create: operation('CREATE', Command.create, CreateRequest, CreateResponse),
  close: operation('CLOSE', Command.close, CloseRequest, CloseResponse),
  flush: operation('FLUSH', Command.flush, FlushRequest, FlushResponse),
  read: operation('READ', Command.read, ReadRequest, ReadResponse, overflow),
  write: operation('WRITE', Command.write, WriteRequest, WriteResponse),
  lock: operation('LOCK', Command.lock, LockRequest, LockResponse),
  // INVALID_PARAMETER of a server-side copy comes with the server's limits (MS-SMB2 3.3.5.15.6.2).
  ioctl: operation('IOCTL', Command.ioctl, IoctlRequest, IoctlResponse, [...overflow, NtStatus.INVALID_PARAMETER]),
  cancel: operation('CANCEL', Command.cancel, CancelRequest, CancelRequest),
  echo: operation('ECHO', Command.echo, EchoRequest, EchoResponse),
  queryDirectory: operation('QUERY_DIRECTORY', Command.queryDirectory, QueryDirectoryRequest, QueryDirectoryResponse, overflow),
  changeNotify: operation('CHANGE_NOTIFY', Command.changeNotify, ChangeNotifyRequest, ChangeNotifyResponse),
  queryInfo: operation('QUERY_INFO', Command.queryInfo, QueryInfoRequest, QueryInfoResponse, overflow),
  oplockBreak: operation('OPLOCK_BREAK', Command.oplockBreak, OplockBreakAcknowledgment, OplockBreakResponse),
  leaseBreak: operation('OPLOCK_BREAK', Command.oplockBreak, LeaseBreakAcknowledgment, LeaseBreakResponse),
  setInfo: operation('SET_INFO', Command.setInfo, SetInfoRequest, SetInfoResponse),
})

/** Where a request goes: read when it is sent, so that a session that was set up anew has its new ids. */
export interface Scope {
  readonly sessionId: bigint
  /** 0 where there is none. */
  readonly treeId: number
  /** Undefined: before there is a session. */
  readonly protection: Protection | undefined
  /** What is sent in this scope is encrypted, and so must be what is answered. */
  readonly encrypts: boolean
}

/** Before there is a session. */
export const noScope: Scope = Object.freeze({ sessionId: 0n, treeId: 0, protection: undefined, encrypts: false })

/** A request that can be sent, and sent again. */
export interface RequestRecord<In, Wire, Out = Wire> {
  readonly operation: Operation<In, Wire>
  readonly value: In
  readonly scope: Scope
  /** Bytes that the request carries or the response may carry: decides what it costs. */
  readonly payloadBytes?: number
  /** Belongs to the open of the request before it in a compound (MS-SMB2 3.2.4.1.4). */
  readonly related?: boolean
  /** Signed, and its response as well, even where the session does not sign. */
  readonly mustSign?: boolean
  /** Statuses that are no failure; the reply has no value then, unless the operation says so. */
  readonly allows?: readonly number[]
  /** For errors. */
  readonly path?: string | undefined
  /** A WRITE's message, with its payload in place. */
  readonly message?: PooledBuffer
  /** Makes the value of a response, at once; without it the response is copied out and decoded. */
  readonly receive?: (incoming: Incoming) => Out
  /** The request was aborted, but it succeeded on the server. */
  readonly abandoned?: (value: Out) => void
  /** It is sent once more, for the connection was lost before the answer came. */
  readonly onRepeat?: (() => void) | undefined
  /** Sees the messages as they are on the wire (for pre-authentication integrity); the views are valid during the call only. */
  readonly observe?: { sent(message: Buffer): void; received(message: Buffer, status: number): void }
  /** Only for inference. */
  readonly outcome?: Out
}

/** A record of any operation. */
// oxlint-disable-next-line typescript/no-explicit-any -- in- and output belong together, whichever they are
export type AnyRecord = RequestRecord<any, any, any>

/** What came back. */
export interface Reply<Out> {
  /** NT_STATUS. */
  readonly status: number
  /** Undefined for a status that has none. */
  readonly value: Out | undefined
}

/** The replies of several records. */
export type Replies<Records extends readonly AnyRecord[]> = {
  -readonly [K in keyof Records]: Records[K] extends { readonly outcome?: infer Out } ? Reply<Exclude<Out, undefined>> : never
}

/** Makes a record; only here for inference. */
export const record = <In, Wire, Out = Wire>(one: RequestRecord<In, Wire, Out>): RequestRecord<In, Wire, Out> => one
