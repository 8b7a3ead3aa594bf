/** What a disk says of itself: INQUIRY, vital product data, READ CAPACITY (SPC-4 6.6, 7.8; SBC-4 5.20, 6.6). */
import { readUInt64 } from '../../scsi/cdb.ts'
import * as cdbs from './cdbs.ts'
import { ScsiError } from './scsi-error.ts'

/** Who a disk is. */
export interface DiskIdentity {
  readonly vendor: string
  readonly product: string
  readonly revision: string
  /** VPD 80h; empty where it has none. */
  readonly serial: string
  /** The unit's designator of VPD 83h that names it best, in hexadecimal or as text: `naa.6…`, `eui.…`, `t10.…`; empty where it has none. */
  readonly designator: string
}

/** What a command may be given (VPD B0h), in blocks; what the disk does not limit is Infinity, what it does not do is 0. */
export interface DiskLimits {
  readonly transferBlocks: number
  readonly optimalTransferBlocks: number
  readonly unmapBlocks: number
  readonly unmapRanges: number
  readonly writeSameBlocks: number
  readonly compareAndWriteBlocks: number
}

/** Size and form of the medium. */
export interface DiskCapacity {
  readonly blocks: number
  readonly blockBytes: number
  readonly physicalBlockBytes: number
  /** Blocks that were unmapped read as zeros (LBPRZ). */
  readonly readsZeros: boolean
  /** Logical block provisioning: blocks can be unmapped (LBPME). */
  readonly isThin: boolean
}

/** Sends a command that reads. */
export type ReadCommand = (cdb: Buffer, allocationBytes: number) => Promise<Buffer>

const vpdBytes = 1024
const Page = { supported: 0x00, serial: 0x80, identification: 0x83, blockLimits: 0xb0 } as const

const textOf = (bytes: Buffer): string =>
  bytes
    .toString('latin1')
    .replaceAll(/[\0 ]+$/g, '')
    .trimStart()

/** A page of vital product data without its header; undefined where the disk does not have it. */
async function vpd(read: ReadCommand, page: number): Promise<Buffer | undefined> {
  try {
    const bytes = await read(cdbs.inquiry(vpdBytes, page), vpdBytes)
    if (bytes.length < 4 || bytes[1] !== page) return undefined
    return bytes.subarray(4, Math.min(bytes.length, 4 + bytes.readUInt16BE(2)))
  } catch (error) {
    if (error instanceof ScsiError && error.code === 'ILLEGAL_REQUEST') return undefined
    throw error
  }
}

/** Everything that a disk says of itself. */
export async function inspectDisk(read: ReadCommand): Promise<{ identity: DiskIdentity; limits: DiskLimits }> {
  const standard = await read(cdbs.inquiry(96), 96)
  const pages = (await vpd(read, Page.supported)) ?? Buffer.alloc(0)
  const pageOf = async (page: number): Promise<Buffer | undefined> => (pages.includes(page) ? vpd(read, page) : undefined)
  const [serial, identification, blockLimits] = [await pageOf(Page.serial), await pageOf(Page.identification), await pageOf(Page.blockLimits)]
  return {
    identity: {
      vendor: textOf(standard.subarray(8, 16)),
      product: textOf(standard.subarray(16, 32)),
      revision: textOf(standard.subarray(32, 36)),
      serial: textOf(serial ?? Buffer.alloc(0)),
      designator: bestDesignator(identification ?? Buffer.alloc(0)),
    },
    limits: limitsOf(blockLimits ?? Buffer.alloc(0)),
  }
}

/** Designator types by how well they name a unit (SPC-4 7.8.6.1). */
const designatorNames: readonly { readonly type: number; readonly prefix: string; readonly isText: boolean }[] = [
  { type: 3, prefix: 'naa.', isText: false },
  { type: 2, prefix: 'eui.', isText: false },
  { type: 1, prefix: 't10.', isText: true },
  { type: 0, prefix: 'vendor.', isText: true },
]

function bestDesignator(page: Buffer): string {
  const found = new Map<number, Buffer>()
  for (let at = 0; at + 4 <= page.length; at += 4 + page[at + 3]) {
    const association = (page[at + 1] >> 4) & 3
    const type = page[at + 1] & 0x0f
    if (association === 0 && !found.has(type)) found.set(type, page.subarray(at + 4, at + 4 + page[at + 3]))
  }
  const best = designatorNames.find(({ type }) => found.has(type))
  if (best === undefined) return ''
  const bytes = found.get(best.type)!
  return `${best.prefix}${best.isText ? textOf(bytes) : bytes.toString('hex')}`
}

/** VPD B0h, counted without its header. Zero stands for no limit where a limit is meant, for no support where a capability is. */
function limitsOf(page: Buffer): DiskLimits {
  const field = (at: number): number => (page.length >= at + 4 ? page.readUInt32BE(at) : 0)
  const limit = (value: number): number => (value === 0 ? Infinity : value)
  return {
    transferBlocks: limit(field(4)),
    optimalTransferBlocks: limit(field(8)),
    unmapBlocks: field(16) === 0xffff_ffff ? Infinity : field(16),
    unmapRanges: field(20) === 0xffff_ffff ? Infinity : field(20),
    writeSameBlocks: page.length >= 40 ? limit(readUInt64(page, 32)) : Infinity,
    compareAndWriteBlocks: page[1] ?? 0,
  }
}

/** READ CAPACITY (16). */
export async function readCapacity(read: ReadCommand): Promise<DiskCapacity> {
  const bytes = await read(cdbs.readCapacity16(), cdbs.readCapacityBytes)
  if (bytes.length < 16) throw new ScsiError('SCSI', `READ CAPACITY (16): ${bytes.length} bytes`, { status: 0, sense: undefined })
  const blockBytes = bytes.readUInt32BE(8)
  return {
    blocks: readUInt64(bytes, 0) + 1,
    blockBytes,
    physicalBlockBytes: blockBytes * 2 ** (bytes[13] & 0x0f),
    isThin: (bytes[14] & 0x80) !== 0,
    readsZeros: (bytes[14] & 0x40) !== 0,
  }
}
