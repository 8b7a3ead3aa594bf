/** Random numbers that are the same for the same seed. */

/** xorshift32 (Marsaglia). */
export class Random {
  #state: number
  constructor(seed: number) {
    this.#state = seed >>> 0 || 1
  }

  /** 32 bits. */
  word(): number {
    let x = this.#state
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    return (this.#state = x >>> 0)
  }

  /** 0 to `limit` − 1. */
  below(limit: number): number {
    return this.word() % limit
  }

  /** True once in so many times. */
  once(times: number): boolean {
    return this.below(times) === 0
  }

  of<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]
  }

  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.below(256)))
  }

  /** Any 32 bits, and more often than not those around the places where arithmetic goes wrong. */
  edgyWord(): number {
    return this.once(2) ? this.word() : (this.of([0, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0xffff]) + this.below(5) - 2) >>> 0
  }
}
