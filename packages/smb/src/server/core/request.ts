/** One request on its way through the server: what handlers see as RequestContext, and the writing of its response's header. */
import { HeaderFlags } from '../../messages/constants.ts'
import { headerOffset, headerSize } from '../../messages/header.ts'
import { NtStatus } from '../../messages/nt-status.ts'
import type { Signer } from '../../security/signing.ts'
import { arrivalOf } from './arrival.ts'
import type { Chain } from './chain.ts'
import type { SmbConnection } from './connection.ts'
import type { CommandEntry } from './dispatch.ts'
import { StatusError } from './handler-api.ts'
import type { CancelReason, Outcome, RequestContext, ServerOpen } from './handler-api.ts'
import type { Session } from './session.ts'
import type { Tree } from './tree.ts'

const errorStructureSize = 9
const asyncFlag = HeaderFlags.asyncCommand

/** What a handler returns that has given the connection to another worker: there is nothing to answer. */
export const movedAway = -1 as Outcome

export class SmbRequest implements RequestContext {
  readonly chain: Chain
  readonly command: number
  readonly flags: number
  readonly messageId: number
  readonly creditCharge: number
  readonly isRelated: boolean
  /** Nothing of the frame follows it. */
  readonly isLast: boolean
  message: Buffer
  /** Set by `resolve` (dispatch.ts). */
  entry!: CommandEntry
  session!: Session
  tree!: Tree
  open: ServerOpen | undefined = undefined
  /** The ChannelSequence with which it was counted in at its open; -1 where it was not. */
  enteredSequence = -1
  outlivesConnection = false
  transferredBytes = 0
  /** Signs the response. */
  signer: Signer | undefined = undefined
  /** The request's signature was there and right. */
  isSigned = false
  /** 0 until it has gone asynchronous. */
  asyncId = 0
  /** For the interim response after a delay: when it was begun, by the server's clock. */
  startedAtMs = 0
  /** Settles when the handler is done; while it is running. */
  outcome: Promise<Outcome> | undefined = undefined
  /** The handler said that it waits for something that others do. */
  isWaiting = false
  holdsAttention = false
  /** The handler said `idle`: its waiting does not hold the event loop's attention. */
  isIdle = false
  /** SESSION_SETUP answers with another SessionId than the request's. */
  responseSessionId: number | undefined = undefined
  responseTreeId: number | undefined = undefined
  cancelReason: CancelReason | undefined = undefined
  #cancelListener: ((reason: CancelReason) => void) | undefined = undefined
  /** Who goes on when this is done or waits for others. */
  #followers: (() => void)[] | undefined = undefined
  /** It was early once: what it names was to arrive. */
  hasWaited = false
  #abort: AbortController | undefined = undefined
  /** Place of the response's header in the chain's buffer, -1 before `reserve`. */
  #at = -1
  #bodyLength = -1
  #errorData: Uint8Array | undefined = undefined

  constructor(chain: Chain, message: Buffer, options: { readonly multiCredit: boolean; readonly isLast: boolean }) {
    this.chain = chain
    this.message = message
    this.command = message.readUInt16LE(headerOffset.command)
    this.flags = message.readUInt32LE(headerOffset.flags)
    this.messageId = readMessageId(message)
    this.creditCharge = options.multiCredit ? message.readUInt16LE(headerOffset.creditCharge) || 1 : 1
    this.isRelated = (this.flags & HeaderFlags.relatedOperations) !== 0
    this.isLast = options.isLast
  }

  get connection(): SmbConnection {
    return this.chain.connection
  }

  get channelSequence(): number {
    return this.connection.dialect >= 0x0300 ? this.message.readUInt16LE(headerOffset.status) : 0
  }

  get orphaned(): boolean {
    return this.chain.message.orphaned
  }

  get isEncrypted(): boolean {
    return this.chain.encryptedBy !== undefined
  }

  reserve(bodyLengthMax: number): Buffer {
    const at = this.chain.room(headerSize + bodyLengthMax)
    this.#at = at
    return this.chain.buffer.subarray(at + headerSize, at + headerSize + bodyLengthMax)
  }

  reply(bodyLength: number, status: number = NtStatus.SUCCESS): Outcome {
    this.#bodyLength = bodyLength
    return status as Outcome
  }

  fail(status: number, errorData?: Uint8Array): Outcome {
    this.#bodyLength = -1
    this.#errorData = errorData
    return status as Outcome
  }

  goOnWithoutConnection(): void {
    this.outlivesConnection = true
  }

  async otherOpen(fileId: Buffer): Promise<ServerOpen | undefined> {
    const { opens } = this.session
    if (opens.at(fileId, 0) === undefined) await arrivalOf(this, fileId, 0)
    return opens.at(fileId, 0)
  }

  setOpen(open: ServerOpen): void {
    this.open = open
    open.channel.sequence = this.channelSequence
  }

