/** A disk of partitions, wherever they are. */
import { BlockDeviceError } from '../block-device.ts'
import type { BlockDevice, BlockWriteOptions, FilePlace, MismatchAt, ProvisioningRun } from '../block-device.ts'
import { bytesOf, firstDifference, partOf } from '../buffers.ts'
import { Listeners } from '../listeners.ts'
import type { AtomicWrites } from './atomic-journal.ts'
import { RangeOrder } from './range-order.ts'

/**
 * A partition that somebody else has, on another worker or another machine. Offsets are from its beginning; otherwise it keeps the promises of
 * `BlockDevice`: what overlaps is ordered, what it says is durable is.
 */
export type RemotePartition = Pick<
  BlockDevice,
  'read' | 'write' | 'flush' | 'unmap' | 'zero' | 'compareAndWrite' | 'orWrite' | 'provisioning' | 'usage'
>

/** A partition: one that is here can be read and written at once. */
export type Partition = RemotePartition & Partial<Pick<BlockDevice, 'placeNow' | 'readNow' | 'writeNow'>>

/** What `RoutedVolume` is made of. */
export interface RoutedVolumeOptions {
  readonly sizeBytes: number
  readonly partitionBytes: number
  /** Called once for each partition that the volume has or gets, with its number. */
  readonly partitionAt: (index: number) => Partition
  /** 4096 where it is left out. */
  readonly physicalBlockBytes?: number
  readonly isReadOnly?: boolean
  /** Where it is left out, a write is whole or undone after a crash that is within one physical block. */
  readonly atomicWrites?: AtomicWrites
}

/** What a filesystem and a disk write as a whole. */
const wholeBytes = 4096

/** The part of a request that one partition has to do. */
interface Share {
  readonly partition: Partition
  /** Where the partition begins. */
  readonly base: number
  /** From there. */
  readonly offset: number
  /** From the beginning of the request. */
  readonly from: number
  readonly lengthBytes: number
}

/** What a request touches. */
interface Range {
  readonly offset: number
  readonly lengthBytes: number
  readonly isExclusive: boolean
}

/**
 * A disk over its partitions. A request that crosses from one into the next is split, and answered once; it is atomic against everything that
 * goes through the same `RoutedVolume`.
 *
 * @example
 * const volume = new RoutedVolume({ sizeBytes: 8 << 20, partitionBytes: 4 << 20, partitionAt: () => memoryDevice({ sizeBytes: 4 << 20 }) })
 * await volume.write([Buffer.alloc(1024, 1)], (4 << 20) - 512) // half of it goes to each partition
 */
export class RoutedVolume implements BlockDevice {
  readonly physicalBlockBytes: number
  readonly isReadOnly: boolean
  readonly isThin = true
  readonly #partitionBytes: number
  readonly #partitionAt: (index: number) => Partition
  readonly #partitions: Partition[] = []
  readonly #resized = new Listeners<number>()
  readonly #atomicWrites: AtomicWrites | undefined
  /** What crosses partitions, or is written as a whole: others that overlap with it wait. Each partition orders what goes to it besides. */
  readonly #crossing = new RangeOrder()
  #sizeBytes = 0
  #isClosed = false

