/**
 * A file of a layer with checksums: CRC32C of each 4 KiB, in a file beside it, and which regions have to be summed anew after a crash
 * (`DirtyRegions`). What is read is compared; what differs is `CORRUPT`, and stays so until all of the block is written. Whoever calls has a turn
 * for whole blocks.
 *
 * Sums are written before their data: where there is no space for them nothing has changed. A write that fails in between is followed by a
 * look at what there is now.
 */
import { BlockDeviceError } from '../block-device.ts'
import { bytesOf } from '../buffers.ts'
import type { BackingFile } from './backing-file.ts'
import { DirtyRegions, bitmapBytesOf, regionBytes } from './dirty-regions.ts'
import type { FileWriteOptions, LayerFile, Run } from './layer.ts'
import { blockBegin, blockEnd, firstOther, sumBytes, summedBytes, sumsOf } from './sums.ts'

/** What `CheckedFile` is made of. The files are closed with it. */
export interface CheckedFileOptions {
  readonly data: BackingFile
  readonly sums: BackingFile
  /** How large the file may become. */
  readonly partitionBytes: number
  /** Hears of each read that finds what was not written. */
  readonly onCorrupt: (offset: number) => void
}

/** A range in whole blocks: what was asked for, with the rest of the first and of the last block around it. */
interface Whole {
  readonly buffers: readonly Buffer[]
  readonly begin: number
  readonly lengthBytes: number
}

/** Unmapped or zeroed at a time, so that no more regions are dirty than may be. */
const clearedBytes = 64 * regionBytes
const punchedSumsBytes = 65_536
const edges: readonly [Buffer, Buffer] = [Buffer.alloc(summedBytes), Buffer.alloc(summedBytes)]

/** The size of the file of sums. It is sparse: blocks that are not written need none. */
export const sumsFileBytes = (partitionBytes: number): number => bitmapBytesOf(partitionBytes) + (partitionBytes / summedBytes) * sumBytes

/** See above. Everything rejects with `BlockDeviceError`. */
export class CheckedFile implements LayerFile {
  readonly #data: BackingFile
  readonly #sums: BackingFile
  readonly #sumsAt: number
  readonly #regions: DirtyRegions
  readonly #onCorrupt: (offset: number) => void
  /** Blocks that may have been written, or not: what is there counts. */
  readonly #doubted = new Set<number>()

