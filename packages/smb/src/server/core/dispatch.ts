/** THE table of commands, and the checks that every request passes before its handler is called (MS-SMB2 3.3.5.2). */
import { Command, HeaderFlags, LockFlags } from '../../messages/constants.ts'
import { Fsctl } from '../../messages/fsctl.ts'
import { headerOffset, headerSize } from '../../messages/header.ts'
import { NtStatus } from '../../messages/nt-status.ts'
import { cancel } from './cancel.ts'
import { echo } from './echo.ts'
import type { CommandHandler, FileCommands, Outcome } from './handler-api.ts'
import type { MaybePromise } from '@holdfast/storage'
import { logoff } from './logoff.ts'
import { negotiate } from './negotiate.ts'
import type { SmbRequest } from './request.ts'
import { sessionSetup } from './session-setup.ts'
import { treeConnect } from './tree-connect.ts'
import { treeDisconnect } from './tree-disconnect.ts'
import { isValidateNegotiate, validateNegotiate } from './validate-negotiate.ts'

/** Where payload lengths stand in a body, for the credit charge (3.3.5.2.5); offsets count from the body. */
type Payload = (message: Buffer) => number

export interface CommandEntry {
  readonly name: string
  /** StructureSize of the request's body (2.2.x). */
  readonly structureSize: number
  readonly needsSession: boolean
  readonly needsTree: boolean
  /** Offset of FileId in the body, -1 where there is none. */
  readonly fileIdAt: number
  /** FileId may be all ones outside of a related request. */
  readonly fileIdOptional: boolean
  /** Bytes that the request or its response carries at most. */
  readonly payload: Payload | undefined
  /** An interim response may be sent when it takes its time. */
  readonly mayGoAsync: boolean
  /** The same in the middle of a compound (3.3.4.2: a CREATE that waits for an oplock break). */
  readonly mayGoAsyncInside: boolean
  /** Carried out in an expired session as well (3.3.5.2.9). */
  readonly whenExpired: (message: Buffer) => boolean
  /** The core's own, or the file room's. */
  readonly handler: (request: SmbRequest) => MaybePromise<Outcome>
}

const u32 = (at: number) => (message: Buffer) => message.readUInt32LE(headerSize + at)
/** IOCTL: what is sent or what may come back, whichever is more (3.3.5.15). */
const ioctlPayload: Payload = message => {
  const at = (offset: number) => message.readUInt32LE(headerSize + offset)
  return Math.max(at(28) + at(40), at(32) + at(44))
}
const queryInfoPayload: Payload = message => Math.max(message.readUInt32LE(headerSize + 4), message.readUInt32LE(headerSize + 12))

const always = (): boolean => true
const never = (): boolean => false
/** LOCK: what is locked may be let go, and nothing else (3.3.5.2.9, 3.3.5.14). */
const unlocks = (message: Buffer): boolean => message.length >= headerSize + 44 && (message.readUInt32LE(headerSize + 40) & LockFlags.unlock) !== 0

const defaults = {
  needsSession: true,
  needsTree: true,
  fileIdAt: -1,
  fileIdOptional: false,
  payload: undefined,
  mayGoAsync: true,
  mayGoAsyncInside: false,
  whenExpired: never,
} as const

