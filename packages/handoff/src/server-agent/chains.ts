/** Places by the hash of what is there, chained: for keys that are kept elsewhere, without an object or a string for each. */

const nowhere = -1

/** See above. */
export class Chains {
  readonly #heads: Int32Array
  readonly #next: Int32Array
  readonly #mask: number

  /** For places 0 to `capacity` − 1. */
  constructor(capacity: number) {
    const size = 2 ** Math.ceil(Math.log2(Math.max(2, capacity)))
    this.#heads = new Int32Array(size).fill(nowhere)
    this.#next = new Int32Array(capacity)
    this.#mask = size - 1
  }

  /** The first place where something of this hash may be; −1: there is none. Others of the chain may have another hash. */
  first(hash: number): number {
    return this.#heads[hash & this.#mask]
  }

  /** The next one of the chain. */
  next(place: number): number {
    return this.#next[place]
  }

  add(hash: number, place: number): void {
    const head = hash & this.#mask
    this.#next[place] = this.#heads[head]
    this.#heads[head] = place
  }

  /** It is there, with this hash. */
  remove(hash: number, place: number): void {
    const head = hash & this.#mask
    if (this.#heads[head] === place) {
      this.#heads[head] = this.#next[place]
      return
    }
    let before = this.#heads[head]
    while (this.#next[before] !== place) before = this.#next[before]
    this.#next[before] = this.#next[place]
  }
}

/** A hash of a number of up to 53 bits. */
export const hashOf = (number: number): number => Math.imul(number ^ (number / 0x1_0000_0000), 0x9e37_79b1) >>> 8
