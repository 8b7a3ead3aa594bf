/**
 * A connection (MS-SMB2 3.2.1.2): sends records within the credits there are, finds the request to each response, checks signatures, decrypts.
 *
 * It knows no session beyond its keys, and no file.
 */
import { MalformedError } from '@holdfast/wire'
import {
  asyncIdOf,
  Dialect,
  headerSize,
  isAsync,
  NtStatus,
  splitCompound,
  transformProtocolId,
  unsolicitedMessageId,
  HeaderFlags,
} from '../messages/index.ts'
import type { CompoundPart } from '../messages/index.ts'
import { transformSessionId } from '../security/index.ts'
import { BufferPool } from './buffers.ts'
import { creditCharge, CreditWindow } from './credits.ts'
import { encodeCancel, encodeFrame } from './encode.ts'
import { SmbError, statusError } from './errors.ts'
import type { Frame } from './frames.ts'
import { Incoming } from './incoming.ts'
import type { Protection } from './protection.ts'
import { operations } from './requests.ts'
import type { AnyRecord, Replies, Reply, RequestRecord } from './requests.ts'
import { connectionStates, nextState } from './states.ts'
import type { ConnectionEvent, ConnectionState } from './states.ts'
import { Transport } from './transport.ts'
import { checkResponse, decrypt } from './verify.ts'

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
}

/** How a single call may be influenced. */
export interface CallOptions {
  /** Sends CANCEL and rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

/** A request that was sent, or waits for credits. */
interface Pending {
  readonly record: AnyRecord
  readonly charge: number
  messageId: number
  sentAtMs: number
  /** Known once the server said that it takes longer (3.2.5.1.5). */
  asyncId: bigint | undefined
  isAsync: boolean
  /** Nobody waits for it any more. */
  abandoned: boolean
  readonly resolve: (reply: Reply<unknown>) => void
  readonly reject: (error: unknown) => void
}

interface Batch {
  readonly pendings: readonly Pending[]
  readonly charge: number
}

/** A request that has no answer after so many times the timeout is given up, even when the server answers others. */
const patience = 4
/** Longest message of a server: what was negotiated, and the headers. */
const frameOverheadBytes = 4096
const maxFrame = 0xff_ffff

/** One connection to a server. */
export class Connection {
  readonly host: string
  /** Buffers of the size of messages. */
  readonly pool = new BufferPool()
  readonly #options: ConnectionOptions
  readonly #clock: () => number
  readonly #credits: CreditWindow
  readonly #pending = new Map<number, Pending>()
  readonly #sessions = new Map<bigint, Protection>()
  #queue: Batch[] = []
  #transport: Transport | undefined
  #state: ConnectionState = 'idle'
  #dialect: number = 0
  #watchdog: NodeJS.Timeout | undefined
  #isAskingForCredits = false
  #isSuspected = false
  #ended: SmbError | undefined

  constructor(options: ConnectionOptions) {
    this.host = options.host
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
    const period = Math.max(20, Math.min(1000, timeoutMs / 4))
    this.#watchdog = setInterval(() => this.#watch(), period)
    this.#watchdog.unref()
  }

  /** Says what was negotiated; from now on anything may be sent. `maxMessageBytes`: the largest payload. */
  negotiated(options: { readonly dialect: number; readonly maxMessageBytes: number }): void {
    this.#dialect = options.dialect
    this.#transport!.maxFrameBytes = Math.min(maxFrame, options.maxMessageBytes + frameOverheadBytes)
    this.#go('negotiated')
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
    clearInterval(this.#watchdog)
    const open = [...this.#pending.values(), ...this.#queue.flatMap(({ pendings }) => pendings)]
    this.#pending.clear()
    this.#queue = []
    for (const pending of open) this.#reject(pending, error)
  }

  #reject(pending: Pending, { code, message, cause }: SmbError): void {
    pending.record.message?.release()
    const { operation, path } = pending.record
    pending.reject(new SmbError(code, `${operation.name}: ${message}`, { path, cause }))
  }

  #submit(
    records: readonly AnyRecord[],
    { signal }: CallOptions,
    accepts: (record: AnyRecord, status: number) => boolean,
  ): Promise<Reply<unknown>>[] {
    const pendings: Pending[] = []
    const promises = records.map(record => {
      const { promise, resolve, reject } = Promise.withResolvers<Reply<unknown>>()
      const charge = this.#dialect <= Dialect.smb202 ? 1 : creditCharge(record.payloadBytes ?? 0)
      const settle = (reply: Reply<unknown>): void => {
        if (accepts(record, reply.status)) resolve(reply)
        else reject(statusError(reply.status, record.operation.name, record.path))
      }
      const isAsync = false
      pendings.push({ record, charge, messageId: -1, sentAtMs: 0, asyncId: undefined, isAsync, abandoned: false, resolve: settle, reject })
      return promise
    })
    const batch: Batch = { pendings, charge: pendings.reduce((sum, { charge }) => sum + charge, 0) }
    const { sends } = connectionStates[this.#state]
    if (sends === 'nothing' || (sends === 'negotiate' && records[0].operation !== operations.negotiate)) {
      const error = this.#ended ?? new SmbError('CLOSED', `the connection is ${this.#state}`)
      for (const pending of pendings) this.#reject(pending, error)
    } else if (signal?.aborted === true) {
      for (const pending of pendings) this.#abandon(batch, pending, signal.reason)
    } else {
      if (signal !== undefined) this.#listen(batch, promises, signal)
      this.#queue.push(batch)
      this.#pump()
    }
    return promises
  }

  #listen(batch: Batch, promises: readonly Promise<unknown>[], signal: AbortSignal): void {
    const onAbort = (): void => {
      for (const pending of batch.pendings) this.#abandon(batch, pending, signal.reason)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    const done = (): void => signal.removeEventListener('abort', onAbort)
    Promise.allSettled(promises).then(done, done)
  }

  /** Whoever waited does not any more; what was sent is cancelled, and its response is still taken in. */
  #abandon(batch: Batch, pending: Pending, reason: unknown): void {
    const wasSent = pending.messageId >= 0
    if (!wasSent) {
      const index = this.#queue.indexOf(batch)
      if (index >= 0) this.#queue.splice(index, 1)
      pending.record.message?.release()
    } else if (this.#pending.has(pending.messageId)) {
      pending.abandoned = true
      this.#transport?.send(encodeCancel(pending.record, pending.messageId, pending.asyncId))
    }
    pending.reject(reason)
  }

