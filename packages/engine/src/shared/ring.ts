/**
 * A ring of fixed-size records in shared memory, from exactly one writing thread to exactly one reading thread.
 *
 * Layout in 32-bit words: [0] head (next to read), [1] tail (next to write), [16 …] records. Head and tail only grow
 * (modulo 2^32); a record's place is its number modulo the capacity.
 */

const headerWords = 16

export interface RingShape {
  /** A power of two. */
  readonly records: number
  readonly wordsPerRecord: number
}

export function ringBytes(shape: RingShape): number {
  return 4 * (headerWords + shape.records * shape.wordsPerRecord)
}

export class RingWriter {
  readonly #words: Int32Array
  readonly #mask: number
  readonly #width: number
  /** Records that found the ring full, in order. */
  readonly #waiting: number[][] = []
  #tail: number

  constructor(memory: SharedArrayBuffer, shape: RingShape) {
    this.#words = new Int32Array(memory)
    this.#mask = shape.records - 1
    this.#width = shape.wordsPerRecord
    this.#tail = Atomics.load(this.#words, 1)
  }

  /** The number that the next pushed record will have, modulo 2^32. */
  get next(): number {
    return (this.#tail + this.#waiting.length) | 0
  }

  /** Never fails: what finds the ring full is kept and written by a later call of `flush` or `push`. */
  push(type: number, a: number, b: number, c: number, d: number, e = 0): void {
    if (this.#waiting.length > 0 && !this.flush()) {
      this.#waiting.push([type, a, b, c, d, e])
      return
    }
    if (!this.#put(type, a, b, c, d, e)) this.#waiting.push([type, a, b, c, d, e])
  }

  /** Writes what waits; true when nothing waits any more. */
  flush(): boolean {
    while (this.#waiting.length > 0) {
      const [type, a, b, c, d, e] = this.#waiting[0]
      if (!this.#put(type, a, b, c, d, e)) return false
      this.#waiting.shift()
    }
    return true
  }

  #put(type: number, a: number, b: number, c: number, d: number, e: number): boolean {
    const head = Atomics.load(this.#words, 0)
    if (((this.#tail - head) | 0) > this.#mask) return false
    const at = headerWords + (this.#tail & this.#mask) * this.#width
    const words = this.#words
    words[at] = type
    words[at + 1] = a
    words[at + 2] = b
    words[at + 3] = c
    words[at + 4] = d
    words[at + 5] = e
    this.#tail = (this.#tail + 1) | 0
    Atomics.store(words, 1, this.#tail)
    return true
  }
}

export class RingReader {
  readonly #words: Int32Array
  readonly #mask: number
  readonly #width: number
  #head: number

  constructor(memory: SharedArrayBuffer, shape: RingShape) {
    this.#words = new Int32Array(memory)
    this.#mask = shape.records - 1
    this.#width = shape.wordsPerRecord
    this.#head = Atomics.load(this.#words, 0)
  }

  /** The number of the next record to read, modulo 2^32. */
  get next(): number {
    return this.#head
  }

  get isEmpty(): boolean {
    return Atomics.load(this.#words, 1) === this.#head
  }

  /** Reads at most `limit` records; returns how many there were. */
  drain(visit: (type: number, a: number, b: number, c: number, d: number, e: number) => void, limit: number): number {
    const words = this.#words
    let count = 0
    while (count < limit && Atomics.load(words, 1) !== this.#head) {
      const at = headerWords + (this.#head & this.#mask) * this.#width
      const type = words[at]
      const a = words[at + 1]
      const b = words[at + 2]
      const c = words[at + 3]
      const d = words[at + 4]
      const e = words[at + 5]
      this.#head = (this.#head + 1) | 0
      Atomics.store(words, 0, this.#head)
      count++
      visit(type, a, b, c, d, e)
    }
    return count
  }
}
