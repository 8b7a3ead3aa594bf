/**
 * Which regions of a file may differ from their checksums after a crash: a bitmap at the beginning of the file of sums.
 *
 * A block and its sum come to the disk at different times, and may come there in any order. So before the first write to a region its bit is on
 * stable storage. After a crash the sums of such regions are computed anew: an unflushed write may have happened or not, and whatever is there
 * counts. A bit is cleared when data and sums have been flushed and nobody has written since; that need not be stable.
 *
 * A bit costs a write to stable storage, which concurrent writes share. It is left alone while the region is used, or might be: bits are
 * cleared when there are too many, when a flush finds that a region has not been written for a while, and at the end.
 */
import type { BackingFile } from './backing-file.ts'

/** What a bit stands for. */
export const regionBytes = 4 << 20

/** What has to be read after a crash at the most: 2 GiB. */
const mostRegions = 512
const restMs = 5000
const sectorBytes = 4096

/** A region whose bit is on stable storage. */
interface Region {
  /** Writes that are under way. */
  writing: number
  /** The number of the last write. */
  last: number
  lastAt: number
}

/** What `DirtyRegions` needs. */
export interface DirtyRegionsOptions {
  /** The bitmap is at its beginning. */
  readonly file: BackingFile
  /** How large the file may become whose regions these are. */
  readonly sizeBytes: number
  /** Puts data and sums on stable storage. */
  readonly flush: () => Promise<void>
  /** Whether some sums of a region are not those of its data. */
  readonly isInDoubt: (region: number) => boolean
}

/** The bytes of a bitmap. */
export const bitmapBytesOf = (sizeBytes: number): number => Math.ceil(Math.ceil(sizeBytes / regionBytes) / 8 / sectorBytes) * sectorBytes

/** See above. */
export class DirtyRegions {
  readonly #options: DirtyRegionsOptions
  readonly #bitmap: Buffer
  readonly #regions = new Map<number, Region>()
  /** Bits that are set, and not yet stable. */
  readonly #pending = new Set<number>()
  #putting: Promise<void> | undefined
  #puttingNext: Promise<void> | undefined
  #cleaning: Promise<void> | undefined
  #writes = 0
  #sweptAt = performance.now()
  #isClosed = false

  constructor(options: DirtyRegionsOptions) {
    this.#options = options
    this.#bitmap = Buffer.alloc(bitmapBytesOf(options.sizeBytes))
  }

