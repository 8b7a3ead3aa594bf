/** One TCP connection of a client (MS-SMB2 3.3.1.7). */
import type { Connection, ConnectionHandler, Message } from '@holdfast/engine'
import { MalformedError } from '@holdfast/wire'
import { Command, Dialect, HeaderFlags, SecurityMode } from '../../messages/constants.ts'
import { headerOffset, headerSize, smb2ProtocolId } from '../../messages/header.ts'
import { NtStatus } from '../../messages/nt-status.ts'
import type { AeadAlgorithm } from '../../security/crypto.ts'
import { isTransformed, transformHeaderLengthBytes } from '../../security/encryption.ts'
import { PreauthHash } from '../../security/preauth.ts'
import type { Signer, SigningAlgorithm } from '../../security/signing.ts'
import { Chain } from './chain.ts'
import { isWellFormed, runChain } from './chain-runner.ts'
import type { ConnectionCheckpoint } from './checkpoints.ts'
import type { RequestCounters } from './counters.ts'
import { CreditWindow } from './credits.ts'
import type { ConnectionContext, Listeners } from './handler-api.ts'
import { answerSmb1, isSmb1, smb1Dialect, smb2HeaderForSmb1 } from './negotiate.ts'
import type { Negotiated } from './negotiate.ts'
import { readMessageId, SmbRequest } from './request.ts'
import { RunningRequests } from './running.ts'
import type { SmbServer } from './server.ts'
import type { Session } from './session.ts'

const unsolicitedMessageId = Buffer.alloc(8, 0xff)
/** Greatest transaction: directory listings, queries, FSCTLs (3.3.5.4 MaxTransactSize). */
const transactBytesMax = 8 * 1024 * 1024
/** Offset in the TRANSFORM_HEADER (2.2.41). */
const sessionIdInTransform = 44

export class SmbConnection implements ConnectionHandler, ConnectionContext {
  readonly server: SmbServer
  /** The engine's end. */
  readonly link: Connection
  readonly running = new RunningRequests()
  /** Sessions that this connection is an authenticated channel of, or that are being set up on it. */
  readonly sessions = new Map<number, Session>()
  /** Sessions that this connection is being bound to. */
  readonly bindings = new Map<number, Session>()
  negotiated: Negotiated | undefined = undefined
  preauth: PreauthHash | undefined = undefined
  readonly clientGuidBytes: Buffer = Buffer.alloc(16)
  /** Only anonymous sessions have been established on it, or none yet (3.3.1.7 Connection.ConstrainedConnection). */
  isConstrained = true
  /** Nothing is sent any more. */
  isGone = false
  /** Requests that an earlier worker has sent an interim response for: AsyncId by MessageId. */
  readonly restoredAsyncIds = new Map<number, number>()
  credits: CreditWindow
  #lastSession: Session | undefined = undefined
  #chains = 0
  #nextAsyncId = 1
  /** From SMB1 to the SMB2 NEGOTIATE that has to follow. */
  #isUpgrading = false
  #held: Message[] | undefined
  #holds = 0

  constructor(server: SmbServer, link: Connection) {
    this.server = server
    this.link = link
    this.credits = new CreditWindow({ creditsMax: server.settings.limits.credits })
    server.gauges.connections.add(1)
  }

  get id(): number {
    return this.link.id
  }
  get dialect(): number {
    return this.negotiated?.dialect ?? 0
  }
  get clientGuid(): string {
    return this.negotiated?.clientGuid ?? ''
  }
  get clientCapabilities(): number {
    return this.negotiated?.clientCapabilities ?? 0
  }
  get clientSecurityMode(): number {
    return this.negotiated?.clientSecurityMode ?? 0
  }
  get capabilities(): number {
    return this.negotiated?.capabilities ?? 0
  }
  get cipher(): AeadAlgorithm | undefined {
    return this.negotiated?.cipher
  }
  get signingAlgorithm(): SigningAlgorithm {
    return this.negotiated?.signingAlgorithm ?? 'HMAC-SHA256'
  }
  get supportsMultiCredit(): boolean {
    return (this.negotiated?.dialect ?? 0) > 0x0202
  }
  get maxTransactSize(): number {
    return this.negotiated === undefined || this.negotiated.dialect === Dialect.smb202 ? 65536 : transactBytesMax
  }
  get maxReadSize(): number {
    return this.negotiated?.transferBytesMax ?? 65536
  }
  get maxWriteSize(): number {
    return this.negotiated?.transferBytesMax ?? 65536
  }
  /** Of the server (2.2.4). */
  get securityMode(): number {
    return SecurityMode.signingEnabled | (this.server.settings.signingRequired ? SecurityMode.signingRequired : 0)
  }
  get remoteAddress(): string {
    return this.link.remoteAddress
  }
  get localAddress(): string {
    return this.link.localAddress
  }
  get listeners(): Listeners {
    return this.server.settings
  }
  get counters(): RequestCounters {
    return this.server.counters
  }
  /** Frames that have not been answered yet. */
  get chains(): number {
    return this.#chains
  }

