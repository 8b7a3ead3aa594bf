/** A disk whose reads end when a test says so. */
import { MemoryDevice } from '@holdfast/storage/block'

/** Reads are under way until `finish`; everything else is done at once. */
export class SlowDevice extends MemoryDevice {
  readonly #waiting = new Map<number, () => void>()

  constructor() {
    super({ sizeBytes: 1024 * 1024 })
  }

  /** LBAs (of 512 bytes) of the reads under way, in the order they came. */
  get reading(): readonly number[] {
    return [...this.#waiting.keys()]
  }

  override readNow(): boolean {
    return false
  }

  override async read(into: readonly Buffer[], offset: number): Promise<void> {
    await new Promise<void>(resolve => this.#waiting.set(offset / 512, resolve))
    await super.read(into, offset)
  }

  /** Ends the read of a block. */
  finish(lba: number): void {
    const resolve = this.#waiting.get(lba)
    this.#waiting.delete(lba)
    resolve?.()
  }
}