  /** The regions that a crash has left: they stay dirty. */
  async load(): Promise<readonly number[]> {
    await this.#options.file.read([this.#bitmap], 0)
    const found = Array.from({ length: this.#bitmap.length * 8 }, (_, region) => region).filter(region => this.#has(region))
    for (const region of found) this.#regions.set(region, { writing: 0, last: 0, lastAt: 0 })
    return found
  }

  #has(region: number): boolean {
    return (this.#bitmap[region >>> 3] & (1 << (region & 7))) !== 0
  }

  /** For a write that is done at once. False: the bits have to be set first. */
  note(offset: number, lengthBytes: number): boolean {
    const [first, last] = regionsOf(offset, lengthBytes)
    for (let region = first; region <= last; region++) if (!this.#regions.has(region)) return false
    this.#touch(first, last, 0)
    return true
  }

  /** Before a write. Afterwards: `leave`. */
  async enter(offset: number, lengthBytes: number): Promise<void> {
    const [first, last] = regionsOf(offset, lengthBytes)
    const isMissing = (): boolean => {
      for (let region = first; region <= last; region++) if (!this.#regions.has(region)) return true
      return false
    }
    // Those that are there may be cleared while others are waited for.
    while (isMissing()) {
      if (this.#regions.size + this.#pending.size >= mostRegions) await this.#clean(() => true)
      for (let region = first; region <= last; region++) if (!this.#regions.has(region)) this.#pending.add(region)
      await this.#put()
    }
    this.#touch(first, last, 1)
  }

  leave(offset: number, lengthBytes: number): void {
    const [first, last] = regionsOf(offset, lengthBytes)
    this.#touch(first, last, -1)
  }

  #touch(first: number, last: number, writing: number): void {
    const number = ++this.#writes
    const now = performance.now()
    for (let index = first; index <= last; index++) {
      const region = this.#regions.get(index)!
      region.writing += writing
      region.last = number
      region.lastAt = now
    }
  }

  /** All that wait share one write. */
  #put(): Promise<void> {
    if (this.#putting === undefined) return (this.#putting = this.#putNow().finally(() => (this.#putting = undefined)))
    return (this.#puttingNext ??= this.#putting
      .catch(() => undefined) // who asked for it hears of it
      .then(() => {
        this.#puttingNext = undefined
        return this.#put()
      }))
  }

  async #putNow(): Promise<void> {
    const regions = [...this.#pending]
    for (const region of regions) this.#bitmap[region >>> 3] |= 1 << (region & 7)
    try {
      for (const at of sectorsOf(regions)) {
        await this.#options.file.write([Buffer.from(this.#bitmap.subarray(at, at + sectorBytes))], at, { isDurable: true })
      }
    } catch (error) {
      // Bits that may be there and need not do no harm.
      for (const region of regions) this.#pending.delete(region)
      throw error
    }
    for (const region of regions) {
      this.#pending.delete(region)
      this.#regions.set(region, { writing: 0, last: 0, lastAt: performance.now() })
    }
  }

  /** After a flush, now and then: clears the bits of those that have rested. Nobody waits for it. */
  sweep(): void {
    const now = performance.now()
    if (this.#isClosed || now < this.#sweptAt + restMs || this.#regions.size === 0) return
    this.#sweptAt = now
    this.#clean(({ lastAt }) => lastAt < now - restMs).catch(() => undefined) // they stay dirty
  }

  /** Nobody writes any more: clears all bits, where what was written is meant to be kept. The file is not touched when it has resolved. */
  async close({ isKept }: { readonly isKept: boolean }): Promise<void> {
    // What cannot be cleared is in doubt when the file is opened again.
    if (isKept) await this.#clean(() => true).catch(() => undefined)
    this.#isClosed = true
    await this.#cleaning?.catch(() => undefined)
  }

  async #clean(isMeant: (region: Region) => boolean): Promise<void> {
    while (this.#cleaning !== undefined) await this.#cleaning.catch(() => undefined) // who asked for it hears of it
    this.#cleaning = this.#cleanNow(isMeant).finally(() => (this.#cleaning = undefined))
    await this.#cleaning
  }

  async #cleanNow(isMeant: (region: Region) => boolean): Promise<void> {
    if (this.#isClosed) return
    const before = [...this.#regions].filter(([, region]) => region.writing === 0 && isMeant(region)).map(([index, { last }]) => ({ index, last }))
    if (before.length === 0) return
    await this.#options.flush()
    if (this.#isClosed) return
    const { isInDoubt } = this.#options
    const clean = before.filter(({ index, last }) => this.#regions.get(index)?.last === last && !isInDoubt(index)).map(({ index }) => index)
    for (const region of clean) {
      this.#regions.delete(region)
      this.#bitmap[region >>> 3] &= ~(1 << (region & 7))
    }
    for (const at of sectorsOf(clean)) this.#options.file.writeAtOnce(this.#bitmap.subarray(at, at + sectorBytes), at)
  }
}

const regionsOf = (offset: number, lengthBytes: number): [first: number, last: number] => [
  Math.floor(offset / regionBytes),
  Math.floor((offset + Math.max(1, lengthBytes) - 1) / regionBytes),
]

/** Where the sectors are that have the bits. */
const sectorsOf = (regions: readonly number[]): ReadonlySet<number> =>
  new Set(regions.map(region => Math.floor(region / 8 / sectorBytes) * sectorBytes))
