/**
 * A response that does not go out at once: large, slow to read, or with a slow client.
 *
 * What is in memory the kernel sends from the file itself; the rest is read off the worker's thread. After each write the connection's state says how much
 * of the response the client has been given, so that the next worker goes on with it if this one dies.
 */

import type { Connection, FilePiece, Message, WorkerNode } from '@holdfast/engine'
import { OutOfSharedMemory } from '@holdfast/engine/worker'
import { type Answer, type BodyPart, type FilePart, partBytes } from './answer.ts'

/** One write of what has to be read for it. */
const readBytes = 256 << 10
/** With the head, with the end of the request, and with a client whose buffers are full, so that it is known when they have room: this much is copied. */
const copiedBytes = 16 << 10
/** One write of what the kernel has, without a copy. */
const fileBytes = 2 << 20
/** A client that takes so much in a moment has room again a moment later: nobody has to watch it until then. */
const fastBytes = 512 << 10
const fastMs = 1
/** What one response may send before others have a turn. */
const turnBytes = 4 << 20
/** Before memory is asked for again. */
const memoryRetryMs = 5

/** The state of a connection that is between responses. */
export const idleState: readonly number[] = [0, 0, 0, 0]
const underWay = 1
/** Where in the state is how much of the body has been written, in 64 bits. */
const countsAt = 1
const twoTo32 = 0x1_0000_0000

/** How much of a response the state says has been written, if it is the one of this identity. */
export function bytesBegun(state: readonly number[], identity: number): number | 'none' | 'another' {
  if (state[0] !== underWay) return 'none'
  return state[3] >>> 0 === identity ? (state[2] >>> 0) * twoTo32 + (state[1] >>> 0) : 'another'
}

/** 32 bits (FNV-1a) by which a response that is made again is known; what differs between workers is not in it. */
export function identityOf({ status, bodyBytes, file }: Answer): number {
  let hash = 0x811c9dc5
  for (const character of `${status} ${bodyBytes} ${file?.etag ?? ''}`) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193)
  return hash >>> 0
}

/** What a transfer needs of who has it. */
export interface TransferHost {
  readonly node: Pick<WorkerNode, 'beginAsync' | 'endAsync'>
  readonly connection: Pick<Connection, 'allocate' | 'discard' | 'sendFile' | 'sendPart' | 'unsentBytes'>
  nowMs(): number
  /** All has been handed over; or it cannot be, and nothing may follow. */
  onDone(problem?: string): void
}

/** A response on its way. */
export class Transfer {
  readonly #host: TransferHost
  readonly #message: Message
  readonly #answer: Answer
  readonly #identity: number
  /** The client's buffers were full when it was given more of a file. */
  #isFull = false
  /** Of the body. */
  #sentBytes: number
  #head: Buffer | undefined
  #waitsForClient = false
  /** When something was written last. */
  movedAtMs: number
  #isEnded = false

  /** `begun`: so much of the body has been written by another worker, after the head. */
  constructor(host: TransferHost, of: { readonly message: Message; readonly answer: Answer; readonly head: Buffer; readonly begun?: number }) {
    this.#host = host
    this.movedAtMs = host.nowMs()
    this.#message = of.message
    this.#answer = of.answer
    this.#identity = identityOf(of.answer)
    this.#sentBytes = of.begun ?? 0
    this.#head = of.begun === undefined ? of.head : undefined
  }

  start(): void {
    this.#step()
  }

  /** The client has taken all that it was given. */
  onDrain(): void {
    if (!this.#waitsForClient || this.#host.connection.unsentBytes > 0) return
    this.#waitsForClient = false
    this.#step()
  }

  /** The connection is gone. */
  abort(): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#message.release()
  }

  #step(): void {
    try {
      let turn = 0
      while (!this.#isEnded) {
        const sent = turn < turnBytes ? this.#sendFile() : 0
        turn += sent
        if (turn >= turnBytes) return this.#later()
        if (this.#isFull && sent >= fastBytes) return this.#later(fastMs)
        const bytes = this.#writeNext()
        if (typeof bytes !== 'number') return this.#after(bytes)
        turn += bytes
        if (!this.#isTaken()) return
      }
    } catch (error) {
      if (error instanceof OutOfSharedMemory) this.#later(memoryRetryMs)
      else this.#fail(error)
    }
  }

  /** Others have their turn first. */
  #later(delayMs?: number): void {
    const { node } = this.#host
    node.beginAsync()
    const go = (): void => {
      node.endAsync()
      this.#step()
    }
    if (delayMs === undefined) setImmediate(go)
    else setTimeout(go, delayMs)
  }

  #after(written: Promise<void>): void {
    const { node } = this.#host
    node.beginAsync()
    written
      .then(
        () => {
          if (!this.#isEnded && this.#isTaken()) this.#later()
        },
        (error: unknown) => this.#fail(error),
      )
      .finally(() => node.endAsync())
  }