  // Receiving

  onMessage(message: Message): void {
    if (this.isGone) {
      message.release()
      return
    }
    if (this.#held !== undefined) {
      this.#held.push(message)
      return
    }
    let chain: Chain | undefined
    try {
      const arrivedAtMs = performance.now()
      this.counters.bytesReceived.add(message.bytes.length)
      chain = this.#receive(message, arrivedAtMs)
      if (chain === undefined) return
      this.#chains += 1
      runChain(chain)
    } catch (error) {
      this.onBroken(error, chain)
      if (chain === undefined) message.release()
    }
  }

  /** Messages wait: for what a former worker has left to be in its place, or for an answer that has to go first. */
  async holdUntil(ready: Promise<unknown>): Promise<void> {
    this.#held ??= []
    this.#holds += 1
    this.server.node.beginAsync()
    try {
      await ready
    } catch (error) {
      this.server.log.error({ error, connection: this.id }, 'opens could not be recovered')
    } finally {
      this.server.node.endAsync()
    }
    this.#holds -= 1
    if (this.#holds > 0) return
    const held = this.#held
    this.#held = undefined
    for (const message of held) this.onMessage(message)
  }

  /** What is to be run; undefined when the message has been dealt with. Throws MalformedError: the connection is to be closed. */
  #receive(message: Message, arrivedAtMs: number): Chain | undefined {
    let { bytes } = message
    let encryptedBy: Session | undefined
    // A NetBIOS keep-alive.
    if (bytes.length === 0) {
      message.release()
      return undefined
    }
    if (isTransformed(bytes)) {
      encryptedBy = this.#sessionOfTransform(bytes)
      const { decryptor } = encryptedBy
      // In place: a worker that died with it may have done so.
      bytes = message.orphaned ? decryptor!.decryptAgain(bytes) : decryptor!.decrypt(bytes)
    } else if (this.negotiated === undefined && isSmb1(bytes)) {
      this.#upgrade(message, arrivedAtMs)
      return undefined
    }
    if (!isWellFormed(bytes, this.server.settings.limits.requestsPerCompound)) throw new MalformedError('smb2_header')
    if (this.negotiated === undefined && bytes.readUInt16LE(headerOffset.command) !== Command.negotiate) throw new MalformedError('not_negotiated')
    this.#takeCredits(bytes)
    return new Chain(this, { message, bytes, encryptedBy, arrivedAtMs })
  }

