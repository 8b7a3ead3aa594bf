/**
 * The layers of a partition, one over the other. The lowest (the base) is a file whose holes are zeros. Of those above it only the blocks count
 * that are valid, as its map says. What a layer has not, is read from those beneath it. It keeps no order: whoever calls has a turn
 * for whole blocks.
 */
import { bytesOf, partOf } from '../buffers.ts'
import { BlockDeviceError } from '../block-device.ts'
import type { FilePlace } from '../block-device.ts'
import { flushLayer } from './layer.ts'
import type { Layer } from './layer.ts'
import type { StepHook } from './manager.ts'

/** What a stack is made of. */
export interface LayerStackOptions {
  /** Lowest first. */
  readonly layers: readonly Layer[]
  readonly blockBytes: number
  readonly pageBytes: number
}

/** A run of bytes. `isData`: something is stored there. */
interface DataRun {
  readonly end: number
  readonly isData: boolean
}

/** See above. `top` is the index of the layer from which on something is read. */
export class LayerStack {
  readonly blockBytes: number
  readonly pageBytes: number
  readonly #layers: Layer[]
  /** The highest layer is being merged into the one beneath it, and has nothing left, nor gets anything, before this place. */
  #mergedBytes = 0
  readonly #scratch: readonly [Buffer, Buffer]

  constructor({ layers, blockBytes, pageBytes }: LayerStackOptions) {
    this.#layers = [...layers]
    this.blockBytes = blockBytes
    this.pageBytes = pageBytes
    this.#scratch = [Buffer.allocUnsafe(blockBytes), Buffer.allocUnsafe(blockBytes)]
  }

  get layers(): readonly Layer[] {
    return this.#layers
  }

  get top(): number {
    return this.#layers.length - 1
  }

  /** Freezes the highest layer. */
  push(layer: Layer): void {
    this.#mergedBytes = 0
    this.#layers.push(layer)
  }

  /** Takes a layer out that has nothing any more. */
  remove(index: number): Layer {
    if (index === this.top) this.#mergedBytes = 0
    return this.#layers.splice(index, 1)[0]
  }

  readNow(into: readonly Buffer[], offset: number, top: number): boolean {
    if (top === 0) return this.#layers[0].file.readNow(into, offset)
    const end = offset + bytesOf(into)
    for (let at = offset; at < end;) {
      const source = this.#sourceOf(at, top)
      const sourceEnd = this.#sourceEnd(at, end, source, top)
      const part = at === offset && sourceEnd === end ? into : partOf(into, at - offset, sourceEnd - at)
      if (!this.#layers[source].file.readNow(part, at)) return false
      at = sourceEnd
    }
    return true
  }

  /** Undefined where several layers have it. */
  placeNow(offset: number, lengthBytes: number, top: number): FilePlace | undefined {
    const source = top === 0 ? 0 : this.#sourceOf(offset, top)
    const end = offset + lengthBytes
    return top === 0 || this.#sourceEnd(offset, end, source, top) === end ? this.#layers[source].file.placeNow?.(offset, lengthBytes) : undefined
  }

  async read(into: readonly Buffer[], offset: number, top: number): Promise<void> {
    const end = offset + bytesOf(into)
    const reads: Promise<void>[] = []
    for (let at = offset; at < end;) {
      const source = this.#sourceOf(at, top)
      const sourceEnd = this.#sourceEnd(at, end, source, top)
      reads.push(this.#layers[source].file.read(partOf(into, at - offset, sourceEnd - at), at))
      at = sourceEnd
    }
    await Promise.all(reads)
  }

  #sourceOf(at: number, top: number): number {
    for (let index = top; index > 0; index--) if (this.#layers[index].validity!.has(at)) return index
    return 0
  }

  #sourceEnd(at: number, limit: number, source: number, top: number): number {
    let end = limit
    for (let index = Math.max(source, 1); index <= top; index++) end = this.#layers[index].validity!.runEnd(at, end)
    return end
  }

  /** The layer that a write goes to. */
  #targetOf(at: number): number {
    return at < this.#mergedBytes ? this.top - 1 : this.top
  }

