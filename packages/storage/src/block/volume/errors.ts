/** What can go wrong with volumes as a whole; what goes wrong with their bytes is a `BlockDeviceError`. */

/** By code: what it means. The message of an error says what to do. */
export const volumeErrorCodes = {
  /** There is a volume of this name. */
  VOLUME_EXISTS: 'there is a volume of this name',
  UNKNOWN_VOLUME: 'there is no volume of this name',
  SNAPSHOT_EXISTS: 'the volume has a snapshot of this name',
  UNKNOWN_SNAPSHOT: 'the volume has no snapshot of this name',
  /** Of a volume or a snapshot. */
  INVALID_NAME: 'the name is not one that a volume can have',
  /** Not a multiple of 4096, zero, or too large. */
  INVALID_SIZE: 'the size is not one that a volume can have',
  /** A volume grows, and never shrinks. */
  SIZE_TOO_SMALL: 'the size is below what the volume has now',
  /** Of pages, or partitions. */
  INVALID_OPTION: 'an option has a value that it cannot have',
  /** The filesystem has no room for what a volume needs besides its data. */
  NO_SPACE: 'there is no space left on the filesystem',
  /** The folder cannot be used, as the filesystem says. */
  FOLDER_UNUSABLE: 'the folder of the volumes cannot be used',
  /** The filesystem neither clones files nor tells exactly where they have data. */
  SNAPSHOTS_UNSUPPORTED: 'snapshots cannot be made on this filesystem',
  /** Another owner has claimed the volume. */
  NOT_OWNER: 'the volume belongs to somebody else now',
  /** Files that the record names are missing, or the record cannot be read. */
  DAMAGED: 'the volume is damaged',
  /** The records could not be read or written: `cause` says why. What was to be done may have happened. */
  RECORDS_UNAVAILABLE: 'the records of the volumes cannot be read or written',
  /** The manager has been closed. */
  CLOSED: 'the volumes have been closed',
} as const

/** One of `volumeErrorCodes`. */
export type VolumeErrorCode = keyof typeof volumeErrorCodes

/**
 * A volume cannot be made, changed or found. `code` is stable, `message` says what to do about it.
 *
 * @example
 * await using volumes = await openVolumes({ folder: './volumes', metadata: memoryVolumeMetadata() })
 * const error = await volumes.open('disk2').catch((thrown: VolumeError) => thrown)
 * error instanceof VolumeError && error.code // => 'UNKNOWN_VOLUME'
 * error instanceof VolumeError && error.message // => 'there is no volume "disk2": there is none'
 */
export class VolumeError extends Error {
  readonly code: VolumeErrorCode
  constructor(code: VolumeErrorCode, message: string = volumeErrorCodes[code], options?: ErrorOptions) {
    super(message, options)
    this.name = 'VolumeError'
    this.code = code
  }
}
