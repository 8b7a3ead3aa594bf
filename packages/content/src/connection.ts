/** A client's connection: requests one after the other, each answered before the next (RFC 9112 9.3). */

import type { Connection, ConnectionHandler, FilePiece, Message, WorkerNode } from '@holdfast/engine'
import { OutOfSharedMemory } from '@holdfast/engine/worker'
import { readFields, scanRequestHead } from '@holdfast/http'
import { FsError } from '@holdfast/storage'
import { type Answer, type BodyPart, type FilePart, partBytes } from './answer.ts'
import type { ContentCounters } from './counters.ts'
import { Credentials } from './credentials.ts'
import type { OpenFile } from './open-files.ts'
import { requestLimits } from './requests.ts'
import type { ContentAccounts, ContentThrottle } from './shares.ts'
import type { ContentRequest, Site } from './site.ts'
import { tailOf } from './tail.ts'
import { bytesBegun, identityOf, idleState, readInto, ShortFileError, Transfer } from './transfer.ts'

/** What goes out with one write. */
const smallBytes = 128 << 10
/** Of it, what is copied: below that, another system call costs more. */
const copiedBytes = 8 << 10

/** What all connections of a worker share. */
export interface ContentWorker {
  readonly node: WorkerNode
  readonly site: Site
  readonly accounts: ContentAccounts
  readonly throttle: ContentThrottle
  readonly counters: ContentCounters
  readonly tellsRequests: boolean
  nowMs(): number
  /** The connection is gone. */
  forget(connection: ContentConnection): void
}

/** A request under way. */
interface Exchange {
  readonly message: Message
  readonly beganMs: number
  readonly method: string
  readonly target: string
  readonly minor: number
  readonly user: string
  closes: boolean
  /** The client may be sending still. */
  readonly hasMore: boolean
}

/** See above. */
export class ContentConnection implements ConnectionHandler {
  readonly #worker: ContentWorker
  readonly #connection: Connection
  readonly #credentials: Credentials
  /** In the order in which they came. */
  readonly #waiting: Message[] = []
  #exchange: Exchange | undefined
  #transfer: Transfer | undefined
  /** What the transfer is made of. */
  #file: OpenFile | undefined
  #isClosing = false
  #isClosed = false
  /** The state is not `idleState`. */
  #hasState: boolean
  #restsSinceMs: number

  constructor(worker: ContentWorker, connection: Connection) {
    this.#worker = worker
    this.#connection = connection
    this.#credentials = new Credentials({ ...worker, remoteAddress: connection.remoteAddress })
    this.#hasState = connection.state[0] !== 0
    this.#restsSinceMs = worker.nowMs()
  }

  /** For so long nothing has been asked; `'stalled'` where the client has taken nothing of what is on its way for `stallMs`. */
  restMs(nowMs: number, stallMs: number): number | 'stalled' {
    if (this.#exchange === undefined) return nowMs - this.#restsSinceMs
    return this.#transfer !== undefined && nowMs - this.#transfer.movedAtMs > stallMs ? 'stalled' : 0
  }

  /** Nothing more is taken or sent. */
  end(reason: string): void {
    this.#isClosing = true
    this.#connection.close(reason)
  }

  onMessage(message: Message): void {
    if (this.#isClosing) return message.release()
    if (this.#exchange !== undefined || this.#waiting.length > 0) return void this.#waiting.push(message)
    this.#take(message)
    this.#next()
  }

  onDrain(): void {
    this.#transfer?.onDrain()
  }

  onClose(): void {
    this.#isClosed = this.#isClosing = true
    for (const message of this.#waiting.splice(0)) message.release()
    this.#transfer?.abort()
    this.#file?.release()
    this.#file = undefined
    this.#worker.forget(this)
  }

  #next(): void {
    while (this.#exchange === undefined && !this.#isClosing) {
      const message = this.#waiting.shift()
      if (message === undefined) return
      this.#take(message)
    }
    if (this.#isClosing) for (const message of this.#waiting.splice(0)) message.release()
  }

  #take(message: Message): void {
    const beganMs = this.#worker.nowMs()
    const { bytes } = message
    const head = scanRequestHead(bytes, 0, bytes.length, requestLimits)
    if (head === 'more' || 'status' in head) {
      const { status, detail } = head === 'more' ? { status: 400, detail: 'The request is not complete.' } : head
      this.#exchange = { message, beganMs, method: 'other', target: '', minor: 1, user: '', closes: true, hasMore: true }
      return this.#respond(this.#worker.site.problem(status, { method: 'GET', fields: noFields }, {}, detail))
    }
    const fields = head.otherFields === 0 ? noFields : readFields(bytes, 0, head)
    const { reader, delayMs } = this.#credentials.readerOf(fields.get('authorization'), beganMs)
    // What follows of a request whose content was not looked at, or waits to be asked for (RFC 9110 10.1.1), is no request.
    const hasMore = head.expectsContinue || head.content === 'chunked' || head.headBytes + head.contentBytes > bytes.length
    this.#exchange = {
      message,
      beganMs,
      method: head.method,
      target: head.target,
      minor: head.minor,
      user: reader?.name ?? '',
      closes: head.close || hasMore,
      hasMore,
    }
    this.#connection.known()
    const request = { method: head.method, target: head.target, fields }
    const answer = reader === undefined ? this.#worker.site.refuse(request) : this.#worker.site.answer({ ...request, reader })
    if (delayMs > 0) this.#whenReady(after(delayMs).then(() => answer))
    else if (answer instanceof Promise) this.#whenReady(answer)
    else this.#respond(answer)
  }

  #whenReady(answer: Promise<Answer>): void {
    const { node } = this.#worker
    node.beginAsync()
    // An answer never fails.
    void answer
      .then(answer => {
        this.#respond(answer)
        this.#next()
      })
      .finally(() => node.endAsync())
  }

  #respond(answer: Answer): void {
    const exchange = this.#exchange!
    if (this.#isClosed) return this.#drop(answer, exchange)
    if (answer.closes === true) exchange.closes = true
    const begun = this.#hasState ? bytesBegun(this.#connection.state, identityOf(answer)) : 'none'
    if (begun === 'another') {
      this.#drop(answer, exchange)
      return this.end('what the response was begun from is another by now')
    }
    const tail = tailOf(exchange.minor, exchange.closes)
    if (begun === 'none' && answer.bodyBytes <= smallBytes && this.#isWritten(answer, tail, exchange)) return this.#done(answer, exchange)
    this.#begin(answer, tail, begun)
  }

  #drop(answer: Answer, { message }: Exchange): void {
    message.release()
    answer.file?.release()
    this.#exchange = undefined
  }

  /** Writes a response at once that is small enough. False where that cannot be, and nothing has been written. */
  #isWritten({ head, body, bodyBytes }: Answer, tail: Buffer, { message }: Exchange): boolean {
    const headBytes = head.length + tail.length
    let block: Buffer
    try {
      block = this.#connection.allocate(headBytes + bodyBytes)
    } catch (error) {
      if (error instanceof OutOfSharedMemory) return false
      throw error
    }
    if (typeof head === 'string') block.write(head, 'latin1')
    else head.copy(block)
    tail.copy(block, head.length)
    const files = this.#filled(block, headBytes, body)
    if (files === undefined) return false
    const settles = this.#hasState ? { finishes: [message], state: idleState } : { finishes: [message] }
    this.#connection.sendPart(block, 0, headBytes + bodyBytes, settles, files)
    this.#hasState = false
    return true
  }