/** A table indexed by command code. */
export function commandTable(files: FileCommands): readonly CommandEntry[] {
  const entries: Record<number, CommandEntry> = {
    [Command.negotiate]: {
      ...defaults,
      name: 'negotiate',
      structureSize: 36,
      needsSession: false,
      needsTree: false,
      mayGoAsync: false,
      handler: negotiate,
    },
    [Command.sessionSetup]: {
      ...defaults,
      name: 'session_setup',
      structureSize: 25,
      needsSession: false,
      needsTree: false,
      mayGoAsync: false,
      handler: sessionSetup,
    },
    [Command.logoff]: { ...defaults, name: 'logoff', structureSize: 4, needsTree: false, mayGoAsync: false, whenExpired: always, handler: logoff },
    [Command.treeConnect]: { ...defaults, name: 'tree_connect', structureSize: 9, needsTree: false, mayGoAsync: false, handler: treeConnect },
    [Command.treeDisconnect]: { ...defaults, name: 'tree_disconnect', structureSize: 4, mayGoAsync: false, handler: treeDisconnect },
    [Command.create]: { ...defaults, name: 'create', structureSize: 57, mayGoAsyncInside: true, handler: files.create },
    [Command.close]: { ...defaults, name: 'close', structureSize: 24, fileIdAt: 8, whenExpired: always, handler: files.close },
    [Command.flush]: { ...defaults, name: 'flush', structureSize: 24, fileIdAt: 8, handler: files.flush },
    [Command.read]: { ...defaults, name: 'read', structureSize: 49, fileIdAt: 16, payload: u32(4), handler: files.read },
    [Command.write]: { ...defaults, name: 'write', structureSize: 49, fileIdAt: 16, payload: u32(4), handler: files.write },
    [Command.lock]: { ...defaults, name: 'lock', structureSize: 48, fileIdAt: 8, whenExpired: unlocks, handler: files.lock },
    [Command.ioctl]: {
      ...defaults,
      name: 'ioctl',
      structureSize: 57,
      fileIdAt: 8,
      fileIdOptional: true,
      payload: ioctlPayload,
      handler: files.ioctl,
    },
    [Command.cancel]: { ...defaults, name: 'cancel', structureSize: 4, needsSession: false, needsTree: false, whenExpired: always, handler: cancel },
    [Command.echo]: { ...defaults, name: 'echo', structureSize: 4, needsSession: false, needsTree: false, whenExpired: always, handler: echo },
    [Command.queryDirectory]: {
      ...defaults,
      name: 'query_directory',
      structureSize: 33,
      fileIdAt: 8,
      payload: u32(28),
      handler: files.queryDirectory,
    },
    [Command.changeNotify]: { ...defaults, name: 'change_notify', structureSize: 32, fileIdAt: 8, payload: u32(4), handler: files.changeNotify },
    [Command.queryInfo]: { ...defaults, name: 'query_info', structureSize: 41, fileIdAt: 24, payload: queryInfoPayload, handler: files.queryInfo },
    [Command.setInfo]: {
      ...defaults,
      name: 'set_info',
      structureSize: 33,
      fileIdAt: 16,
      payload: u32(4),
      // Whoever waits for others' breaks here does so without a word, as with Windows.
      mayGoAsync: false,
      handler: files.setInfo,
    },
    [Command.oplockBreak]: { ...defaults, name: 'oplock_break', structureSize: 24, fileIdAt: 8, handler: files.oplockBreak },
  }
  return Object.values(entries)
}

const leaseBreakAcknowledgementSize = 36

/** Flags that a request may have (2.2.1.2); the rest is INVALID_PARAMETER. */
function flagsAllowed(request: SmbRequest): number {
  const { dialect } = request.connection
  return (
    HeaderFlags.relatedOperations |
    HeaderFlags.signed |
    HeaderFlags.dfsOperations |
    (dialect >= 0x0300 ? HeaderFlags.replayOperation : 0) |
    (dialect >= 0x0311 || request.command === Command.negotiate ? HeaderFlags.priorityMask : 0) |
    (request.command === Command.cancel ? HeaderFlags.asyncCommand : 0)
  )
}

/** Flags and nothing else that need no look at the dialect. */
const everydayFlags = HeaderFlags.relatedOperations | HeaderFlags.signed | HeaderFlags.dfsOperations

/**
 * Finds session, tree and open of a request and checks that it is allowed (3.3.5.2.4 to 3.3.5.2.11). Returns SUCCESS, or the status to
 * answer with. The order is what Windows and Samba do, and what tests expect.
 */
