/**
 * A volume's device that is opened again when it has gone: when somebody else had claimed the volume, or its owner did not know any more what
 * its record or its files say. Whoever has the device keeps it.
 */

import {
  type BlockDevice,
  BlockDeviceError,
  type BlockWriteOptions,
  type FilePlace,
  type MismatchAt,
  type ProvisioningRun,
} from '@holdfast/storage/block'

/** How a device is opened again. */
export interface Reopening {
  /** Rejects where it cannot be opened, or shall not be any more. */
  reopen(): Promise<BlockDevice>
  /** Told of what came of it. */
  onReopened(failure: Error | undefined): void
  /** Milliseconds of a clock that only goes forward. */
  now?(): number
}

/** After a failure nobody tries again for so long: each try is a claim in the store. */
const restMs = 1000

const isGone = (error: unknown): boolean => error instanceof BlockDeviceError && error.code === 'GONE'

/**
 * See above. What is under way when the device goes waits for the next one and is done there, if to do it twice is to do it once; a compareAndWrite
 * fails.
 */
export class ReopeningDevice implements BlockDevice {
  readonly physicalBlockBytes: number
  readonly isReadOnly: boolean
  readonly isThin: boolean
  readonly #reopening: Reopening
  readonly #now: () => number
  readonly #listeners = new Set<{ readonly call: (sizeBytes: number) => void }>()
  #device: BlockDevice
  #stop: () => void
  #opening: Promise<void> | undefined
  #againAt = 0

  constructor(device: BlockDevice, reopening: Reopening) {
    this.physicalBlockBytes = device.physicalBlockBytes
    this.isReadOnly = device.isReadOnly
    this.isThin = device.isThin
    this.#reopening = reopening
    this.#now = reopening.now ?? (() => performance.now())
    this.#device = device
    this.#stop = device.onResize(sizeBytes => this.#resized(sizeBytes))
  }

  get sizeBytes(): number {
    return this.#device.sizeBytes
  }

  get maximumAtomicBytes(): number | undefined {
    return this.#device.maximumAtomicBytes
  }

  placeNow(offset: number, lengthBytes: number): FilePlace | undefined {
    return this.#device.placeNow?.(offset, lengthBytes)
  }

  readNow(into: readonly Buffer[], offset: number): boolean {
    return this.#device.readNow(into, offset)
  }

  read(into: readonly Buffer[], offset: number): Promise<void> {
    return this.#lasting(device => device.read(into, offset))
  }

  writeNow(from: readonly Buffer[], offset: number): boolean {
    return this.#device.writeNow(from, offset)
  }

  write(from: readonly Buffer[], offset: number, options?: BlockWriteOptions): Promise<void> {
    return this.#lasting(device => device.write(from, offset, options))
  }

  flush(): Promise<void> {
    return this.#lasting(device => device.flush())
  }

  unmap(offset: number, lengthBytes: number): Promise<void> {
    return this.#lasting(device => device.unmap(offset, lengthBytes))
  }

  zero(offset: number, lengthBytes: number): Promise<void> {
    return this.#lasting(device => device.zero(offset, lengthBytes))
  }

  async compareAndWrite(expected: readonly Buffer[], from: readonly Buffer[], offset: number, options?: BlockWriteOptions): Promise<MismatchAt> {
    const device = this.#device
    try {
      return await device.compareAndWrite(expected, from, offset, options)
    } catch (error) {
      // It may have been written: to compare again would find that.
      if (isGone(error)) await this.#next(device)
      throw error
    }
  }

  orWrite(bits: readonly Buffer[], offset: number, options?: BlockWriteOptions): Promise<void> {
    return this.#lasting(device => device.orWrite(bits, offset, options))
  }

  provisioning(offset: number, lengthBytes: number, maxRuns: number): Promise<readonly ProvisioningRun[]> {
    return this.#lasting(device => device.provisioning(offset, lengthBytes, maxRuns))
  }

  usage(): Promise<{ readonly usedBytes: number; readonly availableBytes: number }> {
    return this.#lasting(device => device.usage())
  }

  onResize(listener: (sizeBytes: number) => void): () => void {
    const own = { call: listener }
    this.#listeners.add(own)
    return () => void this.#listeners.delete(own)
  }

  async #lasting<T>(action: (device: BlockDevice) => Promise<T>): Promise<T> {
    const device = this.#device
    try {
      return await action(device)
    } catch (error) {
      if (!isGone(error) || !(await this.#next(device))) throw error
      return action(this.#device)
    }
  }

  /** Resolves to whether there is another device than one that has gone. */
  async #next(gone: BlockDevice): Promise<boolean> {
    if (this.#device === gone && this.#opening === undefined && this.#now() >= this.#againAt) this.#opening = this.#open()
    await this.#opening
    return this.#device !== gone
  }

  async #open(): Promise<void> {
    try {
      const device = await this.#reopening.reopen()
      if (device === this.#device) this.#againAt = this.#now() + restMs
      else this.#take(device)
    } catch (error) {
      this.#againAt = this.#now() + restMs
      this.#reopening.onReopened(error as Error)
    } finally {
      this.#opening = undefined
    }
  }

  #take(device: BlockDevice): void {
    const before = this.#device.sizeBytes
    this.#stop()
    this.#device = device
    this.#stop = device.onResize(sizeBytes => this.#resized(sizeBytes))
    this.#reopening.onReopened(undefined)
    if (device.sizeBytes !== before) this.#resized(device.sizeBytes)
  }

  #resized(sizeBytes: number): void {
    for (const { call } of this.#listeners) call(sizeBytes)
  }
}
