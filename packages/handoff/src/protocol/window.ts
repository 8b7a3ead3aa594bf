/**
 * Which sequence numbers of a session have been seen (RFC 4303 3.4.3): the last 1,024, in a ring of words, so that moving on clears whole words instead of shifting (RFC 6479).
 * What is older counts as seen.
 */

/** Sequence numbers that may come out of order. */
export const windowSize = 1024
const wordBits = 32
/** One word more than the window has, as the newest one is only partly in it. */
const words = windowSize / wordBits + 1

/** The window of one session and direction. */
export class ReplayWindow {
  readonly #seen = new Uint32Array(words)
  #last = 0

  /** The greatest number that has come. */
  get last(): number {
    return this.#last
  }

  /** Whether a number may come: from 1 on, and not seen before. Asked before the MAC is checked; changes nothing. */
  mayCome(sequence: number): boolean {
    if (sequence > this.#last) return true
    if (sequence < 1 || sequence <= this.#last - windowSize) return false
    return (this.#seen[wordOf(sequence)] & bitOf(sequence)) === 0
  }

  /** Notes a number for which `mayCome` is true, when its message's MAC was right. */
  note(sequence: number): void {
    if (sequence > this.#last) this.#advance(sequence)
    this.#seen[wordOf(sequence)] |= bitOf(sequence)
  }

  /** Clears the words between the one of the last number and the one of this. */
  #advance(sequence: number): void {
    const from = Math.floor(this.#last / wordBits)
    const fresh = Math.min(Math.floor(sequence / wordBits) - from, words)
    for (let i = 1; i <= fresh; i++) this.#seen[(from + i) % words] = 0
    this.#last = sequence
  }
}

const wordOf = (sequence: number): number => Math.floor(sequence / wordBits) % words
const bitOf = (sequence: number): number => 1 << (sequence % wordBits)
