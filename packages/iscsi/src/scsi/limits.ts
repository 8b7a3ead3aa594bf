/** What block commands may ask for at once: Block Limits VPD page (SBC-4 6.6.4), in logical blocks. 0 in a `maximum`: not supported. */
import type { BlockDevice } from '@holdfast/storage/block'

/** Fields of the page by its names. */
export interface BlockLimits {
  /** COMPARE AND WRITE, at most 255. */
  readonly maximumCompareAndWriteBlocks: number
  readonly optimalTransferGranularityBlocks: number
  readonly maximumTransferBlocks: number
  readonly optimalTransferBlocks: number
  readonly maximumPrefetchBlocks: number
  /** Of one UNMAP command, all its descriptors together. */
  readonly maximumUnmapBlocks: number
  readonly maximumUnmapDescriptors: number
  readonly optimalUnmapGranularityBlocks: number
  readonly maximumWriteSameBlocks: number
  /** WRITE ATOMIC. */
  readonly maximumAtomicBlocks: number
  readonly atomicAlignmentBlocks: number
  readonly atomicGranularityBlocks: number
}

const mebibyte = 1024 * 1024

/** What we let initiators ask for, in bytes. */
export const transferLimits = {
  /** A response lies in one piece of shared memory. */
  transferBytes: 8 * mebibyte,
  optimalBytes: mebibyte,
  unmapBytes: 512 * mebibyte,
  writeSameBytes: 16 * mebibyte,
} as const

/** The limits of a unit on that device. */
export function limitsOf(device: BlockDevice, blockBytes: number): BlockLimits {
  const inBlocks = (lengthBytes: number): number => lengthBytes / blockBytes
  const { maximumAtomicBytes } = device
  const granularity = Math.max(1, inBlocks(device.physicalBlockBytes))
  return {
    maximumCompareAndWriteBlocks: 255,
    optimalTransferGranularityBlocks: granularity,
    maximumTransferBlocks: inBlocks(transferLimits.transferBytes),
    optimalTransferBlocks: inBlocks(transferLimits.optimalBytes),
    maximumPrefetchBlocks: 0,
    maximumUnmapBlocks: device.isThin ? inBlocks(transferLimits.unmapBytes) : 0,
    maximumUnmapDescriptors: device.isThin ? 256 : 0,
    optimalUnmapGranularityBlocks: device.isThin ? granularity : 0,
    maximumWriteSameBlocks: inBlocks(transferLimits.writeSameBytes),
    // All or nothing also when the power fails (SBC-4 4.29.2): what the device says, or one physical block.
    maximumAtomicBlocks: maximumAtomicBytes === undefined ? granularity : inBlocks(Math.min(maximumAtomicBytes, transferLimits.transferBytes)),
    atomicAlignmentBlocks: maximumAtomicBytes === undefined ? granularity : 0,
    atomicGranularityBlocks: 0,
  }
}
