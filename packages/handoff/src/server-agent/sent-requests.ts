/**
 * Requests that the server may not have got: a listener whose queue is full forgets the third packet of a handshake and what is in it, and the client believes that it has been
 * acknowledged. They are kept for a while, the oldest giving way to new ones.
 */

const bytesDefault = 8 << 20

/** A ring of requests. */
export class SentRequests {
  readonly #ring: Buffer
  #next = 0

  /** `lengthBytes` are kept at least, but for what is lost at the end of the ring. */
  constructor(lengthBytes: number = bytesDefault) {
    this.#ring = Buffer.allocUnsafeSlow(lengthBytes)
  }

  /** Keeps a copy of `bytes[from, to)`. Returns where it is. */
  keep(bytes: Buffer, from: number, to: number): number {
    const { length } = this.#ring
    const at = this.#next % length
    if (at + to - from > length) this.#next += length - at
    const position = this.#next
    bytes.copy(this.#ring, position % length, from, to)
    this.#next += to - from
    return position
  }

  /** What was kept there; undefined when it had to give way. */
  get(position: number, lengthBytes: number): Buffer | undefined {
    const { length } = this.#ring
    if (this.#next - position > length) return undefined
    return this.#ring.subarray(position % length, (position % length) + lengthBytes)
  }
}
