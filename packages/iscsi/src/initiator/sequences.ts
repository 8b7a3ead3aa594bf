/** Numbers that a target counts up, and those that are missing: StatSN of a connection, DataSN and R2TSN of a task (RFC 7143 4.2.2.2, 4.2.2.3). */
import { serialAdd, serialBefore, serialDistance } from '../pdu/index.ts'

/** A run of numbers, as a SNACK asks for it. */
export interface Run {
  readonly begin: number
  readonly length: number
}

/** More numbers than these are not missing: the other side is out of step. */
const missingMax = 65_536

/** Which numbers came. */
export class ReceivedSequence {
  #next: number
  /** Made when something is missing: most sequences never need it. */
  #missing: Set<number> | undefined

  /** Came, and is not to be acknowledged yet. */
  #held: Set<number> | undefined

  /** `first`: the number that comes first. */
  constructor(first = 0) {
    this.#next = first
  }

  /** Behind the last that came. */
  get next(): number {
    return this.#next
  }

  /** The first that did not come, or is held: everything before it may be acknowledged. */
  get expected(): number {
    let first = this.#next
    for (const numbers of [this.#missing, this.#held]) for (const number of numbers ?? []) if (serialBefore(number, first)) first = number
    return first
  }

  /** True when something is held back from acknowledgement. */
  get isHeld(): boolean {
    return this.#held !== undefined && this.#held.size > 0
  }

  /** A number that came is not to be acknowledged until it is released. */
  hold(number: number): void {
    this.#held ??= new Set()
    this.#held.add(number)
  }

  /** See `hold`. */
  release(number: number): void {
    this.#held?.delete(number)
  }

  get isComplete(): boolean {
    return this.#missing === undefined || this.#missing.size === 0
  }

  /** True when `number` is new; false for one that came already, and for one that lies absurdly far ahead. */
  receive(number: number): boolean {
    if (number === this.#next) {
      this.#next = serialAdd(number, 1)
      return true
    }
    if (this.#missing?.delete(number) === true) return true
    if (!this.expectUpTo(number)) return false
    this.#next = serialAdd(number, 1)
    return true
  }

  /** Takes note that all numbers before `end` were sent. False: they were known of already, or cannot be meant. */
  expectUpTo(end: number): boolean {
    const ahead = serialDistance(this.#next, end)
    if (ahead <= 0 || ahead > missingMax) return false
    this.#missing ??= new Set()
    for (let number = this.#next; number !== end; number = serialAdd(number, 1)) this.#missing.add(number)
    this.#next = end
    return true
  }

  /** What is missing, as runs in order. */
  missing(): Run[] {
    const runs: { begin: number; length: number }[] = []
    for (const number of [...(this.#missing ?? [])].sort((a, b) => serialDistance(b, a))) {
      const last = runs.at(-1)
      if (last !== undefined && serialAdd(last.begin, last.length) === number) last.length++
      else runs.push({ begin: number, length: 1 })
    }
    return runs
  }

  /** Begins anew at a number: what comes from there on is sent again. */
  restart(first: number): void {
    this.#next = first
    this.#missing = undefined
  }
}
