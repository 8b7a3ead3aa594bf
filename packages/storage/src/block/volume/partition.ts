/** A contiguous range of a volume, in files of its own: its bytes, and who may touch them when. */
import { BlockDeviceError } from '../block-device.ts'
import type { BlockWriteOptions, FilePlace, MismatchAt, ProvisioningRun } from '../block-device.ts'
import { bytesOf, firstDifference, orInto } from '../buffers.ts'
import { closeLayers, flushLayer } from './layer.ts'
import type { Layer } from './layer.ts'
import { LayerStack } from './layer-stack.ts'
import type { LayerStackOptions } from './layer-stack.ts'
import type { StepHook } from './manager.ts'
import { RangeOrder } from './range-order.ts'
import type { Turn } from './range-order.ts'
import type { Partition } from './routed-volume.ts'

/** What `LocalPartition` is made of. */
export interface LocalPartitionOptions extends LayerStackOptions {
  readonly sizeBytes: number
}

/**
 * A partition in files. Offsets are from its beginning. Everything rejects with `BlockDeviceError`, once it is closed with `GONE`.
 */
export class LocalPartition implements Partition {
  readonly #order = new RangeOrder()
  readonly #stack: LayerStack
  #sizeBytes: number
  #isClosed = false

  constructor({ sizeBytes, ...stack }: LocalPartitionOptions) {
    this.#sizeBytes = sizeBytes
    this.#stack = new LayerStack(stack)
  }

  get layers(): readonly Layer[] {
    return this.#stack.layers
  }

  placeNow(offset: number, lengthBytes: number): FilePlace | undefined {
    return this.#isFree(lengthBytes, offset, false) ? this.#stack.placeNow(offset, lengthBytes, this.#stack.top) : undefined
  }

  readNow(into: readonly Buffer[], offset: number): boolean {
    return this.#isFree(bytesOf(into), offset, false) && this.#stack.readNow(into, offset, this.#stack.top)
  }

  writeNow(from: readonly Buffer[], offset: number): boolean {
    return this.#isFree(bytesOf(from), offset, true) && this.#stack.writeNow(from, offset)
  }

  #isFree(lengthBytes: number, offset: number, isExclusive: boolean): boolean {
    if (this.#isClosed || this.#order.isIdle) return !this.#isClosed
    return this.#order.isFree(this.#blockBegin(offset), this.#blockEnd(offset + lengthBytes), isExclusive)
  }

  async read(into: readonly Buffer[], offset: number): Promise<void> {
    await this.#read(into, offset, () => this.#stack.top)
  }

