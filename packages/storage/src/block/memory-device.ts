/** A disk in memory: for tests, and for what needs no disk. */
import { BlockDeviceError } from './block-device.ts'
import type { BlockDevice, MismatchAt, ProvisioningRun } from './block-device.ts'
import { bytesOf, firstDifference, orInto } from './buffers.ts'
import { Listeners } from './listeners.ts'

/** What `memoryDevice` makes. */
export interface MemoryDeviceOptions {
  /** A multiple of 4096. */
  readonly sizeBytes: number
  /** How much may be stored at a time; what is more fails with `NO_SPACE`. Unlimited as a rule. */
  readonly capacityBytes?: number
  readonly isReadOnly?: boolean
}

const blockBytes = 4096
const blocksPerPage = 16
const pageBytes = blockBytes * blocksPerPage

/** Blocks that are stored have their bit in `mapped`; the others' bytes are zeros. */
interface Page {
  readonly bytes: Buffer
  mapped: number
}

/** A thin disk in memory. Everything is done at once: a promise it returns is resolved. */
export class MemoryDevice implements BlockDevice {
  readonly physicalBlockBytes = blockBytes
  /** Nothing of it outlives the process: all writes are. */
  readonly maximumAtomicBytes = 1 << 20
  readonly isThin = true
  readonly isReadOnly: boolean
  readonly #capacityBlocks: number
  readonly #pages = new Map<number, Page>()
  readonly #resized = new Listeners<number>()
  #sizeBytes: number
  #usedBlocks = 0

