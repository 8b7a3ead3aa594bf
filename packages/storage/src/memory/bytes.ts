import { FsError, type ByteRange } from '../filesystem.ts'

const pageBytes = 65_536
export const allocationUnitBytes = 4096

/** Memory that all files of a filesystem share. */
export class Budget {
  readonly limitBytes: number
  #usedBytes = 0

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes
  }

  get freeBytes(): number {
    return Math.max(0, this.limitBytes - this.#usedBytes)
  }

  /** Throws `no-space`. */
  take(bytes: number): void {
    if (bytes > this.freeBytes) throw new FsError('no-space')
    this.#usedBytes += bytes
  }

  give(bytes: number): void {
    this.#usedBytes -= bytes
  }
}

/** The bytes of a file or stream: pages of 64 KiB, those never written (or zeroed) missing; a small file's only page is smaller. */
export class SparseBytes {
  readonly #budget: Budget
  readonly #pages: (Buffer | undefined)[] = []
  #size = 0
  #allocated = 0
  /** Space asked for beyond what is used. */
  reservedBytes = 0

  constructor(budget: Budget) {
    this.#budget = budget
  }

  get sizeBytes(): number {
    return this.#size
  }

  /** A file that is not sparse takes its size, as if holes were filled. */
  allocationBytes(sparse: boolean): number {
    const needed = Math.ceil(this.#size / allocationUnitBytes) * allocationUnitBytes
    const used = sparse ? Math.min(this.#allocated, needed) : needed
    return Math.max(used, Math.ceil(this.reservedBytes / allocationUnitBytes) * allocationUnitBytes)
  }

  read(target: Uint8Array, offset: number): number {
    const length = Math.min(target.length, Math.max(0, this.#size - offset))
    for (let done = 0; done < length;) {
      const at = offset + done
      const within = at % pageBytes
      const part = Math.min(pageBytes - within, length - done)
      const page = this.#pages[Math.floor(at / pageBytes)]
      const present = page === undefined ? 0 : Math.max(0, Math.min(part, page.length - within))
      if (present > 0) target.set(page!.subarray(within, within + present), done)
      if (present < part) target.fill(0, done + present, done + part)
      done += part
    }
    return length
  }

  /** All or nothing: throws `no-space` before anything is changed but pages. */
  write(source: Uint8Array, offset: number): void {
    const end = offset + source.length
    if (end > Number.MAX_SAFE_INTEGER) throw new FsError('too-large')
    if (source.length === 0) return
    const first = Math.floor(offset / pageBytes)
    const last = Math.floor((end - 1) / pageBytes)
    for (let index = first; index <= last; index++) this.#page(index, Math.min(end - index * pageBytes, pageBytes))
    for (let done = 0; done < source.length;) {
      const at = offset + done
      const within = at % pageBytes
      const part = Math.min(pageBytes - within, source.length - done)
      this.#pages[Math.floor(at / pageBytes)]!.set(source.subarray(done, done + part), within)
      done += part
    }
    if (end > this.#size) this.#size = end
  }

  /** The page with at least `length` bytes. */
  #page(index: number, length: number): Buffer {
    const present = this.#pages[index]
    if (present !== undefined && present.length >= length) return present
    let wanted = index === 0 ? allocationUnitBytes : pageBytes
    while (wanted < length) wanted *= 2
    this.#budget.take(wanted - (present?.length ?? 0))
    this.#allocated += wanted - (present?.length ?? 0)
    const page = Buffer.alloc(wanted)
    present?.copy(page)
    this.#pages[index] = page
    return page
  }

  #drop(index: number): void {
    const page = this.#pages[index]
    if (page === undefined) return
    this.#budget.give(page.length)
    this.#allocated -= page.length
    this.#pages[index] = undefined
  }

  setSize(sizeBytes: number): void {
    if (sizeBytes > Number.MAX_SAFE_INTEGER) throw new FsError('too-large')
    if (sizeBytes < this.#size) {
      const keep = Math.ceil(sizeBytes / pageBytes)
      for (let index = keep; index < this.#pages.length; index++) this.#drop(index)
      this.#pages.length = Math.min(this.#pages.length, keep)
      this.#pages[keep - 1]?.fill(0, sizeBytes - (keep - 1) * pageBytes)
    }
    this.#size = sizeBytes
  }

  zero(range: ByteRange): void {
    const end = Math.min(range.offset + range.length, this.#size)
    for (let at = range.offset; at < end;) {
      const index = Math.floor(at / pageBytes)
      const next = Math.min((index + 1) * pageBytes, end)
      const whole = at === index * pageBytes && (next === at + pageBytes || next === this.#size)
      if (whole) this.#drop(index)
      else this.#pages[index]?.fill(0, at - index * pageBytes, next - index * pageBytes)
      at = next
    }
  }

  allocatedRanges(range: ByteRange): ByteRange[] {
    const end = Math.min(range.offset + range.length, this.#size)
    const ranges: { offset: number; length: number }[] = []
    for (let at = range.offset; at < end;) {
      const index = Math.floor(at / pageBytes)
      const next = Math.min((index + 1) * pageBytes, end)
      const previous = ranges.at(-1)
      if (this.#pages[index] !== undefined) {
        if (previous !== undefined && previous.offset + previous.length === at) previous.length += next - at
        else ranges.push({ offset: at, length: next - at })
      }
      at = next
    }
    return ranges
  }

  free(): void {
    for (let index = 0; index < this.#pages.length; index++) this.#drop(index)
    this.#pages.length = 0
    this.#size = 0
  }
}
