/** Which blocks of a layer hold something: a bitmap for each page that has any. */

/** Offsets and lengths in bytes, multiples of the block size where nothing else is said. */
export class Validity {
  readonly #blockBytes: number
  readonly #pageBytes: number
  readonly #pages: (Uint32Array | undefined)[] = []

  constructor({ blockBytes, pageBytes }: { readonly blockBytes: number; readonly pageBytes: number }) {
    this.#blockBytes = blockBytes
    this.#pageBytes = pageBytes
  }

  /** Any offset: whether the block that it is in is valid. */
  has(offset: number): boolean {
    const page = this.#pages[Math.floor(offset / this.#pageBytes)]
    if (page === undefined) return false
    const block = Math.floor((offset % this.#pageBytes) / this.#blockBytes)
    return (page[block >>> 5] & (1 << (block & 31))) !== 0
  }

  /** Any range: whether all of it is valid. */
  covers(offset: number, lengthBytes: number): boolean {
    return this.has(offset) && (this.#isOneBlock(offset, lengthBytes) || this.runEnd(offset, offset + lengthBytes) === offset + lengthBytes)
  }

  #isOneBlock(offset: number, lengthBytes: number): boolean {
    return (offset % this.#blockBytes) + lengthBytes <= this.#blockBytes
  }

  /** Where what is true of `offset` ends to be true, at `limit` at the latest. */
  runEnd(offset: number, limit: number): number {
    const isValid = this.has(offset)
    let at = offset
    do at = this.#after(at, isValid)
    while (at < limit && this.has(at) === isValid)
    return Math.min(at, limit)
  }

  /** The next block; the next page where this one has none. */
  #after(at: number, isValid: boolean): number {
    const unit = isValid || this.#pages[Math.floor(at / this.#pageBytes)] !== undefined ? this.#blockBytes : this.#pageBytes
    return (Math.floor(at / unit) + 1) * unit
  }

  set(offset: number, lengthBytes: number): void {
    for (let at = offset; at < offset + lengthBytes; at += this.#blockBytes) {
      const block = Math.floor((at % this.#pageBytes) / this.#blockBytes)
      const page = (this.#pages[Math.floor(at / this.#pageBytes)] ??= new Uint32Array(Math.ceil(this.#pageBytes / this.#blockBytes / 32)))
      page[block >>> 5] |= 1 << (block & 31)
    }
  }

  clear(offset: number, lengthBytes: number): void {
    for (let at = offset; at < offset + lengthBytes;) {
      const index = Math.floor(at / this.#pageBytes)
      const page = this.#pages[index]
      const pageEnd = (index + 1) * this.#pageBytes
      if (page === undefined || (at === pageEnd - this.#pageBytes && offset + lengthBytes >= pageEnd)) {
        this.#pages[index] = undefined
        at = pageEnd
        continue
      }
      const block = Math.floor((at % this.#pageBytes) / this.#blockBytes)
      page[block >>> 5] &= ~(1 << (block & 31))
      at += this.#blockBytes
    }
  }
}
