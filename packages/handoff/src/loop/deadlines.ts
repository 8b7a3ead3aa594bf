/** What a loop has to know of deadlines. */
export interface Deadlines {
  /** When the next is due, in ms; Infinity when none waits. */
  next(): number
  /** Does what is due, at most `max` of it. Returns how many. */
  run(nowMs: number, max: number): number
}

const smallestRing = 16

/** Items with the same delay, in the order they were added, which is that of their deadlines: a ring that grows. */
class Ring<Item> {
  readonly delayMs: number
  length = 0
  #items: (Item | undefined)[] = new Array(smallestRing).fill(undefined)
  #due = new Float64Array(smallestRing)
  #head = 0
  #lastDue = -Infinity

  constructor(delayMs: number) {
    this.delayMs = delayMs
  }

  /** When the first is due. */
  get firstDue(): number {
    return this.length === 0 ? Infinity : this.#due[this.#head]
  }

  get first(): Item {
    return this.#items[this.#head] as Item
  }

  add(item: Item, nowMs: number): void {
    if (this.length === this.#items.length) this.#grow()
    const at = (this.#head + this.length++) & (this.#items.length - 1)
    this.#items[at] = item
    // A clock that is read twice in a turn does not bring the order in danger.
    this.#lastDue = Math.max(this.#lastDue, nowMs + this.delayMs)
    this.#due[at] = this.#lastDue
  }

  removeFirst(): void {
    this.#items[this.#head] = undefined
    this.#head = (this.#head + 1) & (this.#items.length - 1)
    this.length--
  }

  #grow(): void {
    const size = this.#items.length
    const due = new Float64Array(size * 2)
    due.set(this.#due.subarray(this.#head))
    due.set(this.#due.subarray(0, this.#head), size - this.#head)
    this.#items = [...this.#items.slice(this.#head), ...this.#items.slice(0, this.#head), ...new Array<undefined>(size).fill(undefined)]
    this.#due = due
    this.#head = 0
  }
}

/**
 * Deadlines of hundreds of thousands of flows. All that are added with the same delay come due in the order they were added, so each delay has a queue, and adding and taking is O(1).
 * A flow that lives on is not moved: when its deadline comes, it is looked at, and added again.
 *
 * @example
 * const ended: string[] = []
 * const idle = new DeadlineQueue<string>(name => ended.push(name))
 * idle.add('first', 60_000, 0)
 * idle.run(59_999)
 * console.log(ended, idle.next()) // [] 60000
 * idle.run(60_000)
 * console.log(ended) // ['first']
 */
export class DeadlineQueue<Item> implements Deadlines {
  readonly #expire: (item: Item) => void
  readonly #isOver: (item: Item) => boolean
  readonly #rings: Ring<Item>[] = []

  /**
   * `expire` is called with what is due; it may add again. What `isOver` says of need not be waited for any more: it is dropped when it comes to the head, without a
   * call.
   */
  constructor(expire: (item: Item) => void, isOver: (item: Item) => boolean = () => false) {
    this.#expire = expire
    this.#isOver = isOver
  }

  /** Items that wait. */
  get size(): number {
    let size = 0
    for (const ring of this.#rings) size += ring.length
    return size
  }

  /** Makes `item` come due `delayMs` after `nowMs`. There should be few different delays: each has a queue for good. */
  add(item: Item, delayMs: number, nowMs: number): void {
    this.#ring(delayMs).add(item, nowMs)
  }

  /** When the next is due, in ms; Infinity when none waits. */
  next(): number {
    let next = Infinity
    for (const ring of this.#rings) {
      while (ring.length > 0 && this.#isOver(ring.first)) ring.removeFirst()
      if (ring.firstDue < next) next = ring.firstDue
    }
    return next
  }

  /** Calls `expire` for what is due, at most `max` times; what is added meanwhile waits for the next run. Returns how many. */
  run(nowMs: number, max = Infinity): number {
    let count = 0
    for (const ring of this.#rings) {
      for (let waiting = ring.length; waiting > 0 && count < max && ring.firstDue <= nowMs; waiting--) {
        const item = ring.first
        ring.removeFirst()
        if (this.#isOver(item)) continue
        count++
        this.#expire(item)
      }
    }
    return count
  }

  #ring(delayMs: number): Ring<Item> {
    for (const ring of this.#rings) if (ring.delayMs === delayMs) return ring
    const ring = new Ring<Item>(delayMs)
    this.#rings.push(ring)
    return ring
  }
}