export function resolve(request: SmbRequest, table: readonly CommandEntry[]): number {
  const { chain, connection, command, message, flags, isRelated } = request
  const entry = table[command]
  const sessionStatus = findSession(request)
  const { session } = request
  if (session?.encryptData === true && command !== Command.sessionSetup) chain.encryptWith(session)
  if (chain.encryptedBy !== undefined) {
    if (session !== undefined && session !== chain.encryptedBy) return NtStatus.ACCESS_DENIED
  } else if (session?.encryptData === true && session.isEstablished && command !== Command.sessionSetup) {
    return NtStatus.ACCESS_DENIED
  }
  if (entry === undefined) return NtStatus.INVALID_PARAMETER
  request.entry = entry
  if ((flags & ~everydayFlags) !== 0 && (flags & ~flagsAllowed(request)) !== 0) return NtStatus.INVALID_PARAMETER
  if (isRelated) {
    // There is nothing to be related to, or what there was had no session.
    if (chain.isFirst) return NtStatus.INVALID_PARAMETER
    if (sessionStatus !== NtStatus.SUCCESS && sessionStatus !== NtStatus.NETWORK_SESSION_EXPIRED) return NtStatus.INVALID_PARAMETER
  } else {
    chain.open = undefined
    chain.createStatus = 0
  }
  if (chain.encryptedBy === undefined && (session?.signingRequired === true || (flags & HeaderFlags.signed) !== 0)) {
    const status = checkSignature(request)
    if (status !== NtStatus.SUCCESS) return status
    if (sessionStatus !== NtStatus.SUCCESS && command !== Command.sessionSetup) return sessionStatus
  }
  if (isRelated && chain.createStatus !== 0) return chain.createStatus
  if (entry.needsSession && sessionStatus !== NtStatus.SUCCESS) return sessionStatus
  const sizeStatus = checkSize(request, entry)
  if (sizeStatus !== NtStatus.SUCCESS) return sizeStatus
  if (entry.needsTree) {
    const status = findTree(request)
    if (status !== NtStatus.SUCCESS) return status
  }
  if (connection.supportsMultiCredit && entry.payload !== undefined) {
    // (3.3.5.2.5) one credit for each 64 KiB begun.
    if ((entry.payload(message) - 1) / 65536 >= request.creditCharge) return NtStatus.INVALID_PARAMETER
  }
  if (entry.fileIdAt >= 0) {
    const status = findOpen(request, entry)
    if (status !== NtStatus.SUCCESS) return status
  }
  return NtStatus.SUCCESS
}

/** (3.3.5.2.9) The session of a related request is that of the one before. */
function findSession(request: SmbRequest): number {
  const { chain, connection, message } = request
  if (request.isRelated) {
    if (chain.session !== undefined) request.session = chain.session
  } else {
    chain.session = undefined
    chain.tree = undefined
    const low = message.readUInt32LE(headerOffset.sessionId)
    const high = message.readUInt32LE(headerOffset.sessionId + 4)
    const found = high === 0 ? connection.findSession(low) : undefined
    if (found !== undefined) {
      request.session = found
      chain.session = found
    }
  }
  const { session } = request
  if (session === undefined) return NtStatus.USER_SESSION_DELETED
  if (session.state === 'valid') {
    if (session.expiresAtMs !== Infinity && connection.server.clock() >= session.expiresAtMs) session.on('ticket-expired')
    else return NtStatus.SUCCESS
  }
  switch (session.state) {
    case 'closed':
      return NtStatus.USER_SESSION_DELETED
    case 'expired':
      return request.command === Command.sessionSetup || connection.server.table[request.command]?.whenExpired(request.message) === true
        ? NtStatus.SUCCESS
        : NtStatus.NETWORK_SESSION_EXPIRED
    case 'in-progress':
      return NtStatus.INVALID_HANDLE
    default:
      return NtStatus.SUCCESS
  }
}

