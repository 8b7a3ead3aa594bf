/**
 * What a command handler of the SMB2 server is written against.
 *
 * The core (this folder) has done, before a handler is called: decryption, signature, credits and their charge
 * (MS-SMB2 3.3.5.2.5), the header, the structure size and the fixed length of the body, session, tree and, for
 * commands that carry a FileId, the open. The handler reads `request.message`, writes the response's body into
 * the area that `request.reserve` gives, and returns `request.reply(...)` or `request.fail(...)` — at once, or by a
 * promise. The core writes the header, chains compounds, grants credits, signs, encrypts, sends and counts.
 *
 *     const echo: CommandHandler = request => {
 *       const body = request.reserve(4)
 *       body.writeUInt16LE(4, 0)
 *       body.writeUInt16LE(0, 2)
 *       return request.reply(4)
 *     }
 */
import type { OpenChannelState } from './channel-sequence.ts'
import type { FileSystem, MaybePromise } from '@holdfast/storage'

declare const outcomeBrand: unique symbol

/** What a handler gives back: an NT_STATUS, made by `request.reply` or `request.fail` and by nothing else. */
export type Outcome = number & { readonly [outcomeBrand]: true }

/**
 * Carries out one request. What it throws is mapped in errors.ts (StatusError, FsError, MalformedError; anything
 * else is our bug: logged, and answered INTERNAL_ERROR).
 */
export type CommandHandler = (request: RequestContext) => MaybePromise<Outcome>

/** Handlers by command code; what the file room plugs in. */
export interface FileCommands {
  readonly create: CommandHandler
  /** Called when other requests on the open are done, but for those that said `goAsync`: these it has to end. */
  readonly close: CommandHandler
  readonly flush: CommandHandler
  readonly read: CommandHandler
  readonly write: CommandHandler
  readonly lock: CommandHandler
  /** Every FSCTL but FSCTL_VALIDATE_NEGOTIATE_INFO, which the core answers. `request.open` is undefined when the FileId is all ones. */
  readonly ioctl: CommandHandler
  readonly queryDirectory: CommandHandler
  readonly changeNotify: CommandHandler
  readonly queryInfo: CommandHandler
  readonly setInfo: CommandHandler
  /**
   * OPLOCK_BREAK acknowledgement. The oplock form (StructureSize 24) has `request.open` resolved; the lease form
   * (StructureSize 36) has none.
   */
  readonly oplockBreak: CommandHandler
  /** A request names an open that is not here: whether it is a persistent one that waits for this client, whose reconnect was overtaken. */
  isAwaited(request: RequestContext, openId: bigint): MaybePromise<boolean>
  /** A worker has died, and its session goes on here: takes over the opens that wait for it. */
  recover(session: SessionContext, trees: ReadonlyMap<number, TreeContext>): Promise<void>
}

/** One request, from the moment its session and tree are known until its response is sent. */
export interface RequestContext {
  /** Command code (MS-SMB2 2.2.1). */
  readonly command: number
  readonly connection: ConnectionContext
  readonly session: SessionContext
  readonly tree: TreeContext
  /**
   * The open that the request's FileId names (for a related request: the one of the request before it). Always
   * there in handlers of commands that need one: FILE_CLOSED was answered otherwise.
   */
  readonly open: ServerOpen | undefined
  /**
   * The request from its header's first byte to its end (padding before the next request of a compound included):
   * offsets in SMB2 count from here, the body starts at 64. A view of shared memory, valid until the handler is
   * done (or `releaseBytes`).
   */
  readonly message: Buffer
  /** Header flags: SMB2_FLAGS_RELATED_OPERATIONS 4, SIGNED 8, DFS_OPERATIONS 0x10000000, REPLAY_OPERATION 0x20000000. */
  readonly flags: number
  readonly messageId: number
  /** Always >= 1. */
  readonly creditCharge: number
  /** ChannelSequence (3.x; 0 before). */
  readonly channelSequence: number
  /** True when an earlier worker died while it had this request: it may have been executed. Handlers that are not idempotent are not called then. */
  readonly orphaned: boolean
  /** Bytes of a file's content that the request has moved, as READ and WRITE tell; for /metrics and the log. */
  transferredBytes: number

