/**
 * What was said last about connections that are gone: a HANDOFF that comes again, late, must not begin them anew. The director has gone on without us, and two servers would answer one
 * client.
 */

import { Chains, hashOf } from './chains.ts'

/** Longer than a director asks. */
const keepMs = 2000

/** RELEASED or CLOSED; or REFUSE with this reason. */
export type LastWord = 'released' | 'closed' | number

/** What is more pushes out what is oldest. */
const capacityDefault = 65_536

/** By the director's number of the connection: a ring, in the order in which things were said. */
export class LastWords {
  readonly #numbers: Float64Array
  readonly #generations: Float64Array
  readonly #untilMs: Float64Array
  readonly #words: LastWord[]
  readonly #chains: Chains
  readonly #capacity: number
  #first = 0
  #count = 0

  constructor(capacity: number = capacityDefault) {
    this.#numbers = new Float64Array(capacity)
    this.#generations = new Float64Array(capacity)
    this.#untilMs = new Float64Array(capacity)
    this.#words = new Array<LastWord>(capacity).fill(0)
    this.#chains = new Chains(capacity)
    this.#capacity = capacity
  }

  /** Keeps it for a while. */
  keep(number: number, generation: number, word: LastWord, nowMs: number): void {
    while (this.#count === this.#capacity || (this.#count > 0 && this.#untilMs[this.#first] <= nowMs)) this.#dropFirst()
    const place = (this.#first + this.#count++) % this.#capacity
    this.#numbers[place] = number
    this.#generations[place] = generation
    this.#words[place] = word
    this.#untilMs[place] = nowMs + keepMs
    this.#chains.add(hashOf(number), place)
  }

  /** What was said of this generation, or a later one. */
  of(number: number, generation: number, nowMs: number): LastWord | undefined {
    // What was said last is found first.
    for (let place = this.#chains.first(hashOf(number)); place >= 0; place = this.#chains.next(place)) {
      if (this.#numbers[place] !== number) continue
      return this.#generations[place] >= generation && this.#untilMs[place] > nowMs ? this.#words[place] : undefined
    }
    return undefined
  }

  #dropFirst(): void {
    this.#chains.remove(hashOf(this.#numbers[this.#first]), this.#first)
    this.#first = (this.#first + 1) % this.#capacity
    this.#count--
  }
}
