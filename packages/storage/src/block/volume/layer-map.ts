/**
 * Which blocks of a layer are valid, in a file beside it: two copies of a bitmap.
 *
 * The filesystem is not asked for that, though it knows where a sparse file has data. What it says of pages that are still on their way to the
 * disk is not to be relied on (see `BackingFile.runAt`), and a copy of the file may have holes where zeros were (`cp --sparse=always`): zeros
 * over something would give back what is beneath.
 *
 * **The end of the process.** What was answered is in the page cache, and so is its bit in the copy of what is *written*: the data first, then
 * the bit, then the answer.
 *
 * **The end of the power.** The kernel writes pages in any order: a bit may be on the disk whose data is not, and would put a hole over what is
 * beneath, which was there long before. So a flush puts the data on stable storage first, then the bits into the copy of what is *flushed*, and
 * ends when they are there. Whoever opens the file takes these as they are; a bit that only the first copy has belongs to a write that nobody
 * has flushed: it is taken where the file, once it is flushed, has extents that were written.
 *
 * A block that is unmapped while nothing is beneath may stay in the copy of what is flushed: it is a hole over nothing. One that has been merged
 * into the layer beneath may not (`remove`).
 */
import type { BackingFile } from './backing-file.ts'
import type { LayerFile } from './layer.ts'
import { Validity, bitmapBytesOf } from './validity.ts'
import type { BitmapShape } from './validity.ts'

/** What a map is of. */
export interface LayerMapShape extends BitmapShape {
  /** How large the layer may become. */
  readonly partitionBytes: number
}

/** The files of a map: its own, which is closed with it, and the layer's. */
export interface LayerMapFiles {
  readonly file: BackingFile
  readonly data: Pick<LayerFile, 'flush' | 'writtenNow'>
}

const sectorBytes = 4096
const sliceMs = 2

const copyBytesOf = (shape: LayerMapShape): number =>
  Math.ceil((Math.ceil(shape.partitionBytes / shape.pageBytes) * bitmapBytesOf(shape)) / sectorBytes) * sectorBytes

/** The size of a map's file: 4 MiB for 64 GiB, as a rule. All of it is there from the beginning: what is in the layer can always be flushed. */
export const mapBytesOf = (shape: LayerMapShape): number => 2 * copyBytesOf(shape)

/** See above. Offsets and lengths in bytes, as in `Validity`. Everything throws, or rejects with, `BlockDeviceError`. */
export class LayerMap {
  readonly #shape: LayerMapShape
  readonly #bitmapBytes: number
  readonly #writtenAt: number
  readonly #file: BackingFile
  readonly #data: LayerMapFiles['data']
  readonly #written: Validity
  readonly #flushed: Validity
  /** Pages of which the file does not have what is written. */
  readonly #unsaved = new Set<number>()
  /** Pages that have changed since the last flush. */
  readonly #changed = new Set<number>()
  /** Changes of what is flushed that are not on stable storage. */
  #unstable = 0
  /** One flush, or removal, after the other. */
  #last: Promise<void> | undefined

  private constructor(shape: LayerMapShape, { file, data }: LayerMapFiles) {
    this.#shape = shape
    this.#bitmapBytes = bitmapBytesOf(shape)
    this.#writtenAt = copyBytesOf(shape)
    this.#file = file
    this.#data = data
    this.#written = new Validity(shape)
    this.#flushed = new Validity(shape)
  }

  static async open(shape: LayerMapShape, files: LayerMapFiles): Promise<LayerMap> {
    const map = new LayerMap(shape, files)
    await map.#load()
    return map
  }

