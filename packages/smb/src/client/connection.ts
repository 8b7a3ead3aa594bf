/**
 * A connection (MS-SMB2 3.2.1.2): sends records within the credits there are, finds the request to each response, checks signatures, decrypts.
 *
 * It knows no session beyond its keys, and no file. What it leaves behind when it is lost it gives to its rescuer.
 */
import { MalformedError } from '@holdfast/wire'
import {
  asyncIdOf,
  Command,
  Dialect,
  isAsync,
  NtStatus,
  splitCompound,
  transformProtocolId,
  unsolicitedMessageId,
  HeaderFlags,
} from '../messages/index.ts'
import type { CompoundPart } from '../messages/index.ts'
import { transformSessionId } from '../security/index.ts'
import { answer } from './answers.ts'
import { anyStatus, dropPending, listen, makeBatch, pendingOf, rejectBatch, statusAllowed } from './batches.ts'
import type { Batch, CallOptions, Keeper, Pending, Rescuer } from './batches.ts'
import { BufferPool } from './buffers.ts'
import { creditCharge, CreditWindow } from './credits.ts'
import { encodeCancel, encodeFrame, unsealPayload } from './encode.ts'
import { SmbError } from './errors.ts'
import type { Frame } from './frames.ts'
import { Incoming } from './incoming.ts'
import type { Protection } from './protection.ts'
import { operations } from './requests.ts'
import type { AnyRecord, Replies, Reply, RequestRecord, Scope } from './requests.ts'
import { connectionStates, nextState } from './states.ts'
import type { ConnectionEvent, ConnectionState } from './states.ts'
import { Transport } from './transport.ts'
import { checkResponse, decrypt } from './verify.ts'
import { patience, Watchdog } from './watchdog.ts'

export type { CallOptions } from './batches.ts'

/** What a connection is made with. */
export interface ConnectionOptions {
  readonly host: string
  readonly port: number
  /** A server that is silent for so long while it owes an answer is given up, in ms. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
  /** Credits to have in all. */
  readonly creditsTarget: number
  /** Monotonic, in ms. */
  readonly clock?: () => number
  /** Buffers of the connection before this one; requests that it left behind have some of them. */
  readonly pool?: BufferPool
  /** How often the session has lost its connection: tells requests of before from those of now (3.x; 3.2.4.1.10). */
  readonly channelSequence?: number
  /** Sees OPLOCK_BREAK notifications (3.2.5.19); the view is valid during the call only. What it throws ends the connection. */
  readonly onBreak?: ((message: Buffer) => void) | undefined
}

/** Longest message of a server: what was negotiated, and the headers. */
const frameOverheadBytes = 4096
const maxFrame = 0xff_ffff
/** A server that has not finished what came before on a lost connection asks for a request once more (3.2.5.1.3, FILE_NOT_AVAILABLE). */
const postponeMs = 100
const postponementsMax = 100

/** One connection to a server. */
export class Connection implements Keeper {
  readonly host: string
  /** Buffers of the size of messages. */
  readonly pool: BufferPool
  readonly #options: ConnectionOptions
  readonly #clock: () => number
  readonly #credits: CreditWindow
  readonly #pending = new Map<number, Pending>()
  readonly #sessions = new Map<bigint, Protection>()
  readonly #postponed = new Map<Batch, NodeJS.Timeout>()
  #queue: Batch[] = []
  #transport: Transport | undefined
  #state: ConnectionState = 'idle'
  #dialect: number = 0
  #watchdog: Watchdog | undefined
  #rescuer: Rescuer | undefined
  #isAskingForCredits = false
  #ended: SmbError | undefined

  constructor(options: ConnectionOptions) {
    this.host = options.host
    this.pool = options.pool ?? new BufferPool()
    this.#options = options
    this.#clock = options.clock ?? (() => performance.now())
    this.#credits = new CreditWindow(options.creditsTarget)
  }

  get state(): ConnectionState {
    return this.#state
  }

  /** Credits: what can be spent, and all. */
  get credits(): { readonly available: number; readonly total: number } {
    return this.#credits
  }