  /** Where a range has to be cut so that all of a part goes to the same layer. */
  #targetEnd(at: number, end: number): number {
    return at < this.#mergedBytes ? Math.min(end, this.#mergedBytes) : end
  }

  /** False: nothing was written that anybody can tell from what `write` will do. */
  writeNow(from: readonly Buffer[], offset: number): boolean {
    const length = bytesOf(from)
    if (this.#layers.length === 1) return this.#layers[0].file.writeNow(from, offset) === length
    if (this.#targetEnd(offset, offset + length) < offset + length) return false
    const target = this.#targetOf(offset)
    const whole = this.#wholeBlocks(target, { from, offset, length })
    for (const { at, scratch } of whole.missing) if (!this.readNow([scratch], at, target - 1)) return false
    const written = this.#layers[target].file.writeNow(whole.from, whole.offset)
    return this.#couldNote(target, whole.offset, written) && written === whole.length
  }

  async write(from: readonly Buffer[], offset: number, isDurable: boolean): Promise<void> {
    const end = offset + bytesOf(from)
    for (let at = offset; at < end;) {
      const targetEnd = this.#targetEnd(at, end)
      await this.#writeTo(this.#targetOf(at), partOf(from, at - offset, targetEnd - at), at, isDurable)
      at = targetEnd
    }
  }

  async #writeTo(target: number, from: readonly Buffer[], offset: number, isDurable: boolean): Promise<void> {
    const { file } = this.#layers[target]
    if (target === 0) return file.write(from, offset, { isDurable })
    const own = [Buffer.allocUnsafe(this.blockBytes), Buffer.allocUnsafe(this.blockBytes)] as const
    const whole = this.#wholeBlocks(target, { from, offset, length: bytesOf(from), scratch: own })
    for (const { at, scratch } of whole.missing) await this.read([scratch], at, target - 1)
    await file.write(whole.from, whole.offset, { isDurable, written: bytes => this.#wrote(target, whole.offset, bytes) })
    if (isDurable) await this.#layers[target].validity!.flushRange(...this.#blocksOf(whole.offset, whole.length))
  }

  /** A layer above the base gets whole blocks: what it has not of the first and the last one comes from those beneath, into `scratch`. */
  #wholeBlocks(
    target: number,
    {
      from,
      offset,
      length,
      scratch = this.#scratch,
    }: { from: readonly Buffer[]; offset: number; length: number; scratch?: readonly [Buffer, Buffer] },
  ): { from: readonly Buffer[]; offset: number; length: number; missing: readonly { at: number; scratch: Buffer }[] } {
    const { blockBytes } = this
    const { validity } = this.#layers[target]
    const end = offset + length
    const [before, behind] = [offset % blockBytes, end % blockBytes]
    if (validity === undefined || (before === 0 && behind === 0)) return { from, offset, length, missing: [] }
    const [first, last] = [offset - before, end - behind]
    const needsFirst = before > 0 && !validity.has(first)
    const needsLast = behind > 0 && !validity.has(last)
    const isSame = first === last
    const lastScratch = isSame ? scratch[0] : scratch[1]
    const missing = [
      ...(needsFirst || (needsLast && isSame) ? [{ at: first, scratch: scratch[0] }] : []),
      ...(needsLast && !isSame ? [{ at: last, scratch: scratch[1] }] : []),
    ]
    const head = needsFirst ? [scratch[0].subarray(0, before)] : []
    const tail = needsLast ? [lastScratch.subarray(behind)] : []
    const begin = needsFirst ? first : offset
    return { from: [...head, ...from, ...tail], offset: begin, length: (needsLast ? last + blockBytes : end) - begin, missing }
  }

  /** That much was written to a layer: blocks of which the last part is missing had been valid before, or are not. */
  #wrote(target: number, offset: number, bytes: number): void {
    const begin = offset - (offset % this.blockBytes)
    const end = offset + bytes - ((offset + bytes) % this.blockBytes)
    if (end > begin) this.#layers[target].validity?.set(begin, end - begin)
  }

  /** As `#wrote`. False: it could not be noted; whoever writes again will hear why. */
  #couldNote(target: number, offset: number, bytes: number): boolean {
    try {
      this.#wrote(target, offset, bytes)
      return true
    } catch (error) {
      if (!(error instanceof BlockDeviceError)) throw error
      return false
    }
  }

  /** The blocks that a range is in. */
  #blocksOf(offset: number, lengthBytes: number): [offset: number, lengthBytes: number] {
    const begin = offset - (offset % this.blockBytes)
    return [begin, Math.ceil((offset + lengthBytes - begin) / this.blockBytes) * this.blockBytes]
  }

  async unmap(offset: number, lengthBytes: number): Promise<void> {
    if (this.#layers.length === 1) return this.#layers[0].file.punch(offset, lengthBytes)
    await this.#clear(offset, lengthBytes, async ({ file, validity }, at, end) => {
      await file.punch(at, end - at)
      validity?.clear(at, end - at)
    })
  }

  async zero(offset: number, lengthBytes: number): Promise<void> {
    if (this.#layers.length === 1) return this.#layers[0].file.zero(offset, lengthBytes)
    await this.#clear(offset, lengthBytes, async ({ file, validity }, at, end) => {
      await file.zero(at, end - at)
      validity?.set(at, end - at)
    })
  }

  /** Makes a range zeros: where a layer beneath has data by zeros that are written, where none has by `whole`. */
  async #clear(offset: number, lengthBytes: number, whole: (layer: Layer, at: number, end: number) => Promise<void>): Promise<void> {
    const { blockBytes } = this
    const end = offset + lengthBytes
    for (let at = offset; at < end;) {
      const blockEnd = (Math.floor(at / blockBytes) + 1) * blockBytes
      const limit = at % blockBytes > 0 || end < blockEnd ? Math.min(blockEnd, end) : end - (end % blockBytes)
      if (limit - at < blockBytes) {
        if ((await this.#dataRun(at - (at % blockBytes), blockEnd, this.top)).isData) await this.write([Buffer.alloc(limit - at)], at, false)
        at = limit
        continue
      }
      const target = this.#targetOf(at)
      const run = await this.#dataRun(at, this.#targetEnd(at, limit), target - 1)
      if (run.isData) await this.#layers[target].file.writeZeros(at, run.end - at, this.#noting(target, at))
      else await whole(this.#layers[target], at, run.end)
      at = run.end
    }
  }

  #noting(target: number, offset: number): (bytes: number) => void {
    return bytes => this.#wrote(target, offset, bytes)
  }

  /** Whether something is stored at `at` (the beginning of a block), in the layer `top` or beneath, and up to where that is so. In whole blocks. */
  async #dataRun(at: number, limit: number, top: number): Promise<DataRun> {
    if (top < 0) return { end: limit, isData: false }
    const source = this.#sourceOf(at, top)
    const end = this.#sourceEnd(at, limit, source, top)
    if (source > 0) return { end, isData: true }
    const run = await this.#layers[0].file.runAt(at, end)
    const { blockBytes } = this
    if (run.isData) return { end: Math.min(Math.ceil(run.end / blockBytes) * blockBytes, end), isData: true }
    const wholeEnd = run.end === end ? end : run.end - (run.end % blockBytes)
    // A hole that is smaller than a block leaves data in the block.
    return wholeEnd > at ? { end: wholeEnd, isData: false } : { end: Math.min(at + blockBytes, end), isData: true }
  }

  /** From the block of `offset` on: alternating runs, to `limit`, at most `maxRuns`. */
  async runs(offset: number, limit: number, { top, maxRuns }: { readonly top: number; readonly maxRuns: number }): Promise<DataRun[]> {
    const runs: DataRun[] = []
    for (let at = offset - (offset % this.blockBytes); at < limit;) {
      const run = await this.#dataRun(at, limit, top)
      at = run.end
      if (runs.at(-1)?.isData === run.isData) runs[runs.length - 1] = run
      else if (runs.length < maxRuns) runs.push(run)
      else break
    }
    return runs
  }

  /**
   * Moves a page of a layer into the one beneath it, so that at every moment, after a power failure too, the layers together read as before:
   * what is moved is on stable storage beneath before it is removed above, and that it is removed is stable before it may be written beneath,
   * or its space is given back.
   * When all pages have been moved in ascending order nothing is left above.
   */
  async merge(layer: Layer, offset: number, onStep: StepHook): Promise<void> {
    const index = this.#layers.indexOf(layer)
    const beneath = this.#layers[index - 1]
    const end = offset + this.pageBytes
    let isMoved = false
    for (let at = offset; at < end;) {
      const runEnd = layer.validity!.runEnd(at, end)
      if (layer.validity!.has(at)) {
        await onStep(`move ${at}`)
        await this.#move(layer, index - 1, at, runEnd)
        isMoved = true
      }
      at = runEnd
    }
    if (isMoved) {
      await flushLayer(beneath)
      await onStep(`remove ${offset}`)
      await layer.validity!.remove(offset, this.pageBytes)
      await onStep(`punch ${offset}`)
      await layer.file.punch(offset, this.pageBytes)
    }
    if (index === this.top) this.#mergedBytes = end
  }

  /** Zeros over everything give space back: that a snapshot was in between has ended all promises to keep it. */
  async #move(layer: Layer, index: number, at: number, end: number): Promise<void> {
    const bytes = Buffer.allocUnsafe(end - at)
    await layer.file.read([bytes], at)
    const beneath = this.#layers[index]
    if (index > 0 || !isZero(bytes)) await beneath.file.write([bytes], at, { written: written => this.#wrote(index, at, written) })
    else await beneath.file.punch(at, end - at)
  }
}

/** Whether the first byte is zero, and each equals the one before it. */
const isZero = (bytes: Buffer): boolean => bytes[0] === 0 && bytes.compare(bytes, 1, bytes.length, 0, bytes.length - 1) === 0
