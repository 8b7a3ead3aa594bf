/** A disk in memory that several threads share: it outlives the worker that serves it. */
import { setTimeout as sleep } from 'node:timers/promises'
import { MemoryDevice } from '@holdfast/storage/block'
import type { BlockWriteOptions } from '@holdfast/storage/block'

/** What a `SharedDisk` is made of. */
export interface SharedDiskMemory {
  readonly bytes: SharedArrayBuffer
  /** Words by `SharedDiskWord`. */
  readonly words: SharedArrayBuffer
}

/** What tests read and write. */
export const SharedDiskWord = {
  /** Not 0: what is begun does not end. */
  isStuck: 0,
  /** Calls that are stuck. */
  stuck: 1,
  /** COMPARE AND WRITEs that the disk was asked for. */
  compared: 2,
} as const

/** Memory for a disk. */
export const sharedDiskMemory = (sizeBytes: number): SharedDiskMemory => ({
  bytes: new SharedArrayBuffer(sizeBytes),
  words: new SharedArrayBuffer(64),
})

/** Every second read and write is done at once, the others take a moment. */
export class SharedDisk extends MemoryDevice {
  readonly #bytes: Buffer
  readonly #words: Int32Array
  #turn = 0

  constructor({ bytes, words }: SharedDiskMemory) {
    super({ sizeBytes: bytes.byteLength })
    this.#bytes = Buffer.from(bytes)
    this.#words = new Int32Array(words)
  }

  override readNow(into: readonly Buffer[], offset: number): boolean {
    if (this.#isSlow()) return false
    this.#read(into, offset)
    return true
  }

  override async read(into: readonly Buffer[], offset: number): Promise<void> {
    await this.#takeTime()
    this.#read(into, offset)
  }

  override writeNow(from: readonly Buffer[], offset: number): boolean {
    if (this.#isSlow()) return false
    this.#write(from, offset)
    return true
  }

  override async write(from: readonly Buffer[], offset: number, _options?: BlockWriteOptions): Promise<void> {
    await this.#takeTime()
    this.#write(from, offset)
  }

  override async compareAndWrite(expected: readonly Buffer[], from: readonly Buffer[], offset: number): Promise<number> {
    Atomics.add(this.#words, SharedDiskWord.compared, 1)
    const wanted = Buffer.concat(expected)
    const found = this.#bytes.subarray(offset, offset + wanted.length)
    const at = wanted.findIndex((byte, index) => byte !== found[index])
    if (at === -1) this.#write(from, offset)
    await this.#takeTime()
    return at
  }

  #isSlow(): boolean {
    return Atomics.load(this.#words, SharedDiskWord.isStuck) !== 0 || this.#turn++ % 2 === 0
  }

  async #takeTime(): Promise<void> {
    if (Atomics.load(this.#words, SharedDiskWord.isStuck) !== 0) {
      Atomics.add(this.#words, SharedDiskWord.stuck, 1)
      await new Promise(() => undefined)
    }
    await sleep(this.#turn++ % 3)
  }

  #read(into: readonly Buffer[], offset: number): void {
    let at = offset
    for (const buffer of into) at += this.#bytes.copy(buffer, 0, at, at + buffer.length)
  }

  #write(from: readonly Buffer[], offset: number): void {
    let at = offset
    for (const buffer of from) at += buffer.copy(this.#bytes, at)
  }
}