  /**
   * The area of the response's body (offset 0 is the StructureSize, 64 after the header's start). Uninitialised
   * memory. A second call gives another area; nothing written before is kept.
   */
  reserve(bodyLengthMax: number): Buffer
  /** The response's body has this length in the reserved area. `status` is SUCCESS, or one that carries a regular body (BUFFER_OVERFLOW, NOTIFY_ENUM_DIR, …). */
  reply(bodyLength: number, status?: number): Outcome
  /** An ERROR response (2.2.2); the cheap way to answer the statuses that are everyday's (NO_SUCH_FILE, NO_MORE_FILES, END_OF_FILE). */
  fail(status: number, errorData?: Uint8Array): Outcome

  /** CREATE tells which open it made, for the related requests that follow. The open is in `session.opens` already. */
  setOpen(open: ServerOpen): void
  /** The session's open that the request names besides its own; a persistent one that is on its way back is waited for. */
  otherOpen(fileId: Buffer): Promise<ServerOpen | undefined>

  /**
   * The request is going to wait for something that may take its time (a lock, an oplock break, a change): answers
   * STATUS_PENDING with an AsyncId now (3.3.4.2). Call it before `reserve`. Harmless when called twice.
   * Throws StatusError INTERNAL_ERROR where it is not allowed: a request in the middle of a compound, unless
   * it is a CREATE (which then simply takes its time).
   * `idle`: what ends the wait arrives as a message or a call from another worker, so the worker may sleep meanwhile.
   */
  goAsync(options?: { readonly idle?: boolean }): void
  /**
   * Called at most once: `'cancelled'` when the client cancels the request or its connection is gone, `'closed'` when session or tree go away. The
   * handler then gives up soon, usually with `fail(CANCELLED)`. Called at once when it has happened already.
   */
  onCancel(listener: (reason: CancelReason) => void): void
  /**
   * The request is carried out to its end even if its connection is lost, as long as its session has another channel: the client will ask
   * there what has become of it.
   */
  goOnWithoutConnection(): void
  readonly cancelled: boolean
  /** An AbortSignal for the same, made on first use; prefer `onCancel` on hot paths. */
  readonly signal: AbortSignal
  /** The handler needs `message` and its views no more: their memory goes back before the response. For waits (CHANGE_NOTIFY, LOCK). */
  releaseBytes(): void
}

/** Why a request need not be finished: the client cancelled it or is gone, or its session or tree was closed. */
export type CancelReason = 'cancelled' | 'closed'

/** Where a request came from. */
export interface ConnectionContext {
  readonly id: number
  /** 0x0202, 0x0210, 0x0300, 0x0302, 0x0311. */
  readonly dialect: number
  /** 32 hex digits. */
  readonly clientGuid: string
  /** Capabilities the client announced (SMB2_GLOBAL_CAP_*). */
  readonly clientCapabilities: number
  /** Capabilities the server has answered with. */
  readonly capabilities: number
  /** Both sides may send requests with a credit charge above 1 (2.1 and later, not 2.0.2). */
  readonly supportsMultiCredit: boolean
  readonly maxTransactSize: number
  readonly maxReadSize: number
  readonly maxWriteSize: number
  readonly remoteAddress: string
  readonly localAddress: string
  readonly listeners: Listeners
}

/** How clients reach the server (`SmbServerConfig`). */
export interface Listeners {
  /** Hosts of the listeners; `''`, `::` and `0.0.0.0` are all addresses. */
  readonly listensOn: readonly string[]
  /** There is a listener for SMB Direct. */
  readonly offersRdma: boolean
}

/** An authenticated user. SIDs are strings ('S-1-5-21-…'). */
export interface TokenUser {
  readonly name: string
  readonly domain: string
  readonly sid: string
  readonly groupSids: readonly string[]
  /** May do what Administrators may (take ownership, …). */
  readonly isAdministrator: boolean
  /** When the session has to be authenticated again, in milliseconds since 1970 (a Kerberos ticket's end); never, when left out. */
  readonly expiresAtMs?: number
}