  /** Sends what there are credits for, in order. */
  #pump(): void {
    while (this.#queue.length > 0) {
      const batch = this.#queue[0]
      const first = this.#credits.take(batch.charge)
      if (first === undefined) return this.#starved(batch)
      this.#queue.shift()
      this.#transmit(batch, first)
    }
  }

  #transmit({ pendings, charge: total }: Batch, first: number): void {
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
        pending.record.message?.release()
        pending.reject(error)
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
    const echo = {
      record: { operation: operations.echo, value: {}, scope: batch.pendings[0].record.scope },
      charge: 1,
      messageId: first,
      sentAtMs: 0,
      asyncId: undefined,
      isAsync: false,
      abandoned: false,
      resolve: done,
      reject: done,
    }
    this.#transmit({ pendings: [echo], charge: 1 }, first)
  }

  #refuse(batch: Batch): void {
    if (this.#queue[0] === batch) this.#queue.shift()
    const error = new SmbError('CREDITS_EXHAUSTED', `the server grants ${this.#credits.total} credits, ${batch.charge} are needed`)
    for (const pending of batch.pendings) this.#reject(pending, error)
  }

  /** A server that owes an answer and says nothing is gone; one that waits for something long is asked whether it is there. */
  #watch(): void {
    const { timeoutMs } = this.#options
    const now = this.#clock()
    const silentMs = now - this.#transport!.receivedAtMs
    if (silentMs <= timeoutMs) this.#isSuspected = false
    let hasOnlyAsync = this.#pending.size > 0
    for (const pending of this.#pending.values()) {
      if (pending.isAsync) continue
      hasOnlyAsync = false
      const ageMs = now - pending.sentAtMs
      if (ageMs <= timeoutMs) break
      if (silentMs > timeoutMs) return this.#suspect()
      if (ageMs > patience * timeoutMs && !pending.abandoned) {
        pending.abandoned = true
        this.#transport!.send(encodeCancel(pending.record, pending.messageId, pending.asyncId))
        pending.reject(
          new SmbError('TIMEOUT', `${pending.record.operation.name}: no answer within ${patience * timeoutMs} ms`, { path: pending.record.path }),
        )
      }
    }
    if (hasOnlyAsync && silentMs > timeoutMs / 2 && this.#queue.length === 0) {
      const { scope } = this.#pending.values().next().value!.record
      this.exchange({ operation: operations.echo, value: {}, scope }).catch(() => undefined)
    }
  }

  /** The second time in a row it is true: the first time it may be that this process was busy, and the answer waits to be read. */
  #suspect(): void {
    if (this.#isSuspected) this.fail(new SmbError('CONNECTION_LOST', `no answer within ${this.#options.timeoutMs} ms`))
    this.#isSuspected = true
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
    // Breaks of oplocks and leases, of which none are asked for yet (3.2.5.19).
    if (header.messageId === unsolicitedMessageId) return
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
    this.#settle(pending, new Incoming(frame, header, message))
  }

  #settle(pending: Pending, incoming: Incoming): void {
    const { record, abandoned } = pending
    const { status } = incoming
    record.message?.release()
    record.observe?.received(incoming.message, status)
    let value: unknown
    if (status === NtStatus.SUCCESS || record.operation.partial.includes(status)) {
      if (abandoned && record.abandoned === undefined) return
      try {
        value = this.#decode(record, incoming)
      } catch (error) {
        pending.reject(new SmbError('MALFORMED', `the answer to ${record.operation.name} is malformed`, { path: record.path, cause: error }))
        throw error
      }
    }
    if (!abandoned) pending.resolve({ status, value })
    else if (value !== undefined) record.abandoned?.(value)
  }

  #decode({ operation, receive }: AnyRecord, incoming: Incoming): unknown {
    // An error with a body of its own form is told by its size (2.2.2); those commands that have 9 too send no such status.
    const isError = incoming.status !== NtStatus.SUCCESS && incoming.structureSize === 9 && operation === operations.ioctl
    if (isError) return undefined
    if (receive !== undefined) return receive(incoming)
    return operation.response.decode(incoming.own(), headerSize)
  }
}

const statusAllowed = (record: AnyRecord, status: number): boolean =>
  status === NtStatus.SUCCESS ||
  record.allows?.includes(status) === true ||
  (record.operation.partial.includes(status) && status !== NtStatus.INVALID_PARAMETER)
const anyStatus = (): boolean => true