  async #load(): Promise<void> {
    const written = new Validity(this.#shape)
    await this.#read(0, (page, bitmap) => {
      this.#flushed.add(page, bitmap)
      this.#written.add(page, bitmap)
    })
    await this.#read(this.#writtenAt, (page, bitmap) => {
      written.add(page, bitmap)
      this.#unsaved.add(page)
    })
    await this.#takeUnflushed(written)
    this.#save()
  }

  async #read(at: number, take: (page: number, bitmap: Uint32Array) => void): Promise<void> {
    // A Uint32Array needs an address that is a multiple of 4.
    const bytes = Buffer.from(new ArrayBuffer(this.#writtenAt))
    await this.#file.read([bytes], at)
    const words = new Uint32Array(bytes.buffer)
    const pageWords = this.#bitmapBytes / 4
    for (let page = 0; (page + 1) * pageWords <= words.length; page++) {
      const bitmap = words.subarray(page * pageWords, (page + 1) * pageWords)
      if (bitmap.some(word => word !== 0)) take(page, bitmap)
    }
  }

  /** What somebody wrote who ended before it was flushed. */
  async #takeUnflushed(written: Validity): Promise<void> {
    const { partitionBytes } = this.#shape
    let isFlushed = false
    for (let at = 0; at < partitionBytes;) {
      const end = Math.min(written.runEnd(at, partitionBytes), this.#flushed.runEnd(at, partitionBytes))
      if (written.has(at) && !this.#flushed.has(at)) {
        if (!isFlushed) await this.#data.flush()
        isFlushed = true
        await this.#takeStored(at, end)
      }
      at = end
    }
  }

  /** Of a fragmented file there is much to be asked: others get their turn in between. */
  async #takeStored(offset: number, limit: number): Promise<void> {
    let begin = performance.now()
    for (let at = offset; at < limit;) {
      const { end, isData } = this.#data.writtenNow(at, limit)
      if (isData) this.#mark(at, end - at)
      at = end
      if (performance.now() - begin < sliceMs) continue
      await new Promise(resolve => setImmediate(resolve))
      begin = performance.now()
    }
  }

  has(offset: number): boolean {
    return this.#written.has(offset)
  }

  runEnd(offset: number, limit: number): number {
    return this.#written.runEnd(offset, limit)
  }

  /** The blocks have been written. */
  set(offset: number, lengthBytes: number): void {
    if (this.#unsaved.size === 0 && this.#written.covers(offset, lengthBytes)) return
    this.#mark(offset, lengthBytes)
    this.#save()
  }

  #mark(offset: number, lengthBytes: number): void {
    this.#written.set(offset, lengthBytes)
    this.#note(offset, lengthBytes)
  }

  /** The blocks have been punched, and nothing is beneath. */
  clear(offset: number, lengthBytes: number): void {
    this.#written.clear(offset, lengthBytes)
    this.#note(offset, lengthBytes)
    this.#save()
  }

  #note(offset: number, lengthBytes: number): void {
    for (const page of this.#pagesOf(offset, lengthBytes)) {
      this.#unsaved.add(page)
      this.#changed.add(page)
    }
  }

  /** What could not be saved is saved with what comes next. */
  #save(): void {
    for (const page of this.#unsaved) {
      this.#put(this.#written, page, this.#writtenAt)
      this.#unsaved.delete(page)
    }
  }

  #put(validity: Validity, page: number, copyAt: number): void {
    const bitmap = validity.bitmapOf(page)
    const bytes = bitmap === undefined ? Buffer.alloc(this.#bitmapBytes) : Buffer.from(bitmap.buffer, bitmap.byteOffset, bitmap.byteLength)
    this.#file.writeAtOnce(bytes, copyAt + page * this.#bitmapBytes)
  }

  /** All that was written before the call is on stable storage, with its bits, when it resolves. */
  flush(): Promise<void> {
    if (this.#changed.size === 0 && this.#last === undefined) return this.#data.flush()
    return this.#inTurn(() => this.#flush())
  }

  async #flush(): Promise<void> {
    this.#save()
    const changes = [...this.#changed].map(page => ({ page, bitmap: Uint32Array.from(this.#written.bitmapOf(page) ?? nothing) }))
    this.#changed.clear()
    try {
      await this.#data.flush()
      if (changes.length === 0) return
      await this.#keep(() => {
        for (const { page, bitmap } of changes) {
          this.#flushed.add(page, bitmap)
          this.#put(this.#flushed, page, 0)
        }
      })
    } catch (error) {
      for (const { page } of changes) this.#changed.add(page)
      throw error
    }
  }

  /** As `flush`, for blocks whose data is on stable storage already. */
  async flushRange(offset: number, lengthBytes: number): Promise<void> {
    if (this.#unstable === 0 && this.#flushed.covers(offset, lengthBytes)) return
    await this.#keep(() => {
      this.#flushed.set(offset, lengthBytes)
      for (const page of this.#pagesOf(offset, lengthBytes)) this.#put(this.#flushed, page, 0)
    })
  }

  /** The blocks have been merged into what is beneath, durably. They are not valid any more, durably. Nobody writes to them. */
  remove(offset: number, lengthBytes: number): Promise<void> {
    return this.#inTurn(async () => {
      this.#written.clear(offset, lengthBytes)
      this.#note(offset, lengthBytes)
      await this.#keep(() => {
        this.#save()
        this.#flushed.clear(offset, lengthBytes)
        for (const page of this.#pagesOf(offset, lengthBytes)) this.#put(this.#flushed, page, 0)
      })
    })
  }

  async #keep(change: () => void): Promise<void> {
    // Where it fails, nothing is taken for stable any more without asking the file.
    this.#unstable++
    change()
    await this.#file.flush()
    this.#unstable--
  }

  #inTurn(action: () => Promise<void>): Promise<void> {
    const outcome = this.#last === undefined ? action() : this.#last.then(action)
    const ended: Promise<void> = outcome.then(ignore, ignore).then(() => {
      if (this.#last === ended) this.#last = undefined
    })
    this.#last = ended
    return outcome
  }

  *#pagesOf(offset: number, lengthBytes: number): Generator<number> {
    const { pageBytes } = this.#shape
    for (let page = Math.floor(offset / pageBytes); page * pageBytes < offset + lengthBytes; page++) yield page
  }

  /** Waits for what is under way; nothing may be asked for afterwards. */
  async close(): Promise<void> {
    await this.#last
    await this.#file.close()
  }
}

const nothing = new Uint32Array(0)

/** Whoever asked for it hears how it ended. */
const ignore = (): void => {}
