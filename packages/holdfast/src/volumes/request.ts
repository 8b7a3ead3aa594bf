/** What is asked for in volumes, by the words of the API. */

import { isDeepStrictEqual } from 'node:util'
import { badValue, ConfigError, type Origin } from '../config/errors.ts'
import { volumeNamePattern } from '../config/names.ts'
import { parseVolumeOptions, parseVolumeSize, splitOptions, volumeOptionWords, volumeSizeAllowed } from '../config/volumes.ts'
import { shownMade, type SnapshotName, type VolumeRequest, type VolumeView } from './volume.ts'

/** A new volume, as the body of a request has it. */
export interface VolumeWords {
  readonly name: string
  readonly size?: string | number | undefined
  readonly options?: readonly string[] | undefined
  readonly from?: string | undefined
}

const at = (key: string): Origin => ({ key, isOption: true })

/** `disk0@before-upgrade`; undefined for what is none. */
export function parseSnapshotName(text: string): SnapshotName | undefined {
  const [volume = '', snapshot = '', ...rest] = text.split('@')
  return rest.length === 0 && volumeNamePattern.test(volume) && volumeNamePattern.test(snapshot) ? { volume, snapshot } : undefined
}

/** Bytes of a volume. Throws ConfigError. */
export function volumeSizeOf(size: string | number | undefined): number {
  if (size === undefined) throw new ConfigError(`size is missing; allowed: ${volumeSizeAllowed}`)
  const bytes = parseVolumeSize(size)
  if (bytes === undefined) throw badValue(at('size'), size, volumeSizeAllowed)
  return bytes
}

/** Throws ConfigError with a line that names the key, the value and what is allowed. */
export function volumeRequestOf({ name, size, options = [], from: fromText }: VolumeWords): VolumeRequest {
  const { made, access } = splitOptions(parseVolumeOptions(options, at('options')))
  const from = fromText === undefined ? undefined : parseSnapshotName(fromText)
  if (fromText !== undefined && from === undefined) throw badValue(at('from'), fromText, 'VOLUME@SNAPSHOT')
  return {
    name,
    ...((from === undefined || size !== undefined) && { sizeBytes: volumeSizeOf(size) }),
    ...made,
    ...(from && { from }),
    access,
  }
}

/** Whether a volume that is there is what is asked for. */
export function isAsRequested(found: VolumeView, { sizeBytes = found.sizeBytes, access, ...made }: VolumeRequest): boolean {
  const options = volumeOptionWords({ ...access, ...shownMade(made) })
  return found.sizeBytes === sizeBytes && isDeepStrictEqual(found.options, options)
}
