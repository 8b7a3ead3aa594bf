/** Which blocks of a layer hold something: a bitmap for each page that has any. */

/** What a bitmap is of. */
export interface BitmapShape {
  readonly blockBytes: number
  readonly pageBytes: number
}

const wordsOf = ({ blockBytes, pageBytes }: BitmapShape): number => Math.ceil(pageBytes / blockBytes / 32)

/** What the bitmap of a page takes where it is kept. */
export const bitmapBytesOf = (shape: BitmapShape): number => 4 * wordsOf(shape)

/** Offsets and lengths in bytes, multiples of the block size where nothing else is said. */
export class Validity {
  readonly #blockBytes: number
  readonly #pageBytes: number
  readonly #pageWords: number
  readonly #pages: (Uint32Array | undefined)[] = []

  constructor(shape: BitmapShape) {
    this.#blockBytes = shape.blockBytes
    this.#pageBytes = shape.pageBytes
    this.#pageWords = wordsOf(shape)
  }

  /** Of a page, by number; undefined where nothing of it is valid. */
  bitmapOf(page: number): Uint32Array | undefined {
    return this.#pages[page]
  }

  /** Adds what a bitmap of the page has. */
  add(page: number, bitmap: Uint32Array): void {
    if (bitmap.every(word => word === 0)) return
    const own = (this.#pages[page] ??= new Uint32Array(this.#pageWords))
    for (const [index, word] of bitmap.entries()) own[index] |= word
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
      const page = (this.#pages[Math.floor(at / this.#pageBytes)] ??= new Uint32Array(this.#pageWords))
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
