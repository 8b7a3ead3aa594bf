/** How much the guessing of passwords is slowed down; what is left out has a default. */
export interface LoginThrottleOptions {
  /** Milliseconds, monotonic. */
  clock?: () => number
  /** Failures that cost nothing. */
  freeFailures?: number
  /** The delay after the first failure beyond these; doubles with each further one. */
  firstDelayMs?: number
  delayMsMax?: number
  /** After this long without a failure a counter is forgotten. */
  forgetAfterMs?: number
  /** Counters kept at most, each for addresses and users; the longest untouched goes first. */
  entriesMax?: number
}

interface Counter {
  failures: number
  lastFailureMs: number
}

/** Who tries to log on. */
export interface LoginAttempt {
  readonly remoteAddress: string
  readonly user: string
}

/**
 * Slows down the guessing of passwords: failures are counted per remote address and per user (case-insensitively), and each further one
 * doubles the time that an answer is held back. Nobody is locked out: a stranger must not be able to lock a user's account.
 *
 * @example
 * const throttle = new LoginThrottle({ freeFailures: 1, firstDelayMs: 500 })
 * const attempt = { remoteAddress: '192.0.2.1', user: 'alice' }
 * throttle.failed(attempt)
 * throttle.failed(attempt)
 * throttle.delayMs(attempt) // => 500
 * throttle.succeeded(attempt)
 */
export class LoginThrottle {
  readonly #clock: () => number
  readonly #freeFailures: number
  readonly #firstDelayMs: number
  readonly #delayMsMax: number
  readonly #forgetAfterMs: number
  readonly #entriesMax: number
  readonly #addresses = new Map<string, Counter>()
  readonly #users = new Map<string, Counter>()

  constructor(options: LoginThrottleOptions = {}) {
    this.#clock = options.clock ?? (() => performance.now())
    this.#freeFailures = options.freeFailures ?? 3
    this.#firstDelayMs = options.firstDelayMs ?? 250
    this.#delayMsMax = options.delayMsMax ?? 10_000
    this.#forgetAfterMs = options.forgetAfterMs ?? 15 * 60_000
    this.#entriesMax = options.entriesMax ?? 10_000
  }

  /** How long to hold the next answer back, in milliseconds: the longer one of the address's and the user's. */
  delayMs(attempt: LoginAttempt): number {
    return Math.max(this.#delay(this.#addresses, attempt.remoteAddress), this.#delay(this.#users, userKey(attempt.user)))
  }

  /** Counts a failure. Answers the delay from now on. */
  failed(attempt: LoginAttempt): number {
    this.#count(this.#addresses, attempt.remoteAddress)
    this.#count(this.#users, userKey(attempt.user))
    return this.delayMs(attempt)
  }

  /** Forgets the failures of this user and address. */
  succeeded(attempt: LoginAttempt): void {
    this.#addresses.delete(attempt.remoteAddress)
    this.#users.delete(userKey(attempt.user))
  }

  #delay(counters: Map<string, Counter>, key: string): number {
    const counter = counters.get(key)
    if (counter === undefined || this.#clock() - counter.lastFailureMs >= this.#forgetAfterMs) return 0
    const costly = counter.failures - this.#freeFailures
    return costly <= 0 ? 0 : Math.min(this.#delayMsMax, this.#firstDelayMs * 2 ** Math.min(costly - 1, 30))
  }

  #count(counters: Map<string, Counter>, key: string): void {
    const now = this.#clock()
    const old = counters.get(key)
    const failures = old !== undefined && now - old.lastFailureMs < this.#forgetAfterMs ? old.failures + 1 : 1
    // Deleted and set again, so that the map's order is the order of the last failures.
    counters.delete(key)
    counters.set(key, { failures, lastFailureMs: now })
    if (counters.size > this.#entriesMax) counters.delete(counters.keys().next().value!)
  }
}

// A name of arbitrary length must not cost arbitrary memory; Windows' names have at most 256 characters.
const userKey = (user: string): string => user.slice(0, 256).toUpperCase()