  private constructor({ data, sums, partitionBytes, onCorrupt }: CheckedFileOptions) {
    this.#data = data
    this.#sums = sums
    this.#sumsAt = bitmapBytesOf(partitionBytes)
    this.#onCorrupt = onCorrupt
    this.#regions = new DirtyRegions({
      file: sums,
      sizeBytes: partitionBytes,
      flush: async () => {
        await data.flush()
        await sums.flush()
      },
      isInDoubt: region => this.#isInDoubt(region * regionBytes),
    })
  }

  /** Computes anew what a crash has left in doubt. Where that cannot be done only `sums` is closed. */
  static async open(options: CheckedFileOptions): Promise<CheckedFile> {
    const file = new CheckedFile(options)
    try {
      const sizeBytes = options.data.sizeBytes
      for (const region of await file.#regions.load()) {
        const begin = region * regionBytes
        if (begin < sizeBytes) await file.#sumOrDoubt(begin, Math.min(begin + regionBytes, sizeBytes))
      }
      return file
    } catch (error) {
      await options.sums.close()
      throw error
    }
  }

  #placeOf(offset: number): number {
    return this.#sumsAt + (offset / summedBytes) * sumBytes
  }

  readNow(into: readonly Buffer[], offset: number): boolean {
    const { buffers, begin, lengthBytes } = wholeOf(into, offset, edges)
    if (!this.#data.readNow(buffers, begin)) return false
    const sums = Buffer.allocUnsafe((lengthBytes / summedBytes) * sumBytes)
    return this.#sums.readNow([sums], this.#placeOf(begin)) && firstOther(sumsOf(buffers, lengthBytes), sums) < 0
  }

  async read(into: readonly Buffer[], offset: number): Promise<void> {
    const { buffers, begin, lengthBytes } = wholeOf(into, offset)
    await this.#resolve(begin, begin + lengthBytes)
    const sums = Buffer.allocUnsafe((lengthBytes / summedBytes) * sumBytes)
    await Promise.all([this.#data.read(buffers, begin), this.#sums.read([sums], this.#placeOf(begin))])
    const actual = sumsOf(buffers, lengthBytes)
    for (let wrong = firstOther(actual, sums); wrong >= 0; wrong = firstOther(actual, sums, wrong + 1)) {
      const at = begin + wrong * summedBytes
      if (this.#doubted.has(at)) continue
      this.#onCorrupt(at)
      throw new BlockDeviceError('CORRUPT', { offset: at })
    }
  }

  writeNow(from: readonly Buffer[], offset: number): number {
    if (this.#doubted.size > 0) return 0
    const length = bytesOf(from)
    const [begin, end] = [blockBegin(offset), blockEnd(offset + length)]
    const place = this.#placeOf(begin)
    const placeBytes = this.#placeOf(end) - place
    if (!this.#data.canWriteNow(offset, length) || !this.#sums.canWriteNow(place, placeBytes)) return 0
    if (offset > begin && !this.readNow([edges[0]], begin)) return 0
    if (offset + length < end && !this.readNow([edges[1]], end - summedBytes)) return 0
    const sums = sumsOf(around(from, { offset, length, head: edges[0], tail: edges[1] }), end - begin)
    if (!this.#regions.note(offset, length)) return 0
    try {
      this.#sums.writeAtOnce(sums, place)
      if (this.#data.writeNow(from, offset) === length) return length
    } catch (error) {
      if (!(error instanceof BlockDeviceError)) throw error
    }
    // `write` comes next, as a rule: it does it, or says why it cannot.
    this.#doubt(begin, end)
    return 0
  }

  async write(from: readonly Buffer[], offset: number, options?: FileWriteOptions): Promise<void> {
    const length = bytesOf(from)
    const [begin, end] = [blockBegin(offset), blockEnd(offset + length)]
    await this.#regions.enter(offset, length)
    try {
      await this.#resolve(begin, end)
      const [head, tail] = [await this.#edge(offset), await this.#edge(offset + length)]
      await this.#change(begin, end, async () => {
        await this.#sums.write([sumsOf(around(from, { offset, length, head, tail }), end - begin)], this.#placeOf(begin))
        await this.#data.write(from, offset, options)
      })
    } finally {
      this.#regions.leave(offset, length)
    }
  }

  /** The block that a change begins or ends within; what is there has to be right. Where it does so between blocks, nobody wants to know. */
  async #edge(offset: number): Promise<Buffer> {
    const block = Buffer.allocUnsafe(summedBytes)
    if (offset % summedBytes > 0) await this.read([block], blockBegin(offset))
    return block
  }

  /** What fails may have happened in part. */
  async #change(begin: number, end: number, change: () => Promise<void>): Promise<void> {
    try {
      await change()
    } catch (error) {
      await this.#sumOrDoubt(begin, end)
      throw error
    }
  }

  async #sumOrDoubt(begin: number, end: number): Promise<void> {
    try {
      await this.#sum(begin, end)
    } catch (error) {
      if (!(error instanceof BlockDeviceError)) throw error
      this.#doubt(begin, end)
    }
  }

  #doubt(begin: number, end: number): void {
    for (let at = begin; at < end; at += summedBytes) this.#doubted.add(at)
  }

  #isInDoubt(region: number): boolean {
    if (this.#doubted.size === 0) return false
    for (let at = region; at < region + regionBytes; at += summedBytes) if (this.#doubted.has(at)) return true
    return false
  }

  /** Sums of what is in doubt; where they cannot be written, the doubt stays. */
  async #resolve(begin: number, end: number): Promise<void> {
    if (this.#doubted.size === 0) return
    for (let at = begin; at < end; at += summedBytes) if (this.#doubted.delete(at)) await this.#sumOrDoubt(at, at + summedBytes)
  }

  /** Takes what is there for what was written. */
  async #sum(begin: number, end: number): Promise<void> {
    for (let at = begin; at < end; at += regionBytes) {
      const bytes = Buffer.allocUnsafe(Math.min(regionBytes, end - at))
      const stored = Buffer.allocUnsafe((bytes.length / summedBytes) * sumBytes)
      await Promise.all([this.#data.read([bytes], at), this.#sums.read([stored], this.#placeOf(at))])
      const sums = sumsOf([bytes], bytes.length)
      // Sums that are right need no space.
      for (let sum = 0; sum < sums.length; sum += sumBytes) {
        const one = sums.subarray(sum, sum + sumBytes)
        if (!one.equals(stored.subarray(sum, sum + sumBytes))) this.#sums.writeAtOnce(one, this.#placeOf(at) + sum)
      }
    }
  }

  punch(offset: number, lengthBytes: number): Promise<void> {
    return this.#clear(offset, lengthBytes, (at, bytes) => this.#data.punch(at, bytes))
  }

  zero(offset: number, lengthBytes: number): Promise<void> {
    return this.#clear(offset, lengthBytes, (at, bytes) => this.#data.zero(at, bytes))
  }

  writeZeros(offset: number, lengthBytes: number, written?: (bytes: number) => void): Promise<void> {
    return this.#clear(offset, lengthBytes, (at, bytes) => this.#data.writeZeros(at, bytes, written && (done => written(at - offset + done))))
  }

  async #clear(offset: number, lengthBytes: number, clear: (offset: number, lengthBytes: number) => Promise<void>): Promise<void> {
    const end = offset + lengthBytes
    for (let at = offset; at < end;) {
      const partEnd = Math.min(end, (Math.floor(at / clearedBytes) + 1) * clearedBytes)
      await this.#clearPart(at, partEnd, clear)
      at = partEnd
    }
  }

  async #clearPart(offset: number, end: number, clear: (offset: number, lengthBytes: number) => Promise<void>): Promise<void> {
    await this.#regions.enter(offset, end - offset)
    try {
      await this.#resolve(blockBegin(offset), blockEnd(end))
      const cut = new Set([offset, end].filter(edge => edge % summedBytes > 0).map(blockBegin))
      const blocks = await Promise.all([...cut].map(async at => ({ at, bytes: await this.#edge(at + 1) })))
      await this.#change(blockBegin(offset), blockEnd(end), async () => {
        for (const { at, bytes } of blocks) {
          bytes.fill(0, Math.max(0, offset - at), Math.min(summedBytes, end - at))
          this.#sums.writeAtOnce(sumsOf([bytes], summedBytes), this.#placeOf(at))
        }
        if (blockEnd(offset) < blockBegin(end)) await this.#clearSums(this.#placeOf(blockEnd(offset)), this.#placeOf(blockBegin(end)))
        await clear(offset, end - offset)
      })
    } finally {
      this.#regions.leave(offset, end - offset)
    }
  }

  async #clearSums(begin: number, end: number): Promise<void> {
    if (end - begin >= punchedSumsBytes) await this.#sums.punch(begin, end - begin)
    else await this.#sums.write([Buffer.alloc(end - begin)], begin)
  }

  async flush(): Promise<void> {
    await this.#data.flush()
    this.#regions.sweep()
  }

  runAt(offset: number, limit: number): Promise<Run> {
    return this.#data.runAt(offset, limit)
  }

  writtenNow(offset: number, limit: number): Run {
    return this.#data.writtenNow(offset, limit)
  }

  grow(sizeBytes: number): Promise<void> {
    return this.#data.grow(sizeBytes)
  }

  usage(): { readonly usedBytes: number; readonly availableBytes: number } {
    const { usedBytes, availableBytes } = this.#data.usage()
    return { usedBytes: usedBytes + this.#sums.usage().usedBytes, availableBytes }
  }

  get descriptors(): { readonly data: number; readonly sums: number } {
    return { data: this.#data.descriptors.data, sums: this.#sums.descriptors.data }
  }

  async close(): Promise<void> {
    await this.#regions.close({ isKept: !this.#data.isDirty })
    await Promise.all([this.#data.close(), this.#sums.close()])
  }
}

const wholeOf = (buffers: readonly Buffer[], offset: number, scratch?: readonly [Buffer, Buffer]): Whole => {
  const length = bytesOf(buffers)
  const [begin, end] = [blockBegin(offset), blockEnd(offset + length)]
  if (begin === offset && end === offset + length) return { buffers, begin, lengthBytes: length }
  const [head, tail] = scratch ?? [Buffer.allocUnsafe(summedBytes), Buffer.allocUnsafe(summedBytes)]
  return { buffers: around(buffers, { offset, length, head, tail }), begin, lengthBytes: end - begin }
}

/** A range with what is before it in the block `head` that it begins in, and behind it in the block `tail` that it ends in. */
const around = (
  buffers: readonly Buffer[],
  { offset, length, head, tail }: { readonly offset: number; readonly length: number; readonly head: Buffer; readonly tail: Buffer },
): readonly Buffer[] => {
  const [before, behind] = [offset % summedBytes, (offset + length) % summedBytes]
  if (before === 0 && behind === 0) return buffers
  return [...(before > 0 ? [head.subarray(0, before)] : []), ...buffers, ...(behind > 0 ? [tail.subarray(behind)] : [])]
}
