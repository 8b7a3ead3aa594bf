/**
 * A buddy allocator over a piece of shared memory. One thread allocates and frees; others only use the blocks and
 * send them back over a ring. The memory costs nothing until it is touched, and low addresses are used first.
 */

const smallestBits = 10

export class Arena {
  readonly bytes: Buffer
  readonly #largestBits: number
  /** Free blocks by size class, as offsets in units of the smallest block. */
  readonly #free: number[][]
  /** Size class of the block that starts at a unit, or 0; negative while it is free. */
  readonly #classAt: Int8Array
  #usedBytes = 0

  /** `memory`'s length must be a multiple of the largest block, 2^`largestBits` bytes. */
  constructor(memory: SharedArrayBuffer, largestBits = 24) {
    this.bytes = Buffer.from(memory)
    this.#largestBits = largestBits
    const units = memory.byteLength >>> smallestBits
    this.#classAt = new Int8Array(units)
    this.#free = Array.from({ length: largestBits + 1 }, () => [])
    const step = 1 << (largestBits - smallestBits)
    for (let unit = units - step; unit >= 0; unit -= step) this.#putFree(unit, largestBits)
  }

  get usedBytes(): number {
    return this.#usedBytes
  }

  /** Byte offset of a block of at least `lengthBytes`, or -1 when there is none. */
  allocate(lengthBytes: number): number {
    const wanted = lengthBytes <= 1 << smallestBits ? smallestBits : 32 - Math.clz32(lengthBytes - 1)
    if (wanted > this.#largestBits) return -1
    let bits = wanted
    let unit = -1
    for (; bits <= this.#largestBits; bits++) {
      unit = this.#takeFree(bits)
      if (unit >= 0) break
    }
    if (unit < 0) return -1
    while (bits > wanted) {
      bits--
      this.#putFree(unit + (1 << (bits - smallestBits)), bits)
    }
    this.#classAt[unit] = wanted
    this.#usedBytes += 2 ** wanted
    return unit * 2 ** smallestBits
  }

  /** Bytes usable in the block at `offset`. */
  capacity(offset: number): number {
    return 2 ** this.#classAt[offset >>> smallestBits]
  }

  free(offset: number): void {
    let unit = offset >>> smallestBits
    let bits = this.#classAt[unit]
    if (bits <= 0) throw new Error(`freed a block that is not in use at ${offset}`)
    this.#usedBytes -= 2 ** bits
    // Small blocks are not merged at once: the same sizes come back in a moment.
    while (bits < this.#largestBits && !(bits <= 16 && this.#free[bits].length < 32)) {
      const buddy = unit ^ (1 << (bits - smallestBits))
      if (this.#classAt[buddy] !== -bits) break
      this.#removeFree(buddy, bits)
      this.#classAt[Math.max(unit, buddy)] = 0
      unit = Math.min(unit, buddy)
      bits++
    }
    this.#putFree(unit, bits)
  }

  #putFree(unit: number, bits: number): void {
    this.#classAt[unit] = -bits
    this.#free[bits].push(unit)
  }

  /** Entries of a free list may be stale (merged or taken meanwhile): the class map decides. */
  #takeFree(bits: number): number {
    const list = this.#free[bits]
    while (list.length > 0) {
      const unit = list.pop()!
      if (this.#classAt[unit] === -bits) return unit
    }
    return -1
  }

  #removeFree(unit: number, bits: number): void {
    const list = this.#free[bits]
    if (list[list.length - 1] === unit) {
      list.pop()
      return
    }
    const at = list.indexOf(unit)
    if (at >= 0) {
      list[at] = list[list.length - 1]!
      list.pop()
    }
  }
}