  constructor({ sizeBytes, capacityBytes = Number.MAX_SAFE_INTEGER, isReadOnly = false }: MemoryDeviceOptions) {
    this.#sizeBytes = sizeBytes
    this.#capacityBlocks = Math.floor(capacityBytes / blockBytes)
    this.isReadOnly = isReadOnly
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** Grows: `sizeBytes` is a multiple of 4096 and no smaller than what it was. What is added reads as zeros. */
  resize(sizeBytes: number): void {
    this.#sizeBytes = sizeBytes
    this.#resized.call(sizeBytes)
  }

  readNow(into: readonly Buffer[], offset: number): boolean {
    let at = offset
    for (const buffer of into) {
      for (let done = 0; done < buffer.length;) {
        const within = (at + done) % pageBytes
        const length = Math.min(pageBytes - within, buffer.length - done)
        const page = this.#pages.get(Math.floor((at + done) / pageBytes))
        if (page === undefined) buffer.fill(0, done, done + length)
        else page.bytes.copy(buffer, done, within, within + length)
        done += length
      }
      at += buffer.length
    }
    return true
  }

  async read(into: readonly Buffer[], offset: number): Promise<void> {
    this.readNow(into, offset)
  }

  writeNow(from: readonly Buffer[], offset: number): boolean {
    if (this.isReadOnly || !this.#map(offset, bytesOf(from))) return false
    let at = offset
    for (const buffer of from) {
      for (let done = 0; done < buffer.length;) {
        const within = (at + done) % pageBytes
        const length = Math.min(pageBytes - within, buffer.length - done)
        buffer.copy(this.#page(Math.floor((at + done) / pageBytes)).bytes, within, done, done + length)
        done += length
      }
      at += buffer.length
    }
    return true
  }

  async write(from: readonly Buffer[], offset: number): Promise<void> {
    this.#checkWritable()
    if (!this.writeNow(from, offset)) throw new BlockDeviceError('NO_SPACE', { offset })
  }

  async flush(): Promise<void> {
    // Memory has nothing that is more stable.
  }

  async unmap(offset: number, lengthBytes: number): Promise<void> {
    this.#checkWritable()
    this.#clear(offset, lengthBytes)
    for (let at = Math.ceil(offset / blockBytes) * blockBytes; at + blockBytes <= offset + lengthBytes; at = this.#nextAfter(at)) this.#unmapBlock(at)
  }

  async zero(offset: number, lengthBytes: number): Promise<void> {
    this.#checkWritable()
    if (!this.#map(offset, lengthBytes)) throw new BlockDeviceError('NO_SPACE', { offset })
    this.#clear(offset, lengthBytes)
  }

  async compareAndWrite(expected: readonly Buffer[], from: readonly Buffer[], offset: number): Promise<MismatchAt> {
    this.#checkWritable()
    const mismatchAt = firstDifference(expected, [this.#bytesAt(offset, bytesOf(expected))])
    if (mismatchAt === -1) await this.write(from, offset)
    return mismatchAt
  }

  async orWrite(bits: readonly Buffer[], offset: number): Promise<void> {
    const bytes = this.#bytesAt(offset, bytesOf(bits))
    orInto(bytes, bits)
    await this.write([bytes], offset)
  }

  async provisioning(offset: number, lengthBytes: number, maxRuns: number): Promise<readonly ProvisioningRun[]> {
    const runs: ProvisioningRun[] = []
    const end = Math.min(offset + lengthBytes, this.#sizeBytes)
    for (let at = offset; at < end && runs.length < maxRuns;) {
      const isMapped = this.#isMapped(at)
      const begin = at
      while (at < end && this.#isMapped(at) === isMapped) at = Math.min(this.#nextAfter(at), end)
      runs.push({ offset: begin, lengthBytes: at - begin, isMapped })
    }
    return runs
  }

  async usage(): Promise<{ readonly usedBytes: number; readonly availableBytes: number }> {
    const blocks = Math.min(this.#sizeBytes / blockBytes, this.#capacityBlocks) - this.#usedBlocks
    return { usedBytes: this.#usedBlocks * blockBytes, availableBytes: blocks * blockBytes }
  }

  onResize(listener: (sizeBytes: number) => void): () => void {
    return this.#resized.add(listener)
  }

  #checkWritable(): void {
    if (this.isReadOnly) throw new BlockDeviceError('READ_ONLY')
  }

  #bytesAt(offset: number, lengthBytes: number): Buffer {
    const bytes = Buffer.allocUnsafe(lengthBytes)
    this.readNow([bytes], offset)
    return bytes
  }

  #page(index: number): Page {
    let page = this.#pages.get(index)
    if (page === undefined) this.#pages.set(index, (page = { bytes: Buffer.alloc(pageBytes), mapped: 0 }))
    return page
  }

  #isMapped(at: number): boolean {
    const page = this.#pages.get(Math.floor(at / pageBytes))
    return page !== undefined && (page.mapped & bitOf(at)) !== 0
  }

  /** Where the block after `at` begins; the page, where nothing of it is stored. */
  #nextAfter(at: number): number {
    const unit = this.#pages.has(Math.floor(at / pageBytes)) ? blockBytes : pageBytes
    return (Math.floor(at / unit) + 1) * unit
  }

  /** Makes room for a range. False, and nothing has changed, where there is none. */
  #map(offset: number, lengthBytes: number): boolean {
    const first = Math.floor(offset / blockBytes) * blockBytes
    let needed = 0
    for (let at = first; at < offset + lengthBytes; at += blockBytes) if (!this.#isMapped(at)) needed++
    if (needed === 0) return true
    if (this.#usedBlocks + needed > this.#capacityBlocks) return false
    this.#usedBlocks += needed
    for (let at = first; at < offset + lengthBytes; at += blockBytes) this.#page(Math.floor(at / pageBytes)).mapped |= bitOf(at)
    return true
  }

  #unmapBlock(at: number): void {
    const index = Math.floor(at / pageBytes)
    const page = this.#pages.get(index)
    if (page === undefined || (page.mapped & bitOf(at)) === 0) return
    page.mapped &= ~bitOf(at)
    this.#usedBlocks--
    if (page.mapped === 0) this.#pages.delete(index)
  }

  #clear(offset: number, lengthBytes: number): void {
    for (let at = offset; at < offset + lengthBytes;) {
      const within = at % pageBytes
      const length = Math.min(pageBytes - within, offset + lengthBytes - at)
      this.#pages.get(Math.floor(at / pageBytes))?.bytes.fill(0, within, within + length)
      at += length
    }
  }
}

const bitOf = (at: number): number => 1 << Math.floor((at % pageBytes) / blockBytes)

/**
 * A disk in memory.
 *
 * @example
 * const device = memoryDevice({ sizeBytes: 1 << 30 })
 * await device.write([Buffer.alloc(512, 1)], 0)
 * await device.usage() // => { usedBytes: 4096, availableBytes: 1073737728 }
 */
export const memoryDevice = (options: MemoryDeviceOptions): MemoryDevice => new MemoryDevice(options)