  /** Whether the client has taken all that it was given. Otherwise it says so when it has. */
  #isTaken(): boolean {
    this.#waitsForClient = !this.#isEnded && this.#host.connection.unsentBytes > 0
    return !this.#waitsForClient
  }

  #fail(error: unknown): void {
    if (this.#isEnded) return
    this.abort()
    this.#host.onDone(error instanceof Error ? error.message : String(error))
  }

  /** What the client takes at once of a file, but for the end of the response: without memory of our own, of which anything could be left. Returns the bytes. */
  #sendFile(): number {
    const { connection } = this.#host
    let sent = 0
    this.#isFull = false
    if (this.#head !== undefined) return 0
    while (sent < turnBytes) {
      const place = this.#placeInFile()
      if (place === undefined) return sent
      const bytes = connection.sendFile(place, countsAt)
      this.#isFull = bytes === 0
      if (this.#isFull) return sent
      this.#sentBytes += bytes
      sent += bytes
      this.movedAtMs = this.#host.nowMs()
    }
    return sent
  }

  /** The next bytes, where they are of one file and in memory; the last ones are sent with what ends the request. */
  #placeInFile(): Omit<FilePiece, 'at'> | undefined {
    let left = this.#answer.bodyBytes - this.#sentBytes - copiedBytes
    if (left <= 0) return undefined
    let start = 0
    for (const part of this.#answer.body) {
      const from = this.#sentBytes - start
      start += partBytes(part)
      if (start <= this.#sentBytes) continue
      if (Buffer.isBuffer(part)) return undefined
      left = Math.min(left, part.lengthBytes - from, fileBytes)
      const place = part.file.handle.inMemory?.(part.offset + from, left)
      return place && { ...place, lengthBytes: left }
    }
    return undefined
  }

  /** What holds when so many more bytes have been sent. */
  #stateAfter(bytes: number): readonly number[] {
    const sent = this.#sentBytes + bytes
    return sent === this.#answer.bodyBytes ? idleState : [underWay, sent | 0, Math.floor(sent / twoTo32) | 0, this.#identity | 0]
  }

  /** Writes the next part: how many bytes that were, or when they are. */
  #writeNext(): number | Promise<void> {
    const { connection } = this.#host
    const headBytes = this.#head?.length ?? 0
    const bytes = Math.min(this.#isFull || this.#head !== undefined ? copiedBytes : readBytes, this.#answer.bodyBytes - this.#sentBytes)
    const block = connection.allocate(Math.max(1, headBytes + bytes))
    try {
      this.#head?.copy(block)
      const reads: Promise<void>[] = []
      eachPart(this.#answer.body, this.#sentBytes, bytes, (part, from, length, at) => {
        const into = headBytes + at
        if (Buffer.isBuffer(part)) return void part.copy(block, into, from, from + length)
        const read = readInto(block.subarray(into, into + length), part, from)
        if (read instanceof Promise) reads.push(read)
      })
      if (reads.length === 0) {
        this.#send(block, { headBytes, bytes })
        return headBytes + bytes
      }
      // Until the last of them is done the memory is theirs.
      return Promise.allSettled(reads).then(outcomes => {
        const failed = outcomes.find(outcome => outcome.status === 'rejected')
        if (failed === undefined) return this.#send(block, { headBytes, bytes })
        connection.discard(block)
        throw failed.reason
      })
    } catch (error) {
      connection.discard(block)
      throw error
    }
  }

  #send(block: Buffer, { headBytes, bytes }: { readonly headBytes: number; readonly bytes: number }): void {
    const { connection, onDone } = this.#host
    if (this.#isEnded) return connection.discard(block)
    const state = this.#stateAfter(bytes)
    this.#head = undefined
    this.#sentBytes += bytes
    this.movedAtMs = this.#host.nowMs()
    const isLast = this.#sentBytes === this.#answer.bodyBytes
    connection.sendPart(block, 0, headBytes + bytes, { state, ...(isLast && { finishes: [this.#message] }) })
    if (!isLast) return
    this.#isEnded = true
    onDone()
  }
}

/** A file that has less by now cannot be what was promised. */
export class ShortFileError extends Error {
  readonly code = 'SHORT_FILE'
  constructor() {
    super('a file has become shorter while it was sent')
    this.name = 'ShortFileError'
  }
}

/** Reads all of `target` from a part of a file. Throws ShortFileError, FsError. */
export function readInto(target: Buffer, { file, offset }: FilePart, from: number): void | Promise<void> {
  const check = (bytes: number): void => {
    if (bytes < target.length) throw new ShortFileError()
  }
  const read = file.handle.read(target, offset + from)
  return read instanceof Promise ? read.then(check) : check(read)
}

/** The parts that `bytes` from `skip` on are made of: from where in the part, how many, and where they go. */
function eachPart(
  parts: readonly BodyPart[],
  skip: number,
  bytes: number,
  visit: (part: BodyPart, from: number, length: number, at: number) => void,
): void {
  let start = 0
  for (const part of parts) {
    const size = partBytes(part)
    const from = Math.max(0, skip - start)
    const length = Math.min(size, skip + bytes - start) - from
    if (length > 0) visit(part, from, length, start + from - skip)
    start += size
    if (start >= skip + bytes) return
  }
}
