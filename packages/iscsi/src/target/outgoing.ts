import type { Connection } from '@holdfast/engine'

/** Blocks that responses are gathered in, in bytes: no more than a batch needs. */
const smallestBlockBytes = 8 << 10
const largestBlockBytes = 256 << 10

/** A reservation that has left its batch: its content comes later. */
export interface Detached {
  readonly block: Buffer
  readonly at: number
  readonly lengthBytes: number
  /** The reserved bytes. */
  readonly bytes: Buffer
}

/** Where finished PDUs go in what order: the part of a connection that writes. */
type Wire = Pick<Connection, 'allocate' | 'discard' | 'sendPart'>

/**
 * Gathers the PDUs of one batch in one piece of shared memory, so that they go out with one write. Room is reserved at its end, filled (a
 * READ comes straight from the medium), and committed; only one reservation is open at a time. One that is to be filled later is detached.
 */
export class Outgoing {
  readonly #wire: Wire
  #block: Buffer | undefined
  #used = 0
  #reserved = 0
  /** What recent batches took. */
  #usualBytes = smallestBlockBytes

  constructor(wire: Wire) {
    this.#wire = wire
  }

  /** Room for `lengthBytes` behind what has been committed. */
  reserve(lengthBytes: number): Buffer {
    if (this.#block !== undefined && this.#used + lengthBytes > this.#block.length) {
      this.#usualBytes = Math.min(largestBlockBytes, 2 * this.#usualBytes)
      this.flush()
    }
    this.#block ??= this.#wire.allocate(Math.max(lengthBytes, this.#usualBytes))
    this.#reserved = lengthBytes
    return this.#block.subarray(this.#used, this.#used + lengthBytes)
  }

  /** What was reserved is filled, and goes out with the batch; the next reservation is behind it. */
  commit(): void {
    this.#used += this.#reserved
    this.#reserved = 0
  }

  /** What was reserved is not needed. */
  cancel(): void {
    this.#reserved = 0
  }

  /** Takes the reservation out of the batch. What was committed before it goes out without it. */
  detach(): Detached {
    const block = this.#block!
    const at = this.#used
    const lengthBytes = this.#reserved
    this.#block = undefined
    this.#used = this.#reserved = 0
    if (at > 0) {
      const before = this.#wire.allocate(Math.max(at, this.#usualBytes))
      block.copy(before, 0, 0, at)
      this.#block = before
      this.#used = at
    }
    return { block, at, lengthBytes, bytes: block.subarray(at, at + lengthBytes) }
  }

  /** Sends what was detached, after all that was committed before. */
  send(detached: Detached): void {
    this.flush()
    this.#wire.sendPart(detached.block, detached.at, detached.lengthBytes)
  }

  /** What was detached is not needed. */
  discard(detached: Detached): void {
    this.#wire.discard(detached.block)
  }

  /** Sends what has been committed. */
  flush(): void {
    const block = this.#block
    if (block === undefined) return
    this.#block = undefined
    const used = this.#used
    this.#used = this.#reserved = 0
    if (used === 0) this.#wire.discard(block)
    else this.#wire.sendPart(block, 0, used)
    if (used < this.#usualBytes >> 2) this.#usualBytes = Math.max(smallestBlockBytes, this.#usualBytes >> 1)
  }
}
