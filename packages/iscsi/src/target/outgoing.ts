import { OutOfSharedMemory, readRest } from '@holdfast/engine/worker'
import type { Connection, FilePiece, Message, Settlement } from '@holdfast/engine'

/** Blocks that responses are gathered in, in bytes: no more than a batch needs. */
const smallestBlockBytes = 8 << 10
const largestBlockBytes = 256 << 10
/** Pause before memory is asked for again. */
const retryMs = 5

/** A reservation that has left its batch: its content comes later. */
export interface Detached {
  readonly block: Buffer
  readonly at: number
  readonly lengthBytes: number
  /** The reserved bytes. */
  readonly bytes: Buffer
}

/** Where finished PDUs go in what order: the part of a connection that writes. */
type Wire = Pick<Connection, 'allocate' | 'close' | 'discard' | 'sendPart' | 'settle'>

/** Bytes of a block that go out with one write, and what holds from then on. */
interface Write {
  readonly block: Buffer
  readonly at: number
  readonly lengthBytes: number
  readonly settles: Settlement
  readonly files: readonly FilePiece[]
}

/**
 * Gathers the PDUs of one batch in one piece of shared memory, so that they go out with one write. Room is reserved at its end, filled (a
 * READ comes straight from the medium), and committed; only one reservation is open at a time. One that is to be filled later is detached.
 *
 * With a write end the messages that it answers, and the connection's state becomes what it is behind it: of what a worker's death leaves
 * unwritten, the next worker gets the messages again. Where there is no shared memory, small responses wait for it in memory of their own.
 */
export class Outgoing {
  readonly #wire: Wire
  readonly #state: () => readonly number[]
  #block: Buffer | undefined
  #used = 0
  #reserved = 0
  /** What recent batches took. */
  #usualBytes = smallestBlockBytes
  #finished: Message[] = []
  /** Pieces of files in the block. */
  #files: FilePiece[] = []
  /** Blocks that are no shared memory. */
  readonly #borrowed = new WeakSet<Buffer>()
  /** In their order, the first of which waits for shared memory. */
  readonly #waiting: Write[] = []
  #isRetrying = false
  #isClosed = false

  /** `state` is what holds behind all that has been committed. */
  constructor(wire: Wire, state: () => readonly number[]) {
    this.#wire = wire
    this.#state = state
  }

  /** Room for `lengthBytes` behind what has been committed. Throws OutOfSharedMemory. */
  reserve(lengthBytes: number): Buffer {
    return this.#reserve(lengthBytes, length => this.#wire.allocate(length))
  }

  /** The same for a response that must be. It is copied once more where there is no shared memory. */
  reserveSurely(lengthBytes: number): Buffer {
    return this.#reserve(lengthBytes, length => this.#allocateSurely(length))
  }