  /** Connects TCP. Rejects as `Transport.connect`. */
  async open(): Promise<void> {
    this.#go('connect')
    const { host, port, timeoutMs, signal } = this.#options
    try {
      this.#transport = await Transport.connect({
        host,
        port,
        timeoutMs,
        signal,
        pool: this.pool,
        onFrame: frame => this.#onFrame(frame),
        onEnd: error => this.#lose(error),
      })
    } catch (error) {
      this.#go('fail')
      throw error
    }
    this.#go('connected')
    this.#watchdog = new Watchdog(
      {
        timeoutMs,
        pending: this.#pending,
        receivedAtMs: () => this.#transport!.receivedAtMs,
        isDrained: () => this.#queue.length === 0,
        echo: () => this.#echo(),
        suspect: isSuspect => this.#suspect(isSuspect),
        fail: () => this.fail(new SmbError('CONNECTION_LOST', `no answer within ${timeoutMs} ms`)),
        giveUp: pending => this.#giveUp(pending),
      },
      this.#clock,
    )
  }

  /** Says what was negotiated; from now on anything may be sent. `maxMessageBytes`: the largest payload. */
  negotiated(options: { readonly dialect: number; readonly maxMessageBytes: number }): void {
    this.#dialect = options.dialect
    this.#transport!.maxFrameBytes = Math.min(maxFrame, options.maxMessageBytes + frameOverheadBytes)
    this.#go('negotiated')
  }

  /** From now on a loss is its business. */
  rescuedBy(rescuer: Rescuer): void {
    this.#rescuer = rescuer
  }

  /** Sends what was under way, or waited, when another connection was lost. */
  adopt(batch: Batch, isReplay: boolean): void {
    batch.keeper = this
    batch.isReplay = isReplay
    if (isReplay) batch.postponements = postponementsMax
    for (const pending of batch.pendings) {
      pending.messageId = -1
      pending.asyncId = undefined
      pending.isAsync = false
      if (batch.isSent) pending.record.onRepeat?.()
    }
    this.#queue.push(batch)
    this.#pump()
  }

  /** Lets messages of a session be decrypted. */
  addSession(sessionId: bigint, protection: Protection): void {
    this.#sessions.set(sessionId, protection)
  }

  removeSession(sessionId: bigint): void {
    this.#sessions.delete(sessionId)
  }

  /**
   * Sends one request; resolves with its response. Rejects with SmbError for a status that is neither SUCCESS nor allowed by the record,
   * and for a lost connection; with the signal's reason when it is aborted.
   */
  exchange<In, Wire, Out = Wire>(record: RequestRecord<In, Wire, Out>, options: CallOptions = {}): Promise<Reply<Out>> {
    return this.#submit([record], options, statusAllowed)[0] as Promise<Reply<Out>>
  }

  /**
   * Sends several requests in one frame, each related to the one before it (3.2.4.1.4); resolves with all responses, whatever their
   * statuses. Rejects when the connection is lost or the signal aborts.
   */
  async exchangeCompound<const Records extends readonly AnyRecord[]>(records: Records, options: CallOptions = {}): Promise<Replies<Records>> {
    const replies = await Promise.all(this.#submit(records, options, anyStatus))
    return replies as Replies<Records>
  }

  /** Ends the connection; what is under way is rejected with `CLOSED`. */
  close(): void {
    if (this.#state === 'closed') return
    this.#go('close')
    this.#transport?.close()
    this.#finish(new SmbError('CLOSED', 'the connection was closed'))
  }

  /** Ends the connection because of what came from the server, or did not come. */
  fail(error: SmbError): void {
    if (this.#ended !== undefined) return
    this.#go('fail')
    this.#transport?.destroy()
    this.#finish(error)
  }

  #go(event: ConnectionEvent): void {
    this.#state = nextState(this.#state, event)
  }

  #lose(cause: Error | undefined): void {
    if (cause instanceof SmbError) return this.fail(cause)
    const code = cause instanceof MalformedError ? 'MALFORMED' : 'CONNECTION_LOST'
    const why = cause === undefined ? 'the server closed the connection' : `the connection is lost: ${cause.message}`
    this.fail(new SmbError(code, why, { cause }))
  }

  #finish(error: SmbError): void {
    this.#ended = error
    this.#watchdog?.stop()
    const batches = new Set<Batch>()
    for (const pending of this.#pending.values()) {
      if (pending.abandoned || pending.batch === undefined) pending.record.message?.release()
      else batches.add(pending.batch)
    }
    const own = [...this.#pending.values()].filter(({ batch }) => batch === undefined)
    for (const [batch, timer] of this.#postponed) {
      clearTimeout(timer)
      batches.add(batch)
    }
    for (const batch of this.#queue) batches.add(batch)
    this.#pending.clear()
    this.#postponed.clear()
    this.#queue = []
    for (const pending of own) pending.reject(error)
    for (const { pendings } of batches) if (pendings[0].messageId >= 0) unsealPayload(pendings[0].record)
    if (this.#rescuer?.rescue(error, [...batches]) === true) return
    for (const batch of batches) rejectBatch(batch, error)
  }

  #submit(
    records: readonly AnyRecord[],
    { signal }: CallOptions,
    accepts: (record: AnyRecord, status: number) => boolean,
  ): Promise<Reply<unknown>>[] {
    const chargeOf = (record: AnyRecord): number => (this.#dialect <= Dialect.smb202 ? 1 : creditCharge(record.payloadBytes ?? 0))
    const { batch, promises } = makeBatch(records, { keeper: this, chargeOf, accepts })
    const { sends } = connectionStates[this.#state]
    if (signal?.aborted === true) {
      for (const pending of batch.pendings) dropPending(pending, signal.reason)
    } else if (sends === 'nothing' || (sends === 'negotiate' && records[0].operation !== operations.negotiate)) {
      if (this.#rescuer?.hold(batch) !== true) rejectBatch(batch, this.#ended ?? new SmbError('CLOSED', `the connection is ${this.#state}`))
      else if (signal !== undefined) listen(batch, promises, signal)
    } else {
      if (signal !== undefined) listen(batch, promises, signal)
      this.#queue.push(batch)
      this.#pump()
    }
    return promises
  }

  /** Whoever waited does not any more; what was sent is cancelled, and its response is still taken in. */
  abandon(batch: Batch, pending: Pending, reason: unknown): void {
    if (pending.isDone) return
    if (this.#pending.has(pending.messageId)) {
      pending.abandoned = true
      this.#transport?.send(encodeCancel(pending.record, pending.messageId, pending.asyncId))
      pending.reject(reason)
      return
    }
    const index = this.#queue.indexOf(batch)
    if (index >= 0) this.#queue.splice(index, 1)
    clearTimeout(this.#postponed.get(batch))
    this.#postponed.delete(batch)
    dropPending(pending, reason)
  }

  /** Sends what there are credits for, in order. */
  #pump(): void {
    while (this.#queue.length > 0) {
      const batch = this.#queue[0]
      const first = this.#credits.take(batch.charge)
      if (first === undefined) return this.#starved(batch)
      this.#queue.shift()
      batch.isSent = true
      this.#transmit(batch, first)
    }
  }

  #transmit({ pendings, charge: total, isReplay }: Pick<Batch, 'pendings' | 'charge' | 'isReplay'>, first: number): void {
    const now = this.#clock()
    let messageId = first
    const numbers = pendings.map(pending => {
      const { charge } = pending
      pending.messageId = messageId
      pending.sentAtMs = now
      this.#pending.set(messageId, pending)
      messageId += charge
      return {
        messageId: pending.messageId,
        creditCharge: this.#dialect <= Dialect.smb202 ? 0 : charge,
        creditRequest: this.#credits.request(charge),
        channelSequence: this.#dialect < Dialect.smb300 ? 0 : (this.#options.channelSequence ?? 0),
        isReplay: isReplay && this.#dialect >= Dialect.smb300,
      }
    })
    const { message } = pendings[0].record
    let frame: Buffer
    try {
      frame = encodeFrame(
        pendings.map(({ record }) => record),
        numbers,
      )
    } catch (error) {
      // Values that no message has room for, such as a pattern of 64 KiB: UsageError.
      this.#credits.putBack(total)
      for (const pending of pendings) {
        this.#pending.delete(pending.messageId)
        dropPending(pending, error)
      }
      return
    }
    if (message === undefined) this.#transport!.send(frame)
    else {
      // The socket holds it as well as the record, which may be sent again until it is answered.
      message.retain()
      this.#transport!.send(frame, () => message.release())
    }
  }

  /** There are too few credits. Answers that are under way bring more; else an ECHO asks for them, if there is one credit to pay it. */
  #starved(batch: Batch): void {
    if (this.#isAskingForCredits) return
    for (const pending of this.#pending.values()) if (!pending.isAsync) return
    if (this.#credits.available === 0) {
      if (this.#pending.size === 0) this.#refuse(batch)
      return
    }
    const before = this.#credits.total
    const first = this.#credits.take(1)!
    this.#isAskingForCredits = true
    const done = (): void => {
      this.#isAskingForCredits = false
      if (this.#queue[0] === batch && this.#credits.total <= before && this.#credits.available < batch.charge) this.#refuse(batch)
      this.#pump()
    }
    this.#transmitEcho(batch.pendings[0].record.scope, first, done)
  }

  #transmitEcho(scope: Scope, messageId: number, done: () => void): void {
    const record = { operation: operations.echo, value: {}, scope }
    const echo = pendingOf(record, 1, { batch: undefined, resolve: done, reject: done })
    this.#transmit({ pendings: [echo], charge: 1, isReplay: false }, messageId)
  }

  /** Asks whether the server is there; an answer is all that counts, and there may be no credit for it. */
  #echo(): void {
    const oldest = this.#pending.values().next().value
    if (this.#state !== 'suspect' && this.#state !== 'ready') return
    const first = oldest === undefined ? undefined : this.#credits.take(1)
    if (first !== undefined) this.#transmitEcho(oldest!.record.scope, first, () => undefined)
  }

  #refuse(batch: Batch): void {
    if (this.#queue[0] === batch) this.#queue.shift()
    const error = new SmbError('CREDITS_EXHAUSTED', `the server grants ${this.#credits.total} credits, ${batch.charge} are needed`)
    rejectBatch(batch, error)
  }

  #suspect(isSuspect: boolean): void {
    const event = isSuspect ? 'silence' : 'sound'
    if (!(event in connectionStates[this.#state].on)) return
    this.#go(event)
    this.#rescuer?.suspected(isSuspect)
  }

  /** A request that the server forgot. */
  #giveUp(pending: Pending): void {
    pending.abandoned = true
    this.#transport!.send(encodeCancel(pending.record, pending.messageId, pending.asyncId))
    const waitedMs = patience * this.#options.timeoutMs
    pending.reject(new SmbError('TIMEOUT', `${pending.record.operation.name}: no answer within ${waitedMs} ms`, { path: pending.record.path }))
  }

  /** Sends a request once more, in a while; false: not this one, or not any more. */
  #postpone({ batch, abandoned }: Pending): boolean {
    if (abandoned || batch === undefined || !batch.isReplay || batch.postponements === 0 || batch.pendings.length > 1) return false
    batch.postponements--
    batch.pendings[0].messageId = -1
    const again = (): void => {
      this.#postponed.delete(batch)
      this.#queue.push(batch)
      this.#pump()
    }
    this.#postponed.set(batch, setTimeout(again, postponeMs))
    return true
  }

  /** Takes in a frame. What it throws ends the connection. */
  #onFrame(frame: Frame): void {
    let { bytes } = frame
    let decryptedBy: Protection | undefined
    if (bytes.length >= 4 && bytes.readUInt32LE(0) === transformProtocolId) {
      decryptedBy = this.#sessions.get(transformSessionId(bytes))
      if (decryptedBy?.decrypts === undefined) throw new SmbError('SIGNATURE_INVALID', 'a message is encrypted for a session that does not exist')
      bytes = decrypt(decryptedBy.decrypts, bytes)
    }
    for (const part of splitCompound(bytes)) this.#onMessage(frame, part, bytes.subarray(part.at, part.end), decryptedBy)
    this.#pump()
  }

  #onMessage(frame: Frame, { header }: CompoundPart, message: Buffer, decryptedBy: Protection | undefined): void {
    if ((header.flags & HeaderFlags.serverToRedir) === 0) throw new MalformedError('bad-flags', 'a server sends a request')
    if (header.messageId === unsolicitedMessageId) {
      if (header.command === Command.oplockBreak) this.#options.onBreak?.(message)
      return
    }
    const pending = this.#pending.get(Number(header.messageId))
    // An answer to nothing is discarded (3.2.5.1.2).
    if (pending === undefined || header.command !== pending.record.operation.command) return
    const isInterim = header.status === NtStatus.PENDING && isAsync(header)
    checkResponse(pending.record, message, { header, decryptedBy, isInterim })
    this.#credits.grant(header.credits)
    if (isInterim) {
      pending.isAsync = true
      pending.asyncId = asyncIdOf(header)
      return
    }
    this.#pending.delete(pending.messageId)
    this.#credits.finish(pending.charge)
    if (header.status === NtStatus.FILE_NOT_AVAILABLE && this.#postpone(pending)) unsealPayload(pending.record)
    else answer(pending, new Incoming(frame, header, message))
  }
}