  goAsync(options?: { readonly idle?: boolean }): void {
    this.isWaiting = true
    for (const follower of this.#followers?.splice(0) ?? []) follower()
    if (options?.idle === true) this.connection.becomeIdle(this)
    if (this.asyncId !== 0 || !this.entry.mayGoAsync) return
    if (!this.isLast && !this.entry.mayGoAsyncInside) {
      throw new StatusError(NtStatus.INTERNAL_ERROR, 'a request in the middle of a compound can not go asynchronous')
    }
    if (!this.connection.goAsync(this)) throw new StatusError(NtStatus.INSUFFICIENT_RESOURCES, 'too many asynchronous requests')
  }

  /** Resolves when the handler is done with what it does itself: with its outcome, or when it begins to wait for what others do. */
  ownWork(outcome: Promise<unknown>): Promise<void> {
    return new Promise(resolve => {
      const follower = (): void => resolve()
      ;(this.#followers ??= []).push(follower)
      outcome.then(follower, follower)
    })
  }

  onCancel(listener: (reason: CancelReason) => void): void {
    if (this.cancelReason === undefined) this.#cancelListener = listener
    else listener(this.cancelReason)
  }

  get cancelled(): boolean {
    return this.cancelReason !== undefined
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController()
      if (this.cancelReason !== undefined) this.#abort.abort()
    }
    return this.#abort.signal
  }

  releaseBytes(): void {
    if (!this.isLast || this.message.length === headerSize) return
    this.message = Buffer.from(this.message.subarray(0, headerSize))
    if (this.asyncId !== 0) this.connection.checkpointAsync(this, true)
    this.chain.releaseMessage()
  }

  /** Tells the handler that nobody waits for it any more. Only the first call counts. True: it listens, and gives up soon. */
  cancel(reason: CancelReason): boolean {
    if (this.cancelReason !== undefined) return false
    this.cancelReason = reason
    const listener = this.#cancelListener
    this.#cancelListener = undefined
    this.#abort?.abort()
    listener?.(reason)
    return listener !== undefined
  }

  /** Writes the header (and, for a failure, the body) of the response and hands it to the chain. */
  finish(status: number): void {
    const { chain } = this
    // A related request may say -1 for what it takes from the one before; the response says what it was.
    if (this.isRelated && this.session !== undefined) {
      this.responseSessionId ??= this.session.number
      if (this.tree !== undefined) this.responseTreeId ??= this.tree.id
    }
    let bodyLength = this.#bodyLength
    if (bodyLength < 0) bodyLength = this.#writeError()
    const at = this.#at
    // With AsyncId the credits were granted by the interim response (3.3.4.2).
    const credits = this.asyncId === 0 ? this.connection.grantCredits(this, status) : 0
    this.#writeHeader(chain.buffer, at, { status, credits, async: this.asyncId !== 0 })
    chain.append(at, at + headerSize + bodyLength, this.signer)
  }

  /**
   * Writes the interim response (3.3.4.2) into a buffer of its own: the chain's may be what the handler is filling. Unsigned (3.3.4.1.1).
   * Returns where it ends.
   */
  writeInterim(buffer: Buffer, at: number, credits: number): number {
    this.#writeHeader(buffer, at, { status: NtStatus.PENDING, credits, async: true })
    buffer[at + headerOffset.flags] &= ~HeaderFlags.signed
    buffer.fill(0, at + headerOffset.signature, at + headerSize + errorStructureSize)
    buffer[at + headerSize] = errorStructureSize
    return at + headerSize + errorStructureSize
  }

  /** ERROR response (2.2.2); in 3.1.1 error data stands in an error context (2.2.2.1). */
  #writeError(): number {
    const data = this.#errorData
    if (data === undefined || data.length === 0) {
      const body = this.reserve(errorStructureSize)
      body.fill(0)
      body[0] = errorStructureSize
      return errorStructureSize
    }
    const inContext = this.connection.dialect >= 0x0311
    const length = data.length + (inContext ? 8 : 0)
    const body = this.reserve(8 + length)
    body.writeUInt16LE(errorStructureSize, 0)
    body[2] = inContext ? 1 : 0
    body[3] = 0
    body.writeUInt32LE(length, 4)
    if (inContext) {
      body.writeUInt32LE(data.length, 8)
      body.writeUInt32LE(0, 12)
    }
    body.set(data, inContext ? 16 : 8)
    return 8 + length
  }

  #writeHeader(buffer: Buffer, at: number, options: { status: number; credits: number; async: boolean }): void {
    // Most fields are the request's: protocol id, size, credit charge, command, MessageId, process id, TreeId, SessionId. So is the
    // signature where the response can't be signed: clients know USER_SESSION_DELETED and the like by that.
    this.message.copy(buffer, at, 0, headerSize)
    buffer.writeUInt32LE(options.status, at + headerOffset.status)
    buffer.writeUInt16LE(options.credits, at + headerOffset.credits)
    let flags = (this.flags | HeaderFlags.serverToRedir) & ~asyncFlag
    if (options.async) {
      flags |= asyncFlag
      buffer.writeUInt32LE(this.asyncId % 0x1_0000_0000, at + headerOffset.asyncId)
      buffer.writeUInt32LE(Math.floor(this.asyncId / 0x1_0000_0000), at + headerOffset.asyncId + 4)
    } else if (this.responseTreeId !== undefined) {
      buffer.writeUInt32LE(this.responseTreeId, at + headerOffset.treeId)
    }
    buffer.writeUInt32LE(flags >>> 0, at + headerOffset.flags)
    buffer.writeUInt32LE(0, at + headerOffset.nextCommand)
    if (this.responseSessionId !== undefined) {
      buffer.writeUInt32LE(this.responseSessionId, at + headerOffset.sessionId)
      buffer.writeUInt32LE(0, at + headerOffset.sessionId + 4)
    }
  }
}

/** The MessageId; what is above 2^53 is out of any window anyway, and rounds to something that is as well. */
export const readMessageId = (message: Buffer): number =>
  message.readUInt32LE(headerOffset.messageId) + message.readUInt32LE(headerOffset.messageId + 4) * 0x1_0000_0000