  /** (3.3.5.2.1.1) a session that is not there, or has no keys, costs the connection. */
  #sessionOfTransform(frame: Buffer): Session {
    if (frame.length < transformHeaderLengthBytes) throw new MalformedError('transform_short')
    const session = frame.readUInt32LE(sessionIdInTransform + 4) === 0 ? this.#sessionOrBinding(frame.readUInt32LE(sessionIdInTransform)) : undefined
    if (session?.decryptor === undefined || session.state === 'closed') throw new MalformedError('transform_session')
    // (3.3.5.2.1.1) encryption with keys that anybody may know is not for whom nobody knows.
    if (session.isAnonymous && this.isConstrained) throw new MalformedError('transform_constrained')
    session.usesEncryption = true
    return session
  }

  #sessionOrBinding(number: number): Session | undefined {
    return this.sessions.get(number) ?? this.bindings.get(number)
  }

  /** (3.3.5.2.3) every MessageId must be in the window; CANCEL uses none. */
  #takeCredits(bytes: Buffer): void {
    let at = 0
    for (;;) {
      if (bytes.readUInt16LE(at + headerOffset.command) !== Command.cancel) {
        const charge = this.supportsMultiCredit ? bytes.readUInt16LE(at + headerOffset.creditCharge) || 1 : 1
        const messageId = at === 0 ? readMessageId(bytes) : readMessageId(bytes.subarray(at))
        if (!this.credits.take(messageId, charge))
          throw new MalformedError('message_id', `MessageId ${messageId} with charge ${charge} is not in the window`)
      }
      const next = bytes.readUInt32LE(at + headerOffset.nextCommand)
      if (next === 0) return
      at += next
    }
  }

  /** (3.3.5.3) an SMB1 NEGOTIATE is answered only to go on with SMB2. */
  #upgrade(message: Message, arrivedAtMs: number): void {
    const dialect = this.#isUpgrading ? undefined : smb1Dialect(message.bytes, this.server.settings)
    if (dialect === undefined) throw new MalformedError('smb1', 'SMB1 is not spoken here')
    this.#isUpgrading = true
    this.credits.take(0, 1)
    const bytes = smb2HeaderForSmb1()
    const chain = new Chain(this, { message, bytes, encryptedBy: undefined, arrivedAtMs })
    chain.nextOffset = -1
    const request = new SmbRequest(chain, bytes, { multiCredit: false, isLast: true })
    request.finish(answerSmb1(request, dialect))
    chain.flush(true)
  }

  /** Something that can't be answered: it costs this connection and nothing else. */
  onBroken(error: unknown, chain: Chain | undefined): void {
    if (error instanceof MalformedError)
      this.server.log.info({ code: error.code, connection: this.id, remoteAddress: this.remoteAddress }, error.message)
    else this.server.log.error({ error, connection: this.id }, 'a message could not be handled')
    this.close('broken')
    chain?.abandon({ keepMessage: false })
  }

  // State

  findSession(number: number): Session | undefined {
    if (this.#lastSession !== undefined && this.#lastSession.number === number) return this.#lastSession
    const session = this.sessions.get(number)
    if (session !== undefined) this.#lastSession = session
    return session
  }

  /** What this connection's requests of a session are signed with; undefined before the first authentication is done. */
  signerOf(session: Session): Signer | undefined {
    return session.channels.get(this)?.signer
  }

  forgetSession(session: Session): void {
    if (this.#lastSession === session) this.#lastSession = undefined
    this.sessions.delete(session.number)
    this.bindings.delete(session.number)
    if (!this.isGone) this.link.checkpoint(`session/${session.number}`, undefined)
  }

  /** Somebody in particular has logged in on it. */
  onAuthenticated(): void {
    this.link.known()
    if (!this.isConstrained) return
    this.isConstrained = false
    this.checkpoint()
  }

  /** A binding has failed: the session goes on without this channel. */
  unbind(session: Session): void {
    this.bindings.delete(session.number)
    session.channels.get(this)?.signer?.close()
    session.channels.delete(this)
  }

  onNegotiated(negotiated: Negotiated, clientGuidBytes: Buffer): void {
    this.negotiated = negotiated
    // Not Buffer.from: a piece of Node's pool would keep all of that for as long as the connection lives.
    this.clientGuidBytes.set(clientGuidBytes)
    // After the response, when the pre-authentication hash has taken it in.
    queueMicrotask(() => this.checkpoint())
  }

  /** Tells the connection manager what another worker needs to go on. */
  checkpoint(credits?: { readonly low: number; readonly high: number }): void {
    if (this.isGone) return
    const state: ConnectionCheckpoint = {
      negotiated: this.negotiated,
      preauth: this.preauth?.value,
      clientGuidBytes: this.clientGuidBytes,
      isUpgrading: this.#isUpgrading,
      isConstrained: this.isConstrained,
      credits,
    }
    this.link.checkpoint('connection', state)
  }

  restore(state: ConnectionCheckpoint): void {
    this.negotiated = state.negotiated
    this.preauth = state.preauth === undefined ? undefined : new PreauthHash(state.preauth)
    this.clientGuidBytes.set(state.clientGuidBytes)
    this.#isUpgrading = state.isUpgrading
    this.isConstrained = state.isConstrained
    const creditsMax = this.server.settings.limits.credits
    this.credits = new CreditWindow(state.credits === undefined ? { creditsMax, lenient: true } : { creditsMax, ...state.credits })
  }

  /** Gives the connection to another worker, where `request` is carried out. */
  moveTo(worker: number, request: SmbRequest): void {
    const { low, high } = this.credits
    const inOrder = low === request.messageId + request.creditCharge
    if (inOrder) this.checkpoint({ low: request.messageId, high })
    else this.checkpoint()
    this.link.moveTo(worker, request.chain.message)
    this.isGone = true
  }

  // Sending

  grantCredits(request: SmbRequest, status: number): number {
    const { command } = request
    const cautious =
      command === Command.negotiate ||
      (command === Command.sessionSetup && status !== NtStatus.SUCCESS) ||
      this.running.size >= this.server.settings.limits.runningRequestsPerConnection
    return this.credits.grant(request.creditCharge, request.message.readUInt16LE(headerOffset.credits), cautious ? 'charge-only' : 'as-requested')
  }

  /** Sends the interim response (3.3.4.2); false when there are too many asynchronous requests already. */
  goAsync(request: SmbRequest): boolean {
    const { chain } = request
    if (this.isGone) return true
    if (this.running.asyncSize >= this.server.settings.limits.asyncRequestsPerConnection) return false
    // What was answered before goes first, in a message of its own.
    if (chain.hasUnsent) chain.flush(false)
    request.asyncId = this.#nextAsyncId++
    this.running.addAsync(request)
    const start = chain.encryptFor === undefined ? 0 : transformHeaderLengthBytes
    const buffer = this.link.allocate(start + headerSize + 16)
    const end = request.writeInterim(buffer, start, this.grantCredits(request, NtStatus.PENDING))
    if (chain.encryptFor !== undefined) chain.encryptFor.encryptor!.encrypt(buffer.subarray(0, end), chain.encryptFor.id)
    this.server.gauges.interimResponses.add(1)
    this.checkpointAsync(request, false)
    this.link.send(buffer, end)
    return true
  }

  /** Tells a successor of this worker which AsyncId the client has been told, and (`isReleased`) that it won't get the request. */
  checkpointAsync(request: SmbRequest, isReleased: boolean): void {
    if (this.isGone) return
    const header = isReleased ? Uint8Array.from(request.message.subarray(0, headerSize)) : undefined
    this.link.checkpoint(`async/${request.messageId}`, { messageId: request.messageId, asyncId: request.asyncId, header })
  }

  restoreAsync(state: { readonly messageId: number; readonly asyncId: number }): void {
    this.restoredAsyncIds.set(state.messageId, state.asyncId)
    this.#nextAsyncId = Math.max(this.#nextAsyncId, state.asyncId + 1)
  }

  /** Sends an OPLOCK_BREAK notification (3.3.4.6, 3.3.4.7): unsigned, encrypted where the session or one of its shares wants it. */
  sendUnsolicited(body: Uint8Array, session: Session): boolean {
    if (this.isGone) return false
    const encrypts = session.encryptor !== undefined && (session.encryptData || [...session.trees.values()].some(tree => tree.share.encrypt))
    const start = encrypts ? transformHeaderLengthBytes : 0
    const end = start + headerSize + body.length
    const buffer = this.link.allocate(end)
    buffer.fill(0, 0, start + headerSize)
    buffer.writeUInt32LE(smb2ProtocolId, start)
    buffer.writeUInt16LE(headerSize, start + 4)
    buffer.writeUInt16LE(Command.oplockBreak, start + headerOffset.command)
    buffer.writeUInt32LE(HeaderFlags.serverToRedir, start + headerOffset.flags)
    buffer.set(unsolicitedMessageId, start + headerOffset.messageId)
    buffer.set(body, start + headerSize)
    if (encrypts) session.encryptor!.encrypt(buffer.subarray(0, end), session.id)
    this.link.send(buffer, end)
    return true
  }

  // Requests that take their time

  onRunning(request: SmbRequest): void {
    this.running.add(request)
    if (!request.isIdle) {
      request.holdsAttention = true
      this.server.node.beginAsync()
    }
    if (request.entry?.mayGoAsync === true && request.isLast && request.asyncId === 0 && !request.chain.hasUnsent) this.server.slow.watch(request)
  }

  onAnswered(request: SmbRequest): void {
    this.running.remove(request)
    this.server.slow.forget(request)
    request.outcome = undefined
    if (request.holdsAttention) {
      request.holdsAttention = false
      this.server.node.endAsync()
    }
    if (request.asyncId === 0 || this.isGone) return
    this.restoredAsyncIds.delete(request.messageId)
    this.link.checkpoint(`async/${request.messageId}`, undefined)
  }

  becomeIdle(request: SmbRequest): void {
    request.isIdle = true
    if (!request.holdsAttention) return
    request.holdsAttention = false
    this.server.node.endAsync()
  }

  chainDone(): void {
    this.#chains -= 1
    if (this.server.retired.length > 0) this.server.disposeRetired()
  }

  // The end

  close(reason: string): void {
    if (this.isGone) return
    this.isGone = true
    this.link.close(reason)
  }

  onClose(reason: 'closed' | 'moved' | 'shutdown'): void {
    this.isGone = true
    this.server.onConnectionClosed(this, reason === 'shutdown' ? 'shutdown' : 'connection-lost')
  }
}