  /** Puts a body into a block, but for pieces of files that the kernel sends; undefined where it is not all in memory: the block is given back. */
  #filled(block: Buffer, from: number, body: readonly BodyPart[]): readonly FilePiece[] | undefined {
    if (body.length === 0) return noFiles
    let files = noFiles
    let at = from
    for (const part of body) {
      const bytes = partBytes(part)
      if (Buffer.isBuffer(part)) part.copy(block, at)
      else {
        const place = part.file.handle.inMemory?.(part.offset, bytes)
        const read = place === undefined ? 'later' : bytes > copiedBytes ? place : this.#read(block.subarray(at, at + bytes), part)
        if (read === 'later' || read instanceof Promise) {
          // A read that has begun nevertheless ends before its memory is anybody else's.
          void Promise.resolve(read instanceof Promise ? read : undefined).finally(() => this.#connection.discard(block))
          return undefined
        }
        if (read !== undefined) files = [...files, { at, lengthBytes: bytes, ...read }]
      }
      at += bytes
    }
    return files
  }

  /** Where a file is shorter by now than it was, it is the transfer that says so. */
  #read(target: Buffer, part: FilePart): void | 'later' | Promise<void> {
    try {
      const read = readInto(target, part, 0)
      return read instanceof Promise ? read.catch(() => undefined) : read
    } catch (error) {
      if (error instanceof ShortFileError || error instanceof FsError) return 'later'
      throw error
    }
  }

  #begin(answer: Answer, tail: Buffer, begun: number | 'none'): void {
    const exchange = this.#exchange!
    const head = Buffer.concat([typeof answer.head === 'string' ? Buffer.from(answer.head, 'latin1') : answer.head, tail])
    let isStarting = true
    this.#hasState = true
    this.#file = answer.file
    this.#transfer = new Transfer(
      {
        node: this.#worker.node,
        nowMs: this.#worker.nowMs,
        connection: this.#connection,
        onDone: problem => {
          this.#transfer = this.#file = undefined
          if (problem !== undefined) {
            this.#worker.node.log('warn', 'a response was not sent to its end', { ...this.#told(exchange), error: problem })
            this.end(problem)
          } else this.#hasState = false
          this.#done(answer, exchange)
          if (!isStarting) this.#next()
        },
      },
      { message: exchange.message, answer, head, ...(begun !== 'none' && { begun }) },
    )
    this.#transfer.start()
    isStarting = false
  }

  #done(answer: Answer, exchange: Exchange): void {
    const { counters, tellsRequests, node } = this.#worker
    const nowMs = this.#worker.nowMs()
    answer.file?.release()
    this.#exchange = undefined
    this.#restsSinceMs = nowMs
    counters.answered(exchange.method, answer, (nowMs - exchange.beganMs) / 1000)
    if (tellsRequests) {
      const durationMs = Math.round((nowMs - exchange.beganMs) * 1000) / 1000
      node.log('debug', 'request done', { ...this.#told(exchange), status: answer.status, durationMs, bytes: answer.bodyBytes })
    }
    if (!exchange.closes || this.#isClosing) return
    this.#isClosing = true
    if (exchange.hasMore) this.#connection.end('answered')
    else this.#connection.close('answered')
  }

  #told({ method, target, user }: Exchange): Readonly<Record<string, unknown>> {
    const { id, remoteAddress } = this.#connection
    return { connection: id, remoteAddress, command: `${method} ${target}`, ...(user !== '' && { user }) }
  }
}

const noFiles: readonly FilePiece[] = []
const noFields: ContentRequest['fields'] = new Map<string, string>()
const after = (delayMs: number): Promise<void> => new Promise(resolve => setTimeout(resolve, delayMs))