  #reserve(lengthBytes: number, allocate: (lengthBytes: number) => Buffer): Buffer {
    if (this.#block !== undefined && this.#used + lengthBytes > this.#block.length) {
      this.#usualBytes = Math.min(largestBlockBytes, 2 * this.#usualBytes)
      this.flush()
    }
    this.#block ??= allocate(Math.max(lengthBytes, this.#usualBytes))
    this.#reserved = lengthBytes
    return this.#block.subarray(this.#used, this.#used + lengthBytes)
  }

  #allocateSurely(lengthBytes: number): Buffer {
    try {
      return this.#wire.allocate(lengthBytes)
    } catch (error) {
      if (!(error instanceof OutOfSharedMemory)) throw error
      const borrowed = Buffer.allocUnsafe(lengthBytes)
      this.#borrowed.add(borrowed)
      return borrowed
    }
  }

  /** Whether what is committed now is sent before anybody else has a turn. */
  get sendsFiles(): boolean {
    return this.#waiting.length === 0
  }

  /** What was reserved is filled, but for these pieces, and goes out with the batch; the next reservation is behind it. */
  commit(files: readonly FilePiece[] = []): void {
    for (const piece of files) this.#files.push({ ...piece, at: piece.at + this.#used })
    this.#used += this.#reserved
    this.#reserved = 0
  }

  /** What was reserved is not needed. */
  cancel(): void {
    this.#reserved = 0
  }

  /** A message ends with the batch: what answers it has been committed, or nothing does. */
  finish(message: Message): void {
    this.#finished.push(message)
    if (this.#finished.length === finishesAtOnce) this.flush()
  }

  /** Takes the reservation out of the batch. What was committed before it goes out without it. */
  detach(): Detached {
    const block = this.#block!
    const at = this.#used
    const lengthBytes = this.#reserved
    this.#block = undefined
    this.#used = this.#reserved = 0
    if (at > 0) {
      const before = this.#allocateSurely(Math.max(at, this.#usualBytes))
      block.copy(before, 0, 0, at)
      this.#block = before
      this.#used = at
    }
    return { block, at, lengthBytes, bytes: block.subarray(at, at + lengthBytes) }
  }

  /** Sends what was detached, after all that was committed before; with it end these messages, at most `finishesAtOnce`. `behind`: called in between. */
  send({ block, at, lengthBytes }: Detached, finishes: readonly Message[], behind: () => void): void {
    this.flush()
    behind()
    this.#write({ block, at, lengthBytes, settles: { finishes, state: this.#state() }, files: [] })
  }

  /** What was detached is not needed. */
  discard(detached: Detached): void {
    this.#discard(detached.block)
  }

  /** Sends what has been committed. */
  flush(): void {
    const block = this.#block
    const used = this.#used
    if (block === undefined && this.#finished.length === 0) return
    const settles = { finishes: this.#finished, state: this.#state() }
    const files = this.#files
    this.#files = []
    this.#block = undefined
    this.#used = this.#reserved = 0
    this.#finished = []
    if (used > 0) this.#write({ block: block!, at: 0, lengthBytes: used, settles, files })
    else {
      if (block !== undefined) this.#discard(block)
      if (settles.finishes.length > 0) this.#write({ block: nothing, at: 0, lengthBytes: 0, settles, files })
    }
    if (block !== undefined && used < this.#usualBytes >> 2) this.#usualBytes = Math.max(smallestBlockBytes, this.#usualBytes >> 1)
  }

  /** The connection is gone: what waits is dropped. */
  close(): void {
    this.#isClosed = true
    for (const write of this.#waiting.splice(0)) this.#drop(write)
  }

  #write(write: Write): void {
    if (this.#isClosed) return this.#drop(write)
    if (this.#waiting.length > 0 || !this.#isWritten(write)) this.#wait(write)
  }

  /** False: there is no shared memory to write it from. */
  #isWritten({ block, at, lengthBytes, settles, files }: Write): boolean {
    if (lengthBytes === 0) this.#wire.settle(settles)
    else if (!this.#borrowed.has(block)) this.#wire.sendPart(block, at, lengthBytes, settles, files)
    else {
      const shared = this.#allocateSurely(lengthBytes)
      if (this.#borrowed.has(shared)) return false
      block.copy(shared, 0, at, at + lengthBytes)
      this.#wire.sendPart(shared, 0, lengthBytes, settles, files)
    }
    return true
  }

  #wait(write: Write): void {
    // Where they are holds until now; what cannot be read cannot be sent, nor what follows.
    if (write.files.length > 0 && !readRest(write.block, write.files, 0)) {
      this.#drop(write)
      this.close()
      return this.#wire.close('a file could not be read')
    }
    this.#waiting.push({ ...write, files: [] })
    if (this.#isRetrying) return
    this.#isRetrying = true
    setTimeout(() => {
      this.#isRetrying = false
      const waiting = this.#waiting.splice(0)
      for (const each of waiting) this.#write(each)
    }, retryMs)
  }

  #drop({ block, settles }: Write): void {
    if (block.length > 0) this.#discard(block)
    for (const message of settles.finishes ?? []) message.release()
  }

  #discard(block: Buffer): void {
    if (!this.#borrowed.has(block)) this.#wire.discard(block)
  }
}

/** Messages that end with one write at most: no more than the engine takes. */
const finishesAtOnce = 1024
const nothing = Buffer.alloc(0)
