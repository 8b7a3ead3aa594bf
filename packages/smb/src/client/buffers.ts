/** Large buffers that are used again: a fresh one costs a page fault per 4 KiB, more than copying into it. */

const classBytes = 65_536

/** A buffer on loan. Whoever keeps it retains it; when the last holder releases it, it goes back to the pool. */
export class PooledBuffer {
  /** As long as was asked for. */
  readonly bytes: Buffer
  readonly #whole: Buffer
  readonly #pool: BufferPool
  #holders = 1

  constructor(pool: BufferPool, whole: Buffer, lengthBytes: number) {
    this.#pool = pool
    this.#whole = whole
    this.bytes = lengthBytes === whole.length ? whole : whole.subarray(0, lengthBytes)
  }

  retain(): void {
    this.#holders++
  }

  release(): void {
    if (--this.#holders === 0) this.#pool.give(this.#whole)
  }
}

/** Lends buffers of multiples of 64 KiB; keeps at most `idleBytesMax` that nobody uses. */
export class BufferPool {
  readonly #free = new Map<number, Buffer[]>()
  readonly #idleBytesMax: number
  #idleBytes = 0

  constructor(idleBytesMax: number = 32 * 1024 * 1024) {
    this.#idleBytesMax = idleBytesMax
  }

  /** Bytes kept for later. */
  get idleBytes(): number {
    return this.#idleBytes
  }

  /** Lends a buffer; its content is whatever it was. */
  take(lengthBytes: number): PooledBuffer {
    const size = Math.ceil(lengthBytes / classBytes) * classBytes
    const whole = this.#free.get(size)?.pop()
    if (whole === undefined) return new PooledBuffer(this, Buffer.allocUnsafeSlow(size), lengthBytes)
    this.#idleBytes -= size
    return new PooledBuffer(this, whole, lengthBytes)
  }

  /** Takes a buffer back. Only for PooledBuffer. */
  give(whole: Buffer): void {
    if (this.#idleBytes + whole.length > this.#idleBytesMax) return
    this.#idleBytes += whole.length
    const list = this.#free.get(whole.length)
    if (list === undefined) this.#free.set(whole.length, [whole])
    else list.push(whole)
  }
}