  async #read(into: readonly Buffer[], offset: number, top: () => number): Promise<void> {
    await this.#inTurn(offset, bytesOf(into), { isExclusive: false }, async () => this.#stack.read(into, offset, top()))
  }

  async write(from: readonly Buffer[], offset: number, options?: BlockWriteOptions): Promise<void> {
    await this.#inTurn(offset, bytesOf(from), { isExclusive: true }, () => this.#write(from, offset, options))
  }

  /** With a turn. */
  async #write(from: readonly Buffer[], offset: number, { isDurable = false }: BlockWriteOptions = {}): Promise<void> {
    await this.#stack.write(from, offset, isDurable)
  }

  async flush(): Promise<void> {
    this.#checkOpen()
    await Promise.all(this.layers.map(flushLayer))
  }

  async unmap(offset: number, lengthBytes: number): Promise<void> {
    await this.#inTurn(offset, lengthBytes, { isExclusive: true }, () => this.#stack.unmap(offset, lengthBytes))
  }

  async zero(offset: number, lengthBytes: number): Promise<void> {
    await this.#inTurn(offset, lengthBytes, { isExclusive: true }, () => this.#stack.zero(offset, lengthBytes))
  }

  async compareAndWrite(expected: readonly Buffer[], from: readonly Buffer[], offset: number, options: BlockWriteOptions = {}): Promise<MismatchAt> {
    return this.#inTurn(offset, bytesOf(expected), { isExclusive: true }, async () => {
      const mismatchAt = firstDifference(expected, [await this.#bytesAt(offset, bytesOf(expected))])
      if (mismatchAt === -1) await this.#replace(from, offset, options)
      return mismatchAt
    })
  }

  async orWrite(bits: readonly Buffer[], offset: number, options: BlockWriteOptions = {}): Promise<void> {
    await this.#inTurn(offset, bytesOf(bits), { isExclusive: true }, async () => {
      const bytes = await this.#bytesAt(offset, bytesOf(bits))
      orInto(bytes, bits)
      await this.#replace([bytes], offset, options)
    })
  }

  async #bytesAt(offset: number, lengthBytes: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafe(lengthBytes)
    const { top } = this.#stack
    if (!this.#stack.readNow([bytes], offset, top)) await this.#stack.read([bytes], offset, top)
    return bytes
  }

  async #replace(from: readonly Buffer[], offset: number, options: BlockWriteOptions): Promise<void> {
    if (options.isDurable === true || !this.#stack.writeNow(from, offset)) await this.#write(from, offset, options)
  }

  async provisioning(offset: number, lengthBytes: number, maxRuns: number): Promise<readonly ProvisioningRun[]> {
    return this.#provisioning(offset, Math.min(offset + lengthBytes, this.#sizeBytes), { maxRuns, top: () => this.#stack.top })
  }

  async #provisioning(offset: number, limit: number, { maxRuns, top }: { maxRuns: number; top: () => number }): Promise<readonly ProvisioningRun[]> {
    return this.#inTurn(offset, limit - offset, { isExclusive: false }, async () => {
      const runs = await this.#stack.runs(offset, this.#blockEnd(limit), { top: top(), maxRuns })
      let at = offset
      return runs.map(({ end, isData }) => {
        const run = { offset: at, lengthBytes: Math.min(end, limit) - at, isMapped: isData }
        at = end
        return run
      })
    })
  }

  async usage(): Promise<{ readonly usedBytes: number; readonly availableBytes: number }> {
    this.#checkOpen()
    const usages = this.layers.map(({ file }) => file.usage())
    return { usedBytes: usages.reduce((sum, { usedBytes }) => sum + usedBytes, 0), availableBytes: usages[0].availableBytes }
  }

  /** What the partition holds up to a layer, which may come to be another one: `GONE` once there is none. */
  view(layerNow: () => number | undefined): Partition {
    const indexOf = (): number => {
      const layer = layerNow()
      return this.layers.findIndex(({ number }) => number === layer)
    }
    const top = (): number => {
      const index = indexOf()
      if (index < 0) throw new BlockDeviceError('GONE')
      return index
    }
    const readOnly = (): Promise<never> => Promise.reject(new BlockDeviceError('READ_ONLY'))
    return {
      readNow: (into, offset) => this.#isFree(bytesOf(into), offset, false) && indexOf() >= 0 && this.#stack.readNow(into, offset, indexOf()),
      read: (into, offset) => this.#read(into, offset, top),
      write: readOnly,
      flush: () => Promise.resolve(),
      unmap: readOnly,
      zero: readOnly,
      compareAndWrite: readOnly,
      orWrite: readOnly,
      provisioning: (offset, lengthBytes, maxRuns) => this.#provisioning(offset, Math.min(offset + lengthBytes, this.#sizeBytes), { maxRuns, top }),
      usage: () => this.usage(),
    }
  }

  /** Waits for what is under way and keeps everything else waiting until what it returns is called. */
  async freeze(): Promise<() => void> {
    const turn = await this.#order.enter(0, Infinity, true)
    return () => this.#order.leave(turn)
  }

  /** Freezes what there is: everything is written to a new layer from now on. For a partition that is frozen. */
  push(layer: Layer): void {
    this.#stack.push(layer)
  }

  /** Merges a layer into the one beneath it, page by page; stops early, and returns false, when `isStopped` says so. */
  async merge(layer: Layer, { isStopped, onStep }: { readonly isStopped: () => boolean; readonly onStep: StepHook }): Promise<boolean> {
    const { pageBytes } = this.#stack
    for (let offset = 0; offset < this.#sizeBytes; offset += pageBytes) {
      if (isStopped() || this.#isClosed) return false
      await this.#inTurn(offset, pageBytes, { isExclusive: true }, () => this.#stack.merge(layer, offset, onStep))
    }
    return true
  }

  /** Takes a merged layer out of a partition that is frozen. */
  remove(index: number): Layer {
    return this.#stack.remove(index)
  }

  /** The files have been made larger. */
  grow(sizeBytes: number): void {
    this.#sizeBytes = sizeBytes
  }

  /** Waits for what is under way, and closes the files. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    const unfreeze = await this.freeze()
    this.#isClosed = true
    unfreeze()
    await closeLayers(this.layers)
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new BlockDeviceError('GONE')
  }

  async #inTurn<T>(offset: number, lengthBytes: number, { isExclusive }: Pick<Turn, 'isExclusive'>, action: () => Promise<T>): Promise<T> {
    const turn = await this.#order.enter(this.#blockBegin(offset), this.#blockEnd(offset + lengthBytes), isExclusive)
    try {
      this.#checkOpen()
      return await action()
    } finally {
      this.#order.leave(turn)
    }
  }

  /** Whole blocks have one owner at a time: where a layer does not have one yet, a write of a part of it fills the rest. */
  #blockBegin(offset: number): number {
    return offset - (offset % this.#stack.blockBytes)
  }

  #blockEnd(offset: number): number {
    return Math.ceil(offset / this.#stack.blockBytes) * this.#stack.blockBytes
  }
}