/** A session as the commands see it (MS-SMB2 3.3.1.8). */
export interface SessionContext {
  readonly id: bigint
  readonly user: TokenUser
  /** The session's opens by FileId. */
  readonly opens: OpenMap
  /** The connection it was established on (3.3.1.8 Session.Connection). */
  readonly clientGuid: string
  readonly dialect: number
  /**
   * Sends an OPLOCK_BREAK notification on one of the session's channels, the newest request's first, and on others while that one does not
   * acknowledge it and `isDue` says that it matters (3.3.4.6). False when no channel is left. `body` must not change afterwards.
   */
  sendBreak(body: Uint8Array, isDue: () => boolean): boolean
  /** The same with a lease break: leases are the client's, so its oldest connection is tried first (3.3.4.7). */
  sendLeaseBreak(body: Uint8Array, isDue: () => boolean): boolean
}

/** A tree connect as the commands see it (MS-SMB2 3.3.1.9). */
export interface TreeContext {
  readonly id: number
  readonly session: SessionContext
  readonly share: ShareContext
  /** GENERIC-free access mask (2.2.10 MaximalAccess). */
  readonly maximalAccess: number
  /** It has been disconnected, by its client or because the share has gone: nothing is opened through it any more. */
  readonly hasEnded: boolean
}

/** A share as this worker serves it. */
export interface ShareContext {
  readonly name: string
  readonly type: 'disk' | 'pipe'
  readonly comment: string
  readonly readOnly: boolean
  readonly continuouslyAvailable: boolean
  readonly encrypt: boolean
  /** undefined for IPC$. */
  readonly fileSystem: FileSystem | undefined
  /** What `SmbServerDependencies.shareExtension` made for it on this worker: the file room keeps its OpenTableClient and the like here. */
  readonly extension: unknown
}

/** Why an open is closed without a CLOSE. `ended`: an administrator says so, and it waits for nobody. */
export type OpenCloseReason = 'tree-disconnect' | 'logoff' | 'connection-lost' | 'shutdown' | 'ended'

/** What the core needs of an open; the file room's own type implements it. */
export interface ServerOpen {
  /** FileId.Persistent; chosen by the file room before `opens.add`. */
  readonly persistentId: bigint
  /** FileId.Volatile; set by `opens.add`. */
  volatileId: bigint
  readonly tree: TreeContext
  /** Kept by the core. */
  readonly channel: OpenChannelState
  /**
   * Called by the core when tree, session or connection go away; `opens.remove` was done already. Must not throw; a
   * rejection is logged.
   */
  onGone(reason: OpenCloseReason): MaybePromise<void>
}

/** Opens of a session by FileId. */
export interface OpenMap {
  readonly size: number
  /**
   * Gives the open its `volatileId`. Throws StatusError INSUFFICIENT_RESOURCES above the limit of opens per session, USER_SESSION_DELETED when the
   * session has ended meanwhile, NETWORK_NAME_DELETED when the tree connect has.
   */
  add<T extends ServerOpen>(open: T, reserved?: bigint): T
  /** A volatile id for an open to come: it is told to the open table with it. Throws like `add`. */
  reserve(): bigint
  /** The open did not come about; harmless where it did. */
  giveBack(volatileId: bigint): void
  /** Whether `restore` may give an open that id. */
  isFree(volatileId: bigint): boolean
  /** An open that had that id before: with another worker, or in a session that is gone. Throws StatusError as `add` does. */
  restore(open: ServerOpen, volatileId: bigint): void
  /** Idempotent. */
  remove(open: ServerOpen): void
  /** The open with the 16-byte FileId at `offset`, or undefined. */
  at(bytes: Buffer, offset: number): ServerOpen | undefined
  /** Writes the 16-byte FileId (2.2.14.1). */
  writeFileId(open: ServerOpen, target: Buffer, offset: number): void
  values(): Iterable<ServerOpen>
}

/** An outcome with an NT_STATUS of its own; thrown by handlers, answered by the core. */
export class StatusError extends Error {
  readonly code = 'STATUS'
  /** NT_STATUS. */
  readonly status: number
  /** ErrorData of the ERROR response (2.2.2). */
  readonly data: Uint8Array | undefined
  constructor(status: number, message?: string, data?: Uint8Array) {
    super(message ?? `NT_STATUS 0x${status.toString(16).padStart(8, '0')}`)
    this.name = 'StatusError'
    this.status = status
    this.data = data
  }
}
