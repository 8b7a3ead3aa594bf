/** What volumes can be: names, sizes, the shape of their files. */
import { VolumeError } from './errors.ts'
import type { NewVolume } from './manager.ts'

const mebibyte = 1 << 20
const sectorBytes = 4096
const maxPartitions = 4096
const smallestPageBytes = 65_536
const largestPageBytes = 1024 * mebibyte
const defaultPageBytes = 4 * mebibyte
const defaultPartitionBytes = 65_536 * mebibyte

/** How a volume's files are cut. */
export interface VolumeShape {
  readonly pageBytes: number
  readonly partitionBytes: number
}

/** RFC 7143 4.2.7.2: lower case, and what an iSCSI name may have besides. */
const namePattern = /^[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?$/

/** Throws `INVALID_NAME`. */
export const checkName = (name: string, what: 'volume' | 'snapshot'): void => {
  if (namePattern.test(name)) return
  const rule = "take 1 to 63 of a-z, 0-9, '-' and '.', with a letter or digit at both ends"
  throw new VolumeError('INVALID_NAME', `${JSON.stringify(name)} cannot be the name of a ${what}: ${rule}`)
}

/** Throws `INVALID_SIZE`. */
export const checkSize = (
  sizeBytes: number,
  { partitionBytes, blockBytes }: { readonly partitionBytes: number; readonly blockBytes: number },
): void => {
  const rounded = Math.max(1, Math.ceil(sizeBytes / blockBytes)) * blockBytes
  if (sizeBytes !== rounded) {
    throw new VolumeError('INVALID_SIZE', `a volume cannot have ${sizeBytes} bytes: its size is a multiple of ${blockBytes}, such as ${rounded}`)
  }
  const mostBytes = maxPartitions * partitionBytes
  if (sizeBytes > mostBytes) {
    throw new VolumeError('INVALID_SIZE', `a volume of partitions of ${partitionBytes} bytes has at most ${mostBytes}: take larger partitions`)
  }
}

/** Checks what does not depend on the filesystem. Throws `INVALID_OPTION`, `INVALID_SIZE`. */
export const shapeOf = (
  { sizeBytes, pageBytes, partitionBytes }: NewVolume,
  source?: VolumeShape & { readonly sizeBytes: number },
): VolumeShape & { readonly sizeBytes: number } => {
  const page = pageBytes ?? source?.pageBytes ?? defaultPageBytes
  if (Math.log2(page) % 1 !== 0 || page < smallestPageBytes || page > largestPageBytes) {
    throw new VolumeError('INVALID_OPTION', `a page cannot have ${page} bytes: take a power of two from 64 KiB to 1 GiB`)
  }
  const partition = partitionBytes ?? source?.partitionBytes ?? Math.max(defaultPartitionBytes, page)
  if (partition <= 0 || partition % page !== 0) {
    throw new VolumeError('INVALID_OPTION', `a partition cannot have ${partition} bytes: take a multiple of the page, which has ${page}`)
  }
  const size = sizeBytes ?? source?.sizeBytes
  if (size === undefined) throw new VolumeError('INVALID_SIZE', 'a volume that is not made from a snapshot needs a size')
  checkSize(size, { partitionBytes: partition, blockBytes: sectorBytes })
  if (source !== undefined && size < source.sizeBytes) {
    throw new VolumeError('SIZE_TOO_SMALL', `the snapshot has ${source.sizeBytes} bytes: take at least as many`)
  }
  return { sizeBytes: size, pageBytes: page, partitionBytes: partition }
}
