import { compareKeys, prefixEnd, storeLimits } from '@holdfast/cluster'
import type { Operation } from '@holdfast/cluster'

/** One operation is for the fence; keys that are compared come twice, and are short. */
const mostOperations = storeLimits.maxOperations - 2
const mostBytes = storeLimits.maxBytes - 65_536

interface Expected {
  readonly key: string
  readonly modRevision: number
}
interface Range {
  readonly from: string
  readonly to: string
}

const isInside = (key: string, { from, to }: Range): boolean => compareKeys(key, from) >= 0 && compareKeys(key, to) < 0

/** What goes into a transaction, and what comes after it. Of two things that are done to a key the later one counts. */
export class Writes {
  readonly #operations = new Map<string, Operation>()
  readonly #ranges: Range[] = []
  readonly #committed: (() => void)[] = []
  readonly #dropped: (() => void)[] = []
  readonly compares: Expected[] = []
  #bytes = 0

  put(key: string, value: Uint8Array): void {
    if (this.#ranges.some(range => isInside(key, range))) throw new Error(`${key} is written after it was deleted`)
    this.#operations.set(key, { type: 'put', key, value })
    this.#bytes += 2 * key.length + value.byteLength
  }

  delete(key: string): void {
    this.#operations.set(key, { type: 'delete', key })
    this.#bytes += 2 * key.length
  }

  /** Keys with a prefix; those before `to` only, where it is given. */
  deleteAll(prefix: string, to: string = prefixEnd(prefix) ?? prefix): void {
    const range = { from: prefix, to }
    for (const key of this.#operations.keys()) if (isInside(key, range)) this.#operations.delete(key)
    this.#ranges.push(range)
    this.#bytes += 2 * (prefix.length + to.length)
  }

  /** Calls back when it is in the store, in the order of the calls. */
  whenCommitted(then: () => void): void {
    this.#committed.push(then)
  }

  /** Calls back when it will not be in the store, the latest first: what was counted up goes back. */
  whenDropped(then: () => void): void {
    this.#dropped.push(then)
  }

  get operations(): Operation[] {
    return [...this.#ranges.map(range => ({ type: 'delete' as const, ...range })), ...this.#operations.values()]
  }

  touches(key: string): boolean {
    return this.#operations.has(key) || this.compares.some(compare => compare.key === key) || this.#ranges.some(range => isInside(key, range))
  }

  /** Whether more fits into the transaction, and does not undo what is in it. */
  fits(more: Writes): boolean {
    const count = this.#operations.size + this.#ranges.length + more.#operations.size + more.#ranges.length
    if (count > mostOperations || this.#bytes + more.#bytes > mostBytes) return false
    return !this.#ranges.some(range => [...more.#operations.keys()].some(key => isInside(key, range)))
  }

  /** Puts another one's content behind its own. */
  absorb(more: Writes, expects: Expected | undefined): void {
    for (const { from, to } of more.#ranges) this.deleteAll(from, to)
    for (const [key, operation] of more.#operations) this.#operations.set(key, operation)
    this.#bytes += more.#bytes
    this.#committed.push(...more.#committed)
    this.#dropped.push(...more.#dropped)
    if (expects !== undefined) this.compares.push(expects)
  }

  commit(): void {
    for (const then of this.#committed) then()
  }

  drop(): void {
    for (const then of this.#dropped.toReversed()) then()
  }
}