/** (3.3.5.2.4) */
function checkSignature(request: SmbRequest): number {
  const { session, connection, command } = request
  if (session === undefined) {
    if (command === Command.negotiate) return NtStatus.INVALID_PARAMETER
    // A SESSION_SETUP that binds is verified there, with the key of a session that this connection does not have yet.
    return command === Command.sessionSetup && !request.isRelated ? NtStatus.SUCCESS : NtStatus.USER_SESSION_DELETED
  }
  const signer = connection.signerOf(session)
  // Not authenticated yet: nothing to verify with.
  if (signer === undefined) return command === Command.sessionSetup ? NtStatus.SUCCESS : NtStatus.ACCESS_DENIED
  if (command !== Command.cancel) request.signer = signer
  if ((request.flags & HeaderFlags.signed) === 0 || !signer.verify(request.message, 'client')) return NtStatus.ACCESS_DENIED
  request.isSigned = true
  return NtStatus.SUCCESS
}

function checkSize(request: SmbRequest, entry: CommandEntry): number {
  const { message } = request
  const bodyLength = message.length - headerSize
  if (bodyLength < 2) return NtStatus.INVALID_PARAMETER
  const structureSize = message.readUInt16LE(headerSize)
  // An odd StructureSize counts one byte of the variable part.
  if (structureSize === entry.structureSize && bodyLength >= (structureSize & ~1)) return NtStatus.SUCCESS
  const isLeaseBreak = request.command === Command.oplockBreak && structureSize === leaseBreakAcknowledgementSize && bodyLength >= structureSize
  return isLeaseBreak ? NtStatus.SUCCESS : NtStatus.INVALID_PARAMETER
}

/** (3.3.5.2.11) */
function findTree(request: SmbRequest): number {
  const { chain, session, message } = request
  const tree = request.isRelated && chain.tree !== undefined ? chain.tree : session.trees.get(message.readUInt32LE(headerOffset.treeId))
  if (tree === undefined || session.trees.get(tree.id) !== tree) {
    // FSCTL_VALIDATE_NEGOTIATE_INFO protects the connection, whatever became of the tree.
    return isValidateNegotiate(request) ? NtStatus.SUCCESS : NtStatus.NETWORK_NAME_DELETED
  }
  request.tree = tree
  chain.tree = tree
  if (tree.share.encrypt) {
    chain.encryptWith(session)
    if (chain.encryptedBy === undefined) return NtStatus.ACCESS_DENIED
  }
  return NtStatus.SUCCESS
}

function findOpen(request: SmbRequest, entry: CommandEntry): number {
  const { chain, session, message } = request
  if (request.command === Command.oplockBreak && message.readUInt16LE(headerSize) === leaseBreakAcknowledgementSize) return NtStatus.SUCCESS
  if (request.isRelated && chain.open !== undefined) {
    if (!session.opens.has(chain.open)) return NtStatus.FILE_CLOSED
    request.open = chain.open
    return NtStatus.SUCCESS
  }
  const at = headerSize + entry.fileIdAt
  if (entry.fileIdOptional && opensNothing.has(message.readUInt32LE(headerSize + 4)) && !isAllOnes(message, at)) return NtStatus.INVALID_PARAMETER
  const open = session.opens.at(message, at)
  if (open !== undefined && open.tree === request.tree) {
    request.open = open
    chain.open = open
    return NtStatus.SUCCESS
  }
  if (entry.fileIdOptional && !request.isRelated && isAllOnes(message, at)) return NtStatus.SUCCESS
  return NtStatus.FILE_CLOSED
}

/** FSCTLs that are about no open: their FileId is all ones, else INVALID_PARAMETER (3.3.5.15). */
const opensNothing: ReadonlySet<number> = new Set([Fsctl.dfsGetReferrals, Fsctl.dfsGetReferralsEx, Fsctl.pipeWait, Fsctl.queryNetworkInterfaceInfo])

const isAllOnes = (message: Buffer, at: number): boolean =>
  message.readUInt32LE(at) === 0xffffffff &&
  message.readUInt32LE(at + 4) === 0xffffffff &&
  message.readUInt32LE(at + 8) === 0xffffffff &&
  message.readUInt32LE(at + 12) === 0xffffffff

/** Carries a resolved request out. */
export function execute(request: SmbRequest): MaybePromise<Outcome> {
  if (request.command === Command.ioctl && isValidateNegotiate(request)) return validateNegotiate(request)
  return (request.entry.handler as CommandHandler & CommandEntry['handler'])(request)
}
