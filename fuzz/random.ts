/** A small seeded generator: the same seed gives the same run. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** 32 random bits (splitmix32). */
  bits(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0
    let z = this.#state
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b)
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35)
    return (z ^ (z >>> 16)) >>> 0
  }

  /** 0 <= result < limit. */
  below(limit: number): number {
    return limit <= 0 ? 0 : this.bits() % limit
  }

  /** True with the probability given, 0 … 1. */
  chance(probability: number): boolean {
    return this.bits() / 0x1_0000_0000 < probability
  }

  pick<T>(list: readonly T[]): T {
    if (list.length === 0) throw new RangeError('nothing to pick from')
    return list[this.below(list.length)]
  }

  bytes(lengthBytes: number): Buffer {
    const result = Buffer.allocUnsafe(lengthBytes)
    for (let index = 0; index < lengthBytes; index++) result[index] = this.bits()
    return result
  }

  /** A generator of its own, for a part of the work that must not depend on the order of others. */
  fork(): Random {
    return new Random(this.bits())
  }
}
