/** The CDBs that a disk's client sends (SPC-4 6, SBC-4 5). */

/** What they are called, for messages, and whether doing them twice does no harm. */
export interface CdbKind {
  readonly name: string
  readonly isRepeatable: boolean
}

/** By opcode; what is not here is not repeated. READ CAPACITY (16) is the only service action of its opcode that is used. */
const kinds: Readonly<Record<number, CdbKind>> = {
  0x00: { name: 'TEST UNIT READY', isRepeatable: true },
  0x03: { name: 'REQUEST SENSE', isRepeatable: false },
  0x08: { name: 'READ (6)', isRepeatable: true },
  0x0a: { name: 'WRITE (6)', isRepeatable: true },
  0x12: { name: 'INQUIRY', isRepeatable: true },
  0x1a: { name: 'MODE SENSE (6)', isRepeatable: true },
  0x25: { name: 'READ CAPACITY (10)', isRepeatable: true },
  0x28: { name: 'READ (10)', isRepeatable: true },
  0x2a: { name: 'WRITE (10)', isRepeatable: true },
  0x2f: { name: 'VERIFY (10)', isRepeatable: true },
  0x35: { name: 'SYNCHRONIZE CACHE (10)', isRepeatable: true },
  0x41: { name: 'WRITE SAME (10)', isRepeatable: true },
  0x42: { name: 'UNMAP', isRepeatable: true },
  0x5a: { name: 'MODE SENSE (10)', isRepeatable: true },
  0x5e: { name: 'PERSISTENT RESERVE IN', isRepeatable: true },
  0x5f: { name: 'PERSISTENT RESERVE OUT', isRepeatable: false },
  0x88: { name: 'READ (16)', isRepeatable: true },
  0x89: { name: 'COMPARE AND WRITE', isRepeatable: false },
  0x8a: { name: 'WRITE (16)', isRepeatable: true },
  0x8f: { name: 'VERIFY (16)', isRepeatable: true },
  0x91: { name: 'SYNCHRONIZE CACHE (16)', isRepeatable: true },
  0x93: { name: 'WRITE SAME (16)', isRepeatable: true },
  0x9e: { name: 'SERVICE ACTION IN (16)', isRepeatable: true },
  0xa0: { name: 'REPORT LUNS', isRepeatable: true },
  0xa3: { name: 'MAINTENANCE IN', isRepeatable: true },
  0xa8: { name: 'READ (12)', isRepeatable: true },
  0xaa: { name: 'WRITE (12)', isRepeatable: true },
}

/** What is known of a command. */
export const cdbKind = (cdb: Uint8Array): CdbKind =>
  kinds[cdb[0]] ?? { name: `command ${cdb[0].toString(16).padStart(2, '0')}h`, isRepeatable: false }

const fua = 0x08
const unmapBit = 0x08
const noDataOut = 0x01

/** A range of blocks. */
export interface Blocks {
  readonly lba: number
  readonly count: number
}

/** The sixteen-byte format that most commands of a disk share: LOGICAL BLOCK ADDRESS in bytes 2 to 9, the length in 10 to 13. */
function blockCdb(opcode: number, { lba, count }: Blocks, flags = 0): Buffer {
  const cdb = Buffer.alloc(16)
  cdb[0] = opcode
  cdb[1] = flags
  cdb.writeUInt32BE(Math.floor(lba / 0x1_0000_0000), 2)
  cdb.writeUInt32BE(lba >>> 0, 6)
  cdb.writeUInt32BE(count, 10)
  return cdb
}

export const testUnitReady = (): Buffer => Buffer.alloc(6)
export const read16 = (blocks: Blocks): Buffer => blockCdb(0x88, blocks)
export const write16 = (blocks: Blocks, options: { readonly fua?: boolean } = {}): Buffer => blockCdb(0x8a, blocks, options.fua === true ? fua : 0)
/** All blocks, and everything that was written before. */
export const synchronizeCache16 = (): Buffer => blockCdb(0x91, { lba: 0, count: 0 })
export const readCapacity16 = (): Buffer => Buffer.from(blockCdb(0x9e, { lba: 0, count: readCapacityBytes }, 0x10))
/** Bytes of the answer to READ CAPACITY (16). */
export const readCapacityBytes = 32

/** One block many times over; none at all with `zeros`, where the unit can do that (NDOB). */
export const writeSame16 = (blocks: Blocks, options: { readonly unmap?: boolean; readonly zeros?: boolean } = {}): Buffer =>
  blockCdb(0x93, blocks, (options.unmap === true ? unmapBit : 0) | (options.zeros === true ? noDataOut : 0))

/** NUMBER OF LOGICAL BLOCKS is a byte of its own here, byte 13. */
export const compareAndWrite = (blocks: Blocks, options: { readonly fua?: boolean } = {}): Buffer =>
  blockCdb(0x89, blocks, options.fua === true ? fua : 0)

/** INQUIRY; with `page` of vital product data. */
export function inquiry(allocationBytes: number, page?: number): Buffer {
  const cdb = Buffer.from([0x12, page === undefined ? 0 : 1, page ?? 0, 0, 0, 0])
  cdb.writeUInt16BE(allocationBytes, 3)
  return cdb
}

/** REPORT LUNS, all but well-known ones. */
export function reportLuns(allocationBytes: number): Buffer {
  const cdb = Buffer.alloc(12)
  cdb[0] = 0xa0
  cdb.writeUInt32BE(allocationBytes, 6)
  return cdb
}

/** UNMAP for a parameter list of so many bytes. */
export function unmap(parameterBytes: number): Buffer {
  const cdb = Buffer.alloc(10)
  cdb[0] = 0x42
  cdb.writeUInt16BE(parameterBytes, 7)
  return cdb
}

const unmapHeaderBytes = 8
const unmapDescriptorBytes = 16

/** UNMAP parameter list (SBC-4 5.32.2). */
export function unmapParameters(ranges: readonly Blocks[]): Buffer {
  const list = Buffer.alloc(unmapHeaderBytes + ranges.length * unmapDescriptorBytes)
  list.writeUInt16BE(list.length - 2, 0)
  list.writeUInt16BE(list.length - unmapHeaderBytes, 2)
  for (const [i, { lba, count }] of ranges.entries()) {
    const at = unmapHeaderBytes + i * unmapDescriptorBytes
    list.writeBigUInt64BE(BigInt(lba), at)
    list.writeUInt32BE(count, at + 8)
  }
  return list
}
