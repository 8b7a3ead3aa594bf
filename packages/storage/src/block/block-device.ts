/** What a logical unit serves: bytes by offset, in the words of SBC-4. Implemented by volumes, by memory, and by anybody from Node. */

/** A piece of a device and whether anything is stored there; what is not reads as zeros. Offsets and lengths in bytes. */
export interface ProvisioningRun {
  readonly offset: number
  readonly lengthBytes: number
  readonly isMapped: boolean
}

/** Where the medium differs from what was expected, in bytes from the beginning of the comparison; -1: nowhere. */
export type MismatchAt = number

/** What a write may ask for. */
export interface BlockWriteOptions {
  /** On stable storage when it resolves (FUA). */
  readonly isDurable?: boolean
  /**
   * All of it or nothing, also when the process is killed or the power fails (WRITE ATOMIC, SBC-4 4.29). For no more than `maximumAtomicBytes`;
   * where a device does not say, for what is within one physical block.
   */
  readonly isAtomic?: boolean
}

/**
 * A disk. Offsets and lengths are bytes, multiples of 512 and within the device: whoever calls has checked that. What is given as several
 * buffers is one range, one after the other. A buffer belongs to the device until the promise settles.
 *
 * The device is the arbiter of its bytes: writes that overlap happen one after the other, `compareAndWrite`, `orWrite` and a write of one
 * call are atomic against every other call. Errors are `BlockDeviceError`.
 */
export interface BlockDevice {
  /** May grow (`onResize`). A multiple of `physicalBlockBytes`. */
  readonly sizeBytes: number
  /** What can be mapped, unmapped and written without reading first: a power of two, 4096 as a rule. */
  readonly physicalBlockBytes: number
  /** How much a write that `isAtomic` may have, at any offset. Where undefined: what is within one physical block. */
  readonly maximumAtomicBytes?: number | undefined
  readonly isReadOnly: boolean
  /** Whether `unmap` gives space back. */
  readonly isThin: boolean
  /** Reads at once what needs no disk. False: nothing has been promised about the buffers' content, `read` will do it. */
  readNow(into: readonly Buffer[], offset: number): boolean
  /**
   * Where the bytes of a range are now, if one file has them all and they are in memory: for who sends them on without a copy. Holds until the caller
   * gives way to anybody else. Undefined: read them. A write that comes after may be seen by who takes them from there later.
   */
  placeNow?(offset: number, lengthBytes: number): FilePlace | undefined
  read(into: readonly Buffer[], offset: number): Promise<void>
  /** Writes at once, without waiting for anything, not durable. False: nothing was written, `write` will do it. */
  writeNow(from: readonly Buffer[], offset: number): boolean
  write(from: readonly Buffer[], offset: number, options?: BlockWriteOptions): Promise<void>
  /** All that was written before the call is on stable storage when it resolves. */
  flush(): Promise<void>
  /** Reads as zeros from now on, and the space goes back where the device is thin. */
  unmap(offset: number, lengthBytes: number): Promise<void>
  /** Reads as zeros from now on, and keeps its space: later writes cannot fail for want of it. */
  zero(offset: number, lengthBytes: number): Promise<void>
  /** Writes if the medium equals `expected` (of `from`'s length). Resolves with -1 when it did and was written. */
  compareAndWrite(expected: readonly Buffer[], from: readonly Buffer[], offset: number, options?: BlockWriteOptions): Promise<MismatchAt>
  /** Writes what is there, or'ed with `bits`. */
  orWrite(bits: readonly Buffer[], offset: number, options?: BlockWriteOptions): Promise<void>
  /** From `offset` on: alternating runs, at most `maxRuns`, to the end of the device or until `lengthBytes` are told. */
  provisioning(offset: number, lengthBytes: number, maxRuns: number): Promise<readonly ProvisioningRun[]>
  /** How much is stored, and how much could be. */
  usage(): Promise<{ readonly usedBytes: number; readonly availableBytes: number }>
  /** Called with the new size after it has grown. Returns what stops it. */
  onResize(listener: (sizeBytes: number) => void): () => void
}

/** Where bytes are: in an open file. */
export interface FilePlace {
  readonly descriptor: number
  readonly offset: number
}

/** What can go wrong with a device. */
export const blockDeviceErrorCodes = {
  /** No room for what would have to be stored. */
  NO_SPACE: 'there is no space left for this volume',
  /** The medium could not be read. */
  READ_FAILED: 'the medium could not be read',
  /** The medium could not be written. */
  WRITE_FAILED: 'the medium could not be written',
  /** It takes no writes. */
  READ_ONLY: 'the volume is read-only',
  /** It is closed, deleted, or its owner has gone. */
  GONE: 'the volume is not here any more',
  /** What was read is not what was written (checksum). */
  CORRUPT: 'the medium does not hold what was written',
} as const

/** One of `blockDeviceErrorCodes`. */
export type BlockDeviceErrorCode = keyof typeof blockDeviceErrorCodes

/**
 * A device says no. `code` is stable.
 *
 * @example
 * const error = new BlockDeviceError('NO_SPACE')
 * error.code // => 'NO_SPACE'
 * error.message // => 'there is no space left for this volume'
 */
export class BlockDeviceError extends Error {
  readonly code: BlockDeviceErrorCode
  /** Offset of the first byte that it is about, where that is known. */
  readonly offset: number | undefined
  constructor(code: BlockDeviceErrorCode, options: { readonly offset?: number; readonly cause?: unknown } = {}) {
    super(blockDeviceErrorCodes[code], options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'BlockDeviceError'
    this.code = code
    this.offset = options.offset
  }
}