  constructor({ sizeBytes, partitionBytes, partitionAt, physicalBlockBytes = 4096, isReadOnly = false, atomicWrites }: RoutedVolumeOptions) {
    this.#atomicWrites = atomicWrites
    this.#partitionBytes = partitionBytes
    this.#partitionAt = partitionAt
    this.physicalBlockBytes = physicalBlockBytes
    this.isReadOnly = isReadOnly
    this.#setSize(sizeBytes)
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  get maximumAtomicBytes(): number | undefined {
    return this.#atomicWrites?.maximumBytes
  }

  /** The partitions have grown. */
  grow(sizeBytes: number): void {
    this.#setSize(sizeBytes)
    this.#resized.call(sizeBytes)
  }

  #setSize(sizeBytes: number): void {
    this.#sizeBytes = sizeBytes
    const count = Math.ceil(sizeBytes / this.#partitionBytes)
    while (this.#partitions.length < count) this.#partitions.push(this.#partitionAt(this.#partitions.length))
  }

  /** Everything rejects with `GONE` from now on. The partitions are their owners'. */
  close(): void {
    this.#isClosed = true
    this.#partitions.length = 0
  }

  /** Waits for what crosses partitions or is written as a whole, and keeps everything of that kind waiting until what it returns is called. */
  async freeze(): Promise<() => void> {
    const turn = await this.#crossing.enter(0, Infinity, true)
    try {
      this.#checkOpen()
    } catch (error) {
      this.#crossing.leave(turn)
      throw error
    }
    return () => this.#crossing.leave(turn)
  }

  placeNow(offset: number, lengthBytes: number): FilePlace | undefined {
    if (this.#isAlone) return this.#partitions[0].placeNow?.(offset, lengthBytes)
    return this.#aloneNow(lengthBytes, offset, false)?.placeNow?.(offset % this.#partitionBytes, lengthBytes)
  }

  readNow(into: readonly Buffer[], offset: number): boolean {
    if (this.#isAlone) return this.#partitions[0].readNow?.(into, offset) === true
    const partition = this.#aloneNow(bytesOf(into), offset, false)
    return partition?.readNow?.(into, offset % this.#partitionBytes) === true
  }

  writeNow(from: readonly Buffer[], offset: number): boolean {
    if (this.isReadOnly) return false
    if (this.#isAlone) return this.#partitions[0].writeNow?.(from, offset) === true
    const partition = this.#aloneNow(bytesOf(from), offset, true)
    return partition?.writeNow?.(from, offset % this.#partitionBytes) === true
  }

  /** There is one partition, which orders everything. */
  get #isAlone(): boolean {
    return this.#partitions.length === 1 && this.#crossing.isIdle
  }

  /** The partition that all of a range is in, where nothing is in its way. */
  #aloneNow(length: number, offset: number, isExclusive: boolean): Partition | undefined {
    if ((offset % this.#partitionBytes) + length > this.#partitionBytes) return undefined
    if (!this.#crossing.isIdle && !this.#crossing.isFree(offset, offset + length, isExclusive)) return undefined
    return this.#partitions[Math.floor(offset / this.#partitionBytes)]
  }

  async read(into: readonly Buffer[], offset: number): Promise<void> {
    await this.#route({ offset, lengthBytes: bytesOf(into), isExclusive: false }, shares => readFrom(shares, into))
  }

  async write(from: readonly Buffer[], offset: number, options?: BlockWriteOptions): Promise<void> {
    this.#checkWritable()
    const lengthBytes = bytesOf(from)
    const isWhole = options?.isAtomic !== true || (offset % wholeBytes) + lengthBytes <= wholeBytes
    if (isWhole || this.#atomicWrites === undefined) {
      await this.#route({ offset, lengthBytes, isExclusive: true }, shares => writeTo(shares, from, options))
    } else {
      await this.#routeAlone({ offset, lengthBytes, isExclusive: true }, shares =>
        this.#atomicWrites!.run({ offset, data: from }, () => writeWhole(shares, from)),
      )
    }
  }

  async flush(): Promise<void> {
    this.#checkOpen()
    await Promise.all(this.#partitions.map(partition => partition.flush()))
  }

  async unmap(offset: number, lengthBytes: number): Promise<void> {
    this.#checkWritable()
    await this.#route({ offset, lengthBytes, isExclusive: true }, shares =>
      all(shares, share => share.partition.unmap(share.offset, share.lengthBytes)),
    )
  }

  async zero(offset: number, lengthBytes: number): Promise<void> {
    this.#checkWritable()
    await this.#route({ offset, lengthBytes, isExclusive: true }, shares =>
      all(shares, share => share.partition.zero(share.offset, share.lengthBytes)),
    )
  }

  async compareAndWrite(expected: readonly Buffer[], from: readonly Buffer[], offset: number, options?: BlockWriteOptions): Promise<MismatchAt> {
    this.#checkWritable()
    return this.#route({ offset, lengthBytes: bytesOf(expected), isExclusive: true }, async shares => {
      if (shares.length === 1) return alone(shares[0], ({ partition, offset: at }) => partition.compareAndWrite(expected, from, at, options))
      const mismatchAt = firstDifference(expected, [await bytesAt(shares)])
      if (mismatchAt === -1) await writeTo(shares, from, options)
      return mismatchAt
    })
  }

  async orWrite(bits: readonly Buffer[], offset: number, options?: BlockWriteOptions): Promise<void> {
    this.#checkWritable()
    await this.#route({ offset, lengthBytes: bytesOf(bits), isExclusive: true }, shares =>
      all(shares, share => share.partition.orWrite(partOf(bits, share.from, share.lengthBytes), share.offset, options)),
    )
  }

  async provisioning(offset: number, lengthBytes: number, maxRuns: number): Promise<readonly ProvisioningRun[]> {
    this.#checkOpen()
    const runs: ProvisioningRun[] = []
    const end = Math.min(offset + lengthBytes, this.#sizeBytes)
    for (const share of this.#sharesOf(offset, end - offset)) {
      // One more than there is room for: the first may belong to the last one of the partition before.
      const found = await alone(share, ({ partition }) => partition.provisioning(share.offset, share.lengthBytes, maxRuns - runs.length + 1))
      for (const run of found) {
        const last = runs.at(-1)
        const at = share.base + run.offset
        if (last?.isMapped === run.isMapped) runs[runs.length - 1] = { ...last, lengthBytes: at + run.lengthBytes - last.offset }
        else if (runs.length === maxRuns) return runs
        else runs.push({ ...run, offset: at })
      }
      const last = runs.at(-1)!
      if (last.offset + last.lengthBytes < share.base + share.offset + share.lengthBytes) return runs
    }
    return runs
  }

  async usage(): Promise<{ readonly usedBytes: number; readonly availableBytes: number }> {
    this.#checkOpen()
    const usages = await Promise.all(this.#partitions.map(partition => partition.usage()))
    const usedBytes = usages.reduce((sum, usage) => sum + usage.usedBytes, 0)
    const leftBytes = Math.min(...usages.map(({ availableBytes }) => availableBytes))
    return { usedBytes, availableBytes: Math.max(0, Math.min(this.#sizeBytes - usedBytes, leftBytes)) }
  }

  onResize(listener: (sizeBytes: number) => void): () => void {
    return this.#resized.add(listener)
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new BlockDeviceError('GONE')
  }

  #checkWritable(): void {
    if (this.isReadOnly) throw new BlockDeviceError('READ_ONLY')
  }

  #sharesOf(offset: number, lengthBytes: number): Share[] {
    const shares: Share[] = []
    for (let from = 0; from < lengthBytes;) {
      const within = (offset + from) % this.#partitionBytes
      const length = Math.min(lengthBytes - from, this.#partitionBytes - within)
      const base = offset + from - within
      shares.push({ partition: this.#partitions[base / this.#partitionBytes], base, offset: within, from, lengthBytes: length })
      from += length
    }
    return shares
  }

  /** Runs a request by what each partition has to do of it. A range within one partition waits only for what crosses into it. */
  async #route<T>(range: Range, action: (shares: readonly Share[]) => Promise<T>): Promise<T> {
    this.#checkOpen()
    const { offset, lengthBytes, isExclusive } = range
    const isCrossing = (offset % this.#partitionBytes) + lengthBytes > this.#partitionBytes
    const isFree = this.#crossing.isIdle || this.#crossing.isFree(offset, offset + lengthBytes, isExclusive)
    return !isCrossing && isFree ? action(this.#sharesOf(offset, lengthBytes)) : this.#routeAlone(range, action)
  }

  /** With everything that overlaps and comes later waiting until it is over, in one partition too. */
  async #routeAlone<T>({ offset, lengthBytes, isExclusive }: Range, action: (shares: readonly Share[]) => Promise<T>): Promise<T> {
    const turn = await this.#crossing.enter(offset, offset + lengthBytes, isExclusive)
    try {
      this.#checkOpen()
      return await action(this.#sharesOf(offset, lengthBytes))
    } finally {
      this.#crossing.leave(turn)
    }
  }
}

/** What a partition says of a place is about the partition: here it is about the volume. */
const alone = async <T>(share: Share, action: (share: Share) => Promise<T>): Promise<T> => {
  try {
    return await action(share)
  } catch (error) {
    if (!(error instanceof BlockDeviceError) || error.offset === undefined || share.base === 0) throw error
    throw new BlockDeviceError(error.code, { offset: share.base + error.offset, cause: error.cause })
  }
}

/** Waits for all of them, whatever becomes of each: nothing may still happen when the answer is given. */
const all = async (shares: readonly Share[], action: (share: Share) => Promise<void>): Promise<void> => {
  if (shares.length === 1) return alone(shares[0], action)
  const results = await Promise.allSettled(shares.map(share => alone(share, action)))
  for (const result of results) if (result.status === 'rejected') throw result.reason
}

const readFrom = (shares: readonly Share[], into: readonly Buffer[]): Promise<void> =>
  all(shares, share => share.partition.read(partOf(into, share.from, share.lengthBytes), share.offset))

const writeTo = (shares: readonly Share[], from: readonly Buffer[], options: BlockWriteOptions | undefined): Promise<void> =>
  all(shares, share => share.partition.write(partOf(from, share.from, share.lengthBytes), share.offset, options))

/**
 * Writes durably. Resolves to why that could not be done, where what was written has been replaced by what had been there; rejects where that
 * could not be done either.
 */
const writeWhole = async (shares: readonly Share[], from: readonly Buffer[]): Promise<BlockDeviceError | undefined> => {
  const before = await bytesAt(shares).catch(refusalOf)
  if (before instanceof BlockDeviceError) return before
  const put = (share: Share, data: readonly Buffer[], lengthBytes: number): Promise<void> =>
    alone(share, ({ partition, offset }) => partition.write(partOf(data, share.from, lengthBytes), offset, { isDurable: true }))
  const refusals = await Promise.all(shares.map(share => put(share, from, share.lengthBytes).then(() => undefined, refusalOf)))
  const refusal = refusals.find(one => one !== undefined)
  if (refusal === undefined) return undefined
  // Of a share that failed, what is before the place of the failure was written: there is space for that, and perhaps for no more.
  const writtenOf = (share: Share, failedAt: number | undefined): number =>
    failedAt === undefined ? share.lengthBytes : Math.max(0, failedAt - share.base - share.offset)
  await Promise.all(shares.map((share, index) => put(share, [before], writtenOf(share, refusals[index]?.offset))))
  return refusal
}

const refusalOf = (error: unknown): BlockDeviceError => {
  if (error instanceof BlockDeviceError) return error
  throw error
}

const bytesAt = async (shares: readonly Share[]): Promise<Buffer> => {
  const last = shares.at(-1)!
  const bytes = Buffer.allocUnsafe(last.from + last.lengthBytes)
  await readFrom(shares, [bytes])
  return bytes
}
