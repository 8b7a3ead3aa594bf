/** How often somebody may ask: a bucket of tokens for each of them, which fills at a rate. */

/** A rate, and how many requests may come at once. */
export interface Rate {
  readonly perSecond: number
  readonly burst: number
}

interface Bucket {
  tokens: number
  atMs: number
}

/** Buckets by name. Those that are full again are forgotten: what is held is bounded by how many can be emptied before they fill. */
export class TokenBuckets {
  readonly #rate: Rate
  readonly #buckets = new Map<string, Bucket>()
  #sweptMs = 0

  constructor(rate: Rate) {
    this.#rate = rate
  }

  /** How many are not known to be full. */
  get size(): number {
    return this.#buckets.size
  }

  /** Takes a token; 0 where there was one, else the whole seconds until there is (RFC 9110 10.2.3). */
  take(name: string, nowMs: number): number {
    this.#sweep(nowMs)
    const bucket = this.#buckets.get(name) ?? { tokens: this.#rate.burst, atMs: nowMs }
    this.#buckets.set(name, bucket)
    bucket.tokens = this.#tokensAt(bucket, nowMs)
    bucket.atMs = nowMs
    if (bucket.tokens < 1) return Math.max(1, Math.ceil((1 - bucket.tokens) / this.#rate.perSecond))
    bucket.tokens--
    return 0
  }

  #tokensAt({ tokens, atMs }: Bucket, nowMs: number): number {
    return Math.min(this.#rate.burst, tokens + (Math.max(0, nowMs - atMs) / 1000) * this.#rate.perSecond)
  }

  /** So often that a bucket is looked at once or twice before it is full. */
  #sweep(nowMs: number): void {
    if (nowMs - this.#sweptMs < (1000 * this.#rate.burst) / this.#rate.perSecond) return
    this.#sweptMs = nowMs
    for (const [name, bucket] of this.#buckets) if (this.#tokensAt(bucket, nowMs) >= this.#rate.burst) this.#buckets.delete(name)
  }
}
