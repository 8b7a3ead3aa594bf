/** Vital product data of disks (SBC-4 6.6). */
import type { LogicalUnit } from '../logical-unit.ts'
import type { VpdPage } from './page.ts'

/** Block Limits (SBC-4 6.6.4). Offsets are those of the standard: the content begins at 4. */
function blockLimits({ limits }: LogicalUnit): Buffer {
  const page = Buffer.alloc(64)
  page[4] = 0x01 // WSNZ: no WRITE SAME without a length
  page[5] = limits.maximumCompareAndWriteBlocks
  page.writeUInt16BE(Math.min(0xffff, limits.optimalTransferGranularityBlocks), 6)
  page.writeUInt32BE(limits.maximumTransferBlocks, 8)
  page.writeUInt32BE(limits.optimalTransferBlocks, 12)
  page.writeUInt32BE(limits.maximumPrefetchBlocks, 16)
  page.writeUInt32BE(limits.maximumUnmapBlocks, 20)
  page.writeUInt32BE(limits.maximumUnmapDescriptors, 24)
  page.writeUInt32BE(limits.optimalUnmapGranularityBlocks, 28)
  if (limits.optimalUnmapGranularityBlocks > 0) page.writeUInt32BE(0x80000000, 32) // UGAVALID, alignment 0
  page.writeBigUInt64BE(BigInt(limits.maximumWriteSameBlocks), 36)
  page.writeUInt32BE(limits.maximumAtomicBlocks, 44)
  page.writeUInt32BE(limits.atomicAlignmentBlocks, 48)
  page.writeUInt32BE(limits.atomicGranularityBlocks, 52)
  // With a boundary as without: a write is atomic as a whole.
  page.writeUInt32BE(limits.maximumAtomicBlocks, 56)
  page.writeUInt32BE(limits.maximumAtomicBlocks, 60)
  return page.subarray(4)
}

const nonRotating = 0x0001
const readableAfterBlockErase = 0x40 // WABEREQ 01b

/** Block Device Characteristics (SBC-4 6.6.3). */
function blockDeviceCharacteristics({ device }: LogicalUnit): Buffer {
  const page = Buffer.alloc(64)
  page.writeUInt16BE(nonRotating, 4)
  if (device.isThin) page[7] = readableAfterBlockErase
  return page.subarray(4)
}

/**
 * Blocks that a threshold count stands for, as a power of two (SBC-4 6.6.7): counts of whole mebibytes fit 32 bits whatever the size.
 */
export const thresholdExponent = (blockBytes: number): number => Math.log2((1024 * 1024) / blockBytes)

const unmapBits = 0x80 | 0x40 | 0x20 // LBPU, LBPWS, LBPWS10
const readsZeros = 0x04 // LBPRZ 001b
const anchors = 0x02 // ANC_SUP
const thinProvisioned = 0x02

/** Logical Block Provisioning (SBC-4 6.6.7). */
function logicalBlockProvisioning({ blockBytes }: LogicalUnit): Buffer {
  return Buffer.from([thresholdExponent(blockBytes), unmapBits | readsZeros | anchors, thinProvisioned, 0])
}

/** Referrals (SBC-4 6.6.8): segments have no common size, REPORT REFERRALS tells them. */
const referrals = (): Buffer => Buffer.alloc(12)

/** Rows of the table. */
export const blockPages: readonly VpdPage[] = [
  { code: 0xb0, name: 'Block Limits', content: blockLimits },
  { code: 0xb1, name: 'Block Device Characteristics', content: blockDeviceCharacteristics },
  { code: 0xb2, name: 'Logical Block Provisioning', isSupported: unit => unit.device.isThin, content: logicalBlockProvisioning },
  { code: 0xb3, name: 'Referrals', content: referrals },
]
