/** Ids of operations and of audit entries sort by the time when they were made: 14 hexadecimal digits of microseconds, then 10 random ones. */

/** What an id looks like. */
export const idPattern = /^[0-9a-f]{24}$/

const timeDigits = 14
const randomBytes = 5

/** Makes ids; each sorts behind the one before. */
export class Ids {
  readonly #wallClock: () => number
  readonly #random: (bytes: number) => Buffer
  #lastUs = 0

  constructor({ wallClock, random }: { readonly wallClock: () => number; readonly random: (bytes: number) => Buffer }) {
    this.#wallClock = wallClock
    this.#random = random
  }

  next(): string {
    this.#lastUs = Math.max(Math.trunc(this.#wallClock() * 1000), this.#lastUs + 1)
    return firstIdOf(this.#lastUs) + this.#random(randomBytes).toString('hex')
  }
}

const firstIdOf = (us: number): string => us.toString(16).padStart(timeDigits, '0')

/** What sorts at or before all ids of that time or later, and behind all earlier ones. */
export const idsFrom = (ms: number): string => firstIdOf(Math.max(0, Math.trunc(ms * 1000))).padEnd(timeDigits + 2 * randomBytes, '0')

/** Another id, that sorts the other way round: a store lists keys in ascending order only, and the newest is wanted first. Its own inverse. */
export const newestFirst = (id: string): string => id.replace(/./g, digit => (15 - Number.parseInt(digit, 16)).toString(16))
