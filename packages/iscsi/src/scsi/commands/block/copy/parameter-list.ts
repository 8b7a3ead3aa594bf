/** EXTENDED COPY parameter lists (SPC-4 6.4.2, 6.5.2): read, and checked for what can be said before anything is copied. */
import { readUInt64 } from '../../../cdb.ts'
import { CheckCondition, invalidFieldInParameterList } from '../../../sense.ts'
import type { AdditionalSenseName } from '../../../additional-sense.ts'
import { CopyOut, copyLimits, DescriptorType } from './limits.ts'

/** LIST ID USAGE (SPC-4 tables 128, 129). */
export const ListIdUsage = { hold: 0, reserved: 1, discard: 2, none: 3 } as const

/** A copy source or copy destination: identification CSCD descriptor (SPC-4 6.4.5.5). */
export interface CscdDescriptor {
  readonly designator: Buffer
  /** DISK BLOCK LENGTH. */
  readonly blockBytes: number
}

/** Block device to block device segment descriptor, with offset or without (SPC-4 6.4.6.4, 6.4.6). */
export interface SegmentDescriptor {
  /** `DescriptorType` */
  readonly type: number
  /** CSCD DESCRIPTOR IDs. */
  readonly source: number
  readonly destination: number
  /** NUMBER OF BYTES with offset; else BLOCK DEVICE NUMBER OF BLOCKS. */
  readonly count: number
  /** DC: the blocks are those of the destination. */
  readonly countsDestination: boolean
  readonly sourceLba: number
  readonly destinationLba: number
  /** Bytes from the beginning of the block. */
  readonly sourceOffset: number
  readonly destinationOffset: number
}

/** A parameter list of either format. */
export interface CopyParameters {
  /** `CopyOut`: LID1 or LID4. */
  readonly serviceAction: number
  readonly listId: number
  /** `ListIdUsage` */
  readonly listIdUsage: number
  /** LID4 only: status is returned before anything is copied. */
  readonly isImmediate: boolean
  readonly cscds: readonly CscdDescriptor[]
  readonly segments: readonly SegmentDescriptor[]
}

interface Header {
  readonly lengthBytes: number
  readonly listId: number
  readonly listIdAt: number
  readonly isImmediate: boolean
  readonly cscdBytes: number
  readonly segmentBytes: number
  readonly inlineBytes: number
}

const illegal = (name: AdditionalSenseName): CheckCondition => new CheckCondition('ILLEGAL REQUEST', name)
const lengthError = (): CheckCondition => illegal('PARAMETER LIST LENGTH ERROR')

const cscdDescriptorBytes = 32
/** Of LID4: byte 15. G_SENSE is not here. */
const IMMED = 0x01
const G_SENSE = 0x02

function headerLid1(list: Buffer): Header {
  if (list.length < 16) throw lengthError()
  return {
    lengthBytes: 16,
    listId: list[0],
    listIdAt: 0,
    isImmediate: false,
    cscdBytes: list.readUInt16BE(2),
    segmentBytes: list.readUInt32BE(8),
    inlineBytes: list.readUInt32BE(12),
  }
}

function headerLid4(list: Buffer): Header {
  if (list.length < 48) throw lengthError()
  if (list[0] !== 0x01) throw invalidFieldInParameterList(0)
  if (list.readUInt16BE(2) !== cscdDescriptorBytes) throw invalidFieldInParameterList(2)
  if (list[16] !== 0xff) throw invalidFieldInParameterList(16)
  if ((list[15] & G_SENSE) !== 0) {
    // SPC-4 6.4.2 has a field of the CDB for the two together.
    throw (list[15] & IMMED) === 0 ? invalidFieldInParameterList(15, 1) : illegal('INVALID FIELD IN CDB')
  }
  return {
    lengthBytes: 48,
    listId: list.readUInt32BE(20),
    listIdAt: 20,
    isImmediate: (list[15] & IMMED) !== 0,
    cscdBytes: list.readUInt16BE(42),
    segmentBytes: list.readUInt16BE(44),
    inlineBytes: list.readUInt16BE(46),
  }
}

function assertListId({ listId, listIdAt, isImmediate }: Header, usage: number): void {
  if (usage === ListIdUsage.reserved) throw invalidFieldInParameterList(1, 4)
  if (usage !== ListIdUsage.none) return
  if (listId !== 0) throw invalidFieldInParameterList(listIdAt)
  if (isImmediate) throw illegal('INVALID FIELD IN CDB')
}

/** The lengths that the header tells (SPC-4 6.4.3.4 to 6.4.3.6). */
function assertLengths({ lengthBytes, cscdBytes, segmentBytes, inlineBytes }: Header, list: Buffer): void {
  if (lengthBytes + cscdBytes + segmentBytes + inlineBytes > list.length) throw lengthError()
  if (cscdBytes + segmentBytes > copyLimits.maxDescriptorListBytes) throw lengthError()
  if (inlineBytes > 0) throw illegal('INLINE DATA LENGTH EXCEEDED')
}

/** SPC-4 6.4.5. LU ID TYPE, RELATIVE INITIATOR PORT IDENTIFIER and the peripheral device type are not looked at. */
function decodeCscd(list: Buffer, at: number): CscdDescriptor {
  if (list[at] !== DescriptorType.identification) throw illegal('UNSUPPORTED TARGET DESCRIPTOR TYPE CODE')
  const designatorBytes = list[at + 7]
  if (designatorBytes > 20) throw invalidFieldInParameterList(at + 7)
  return { designator: list.subarray(at + 8, at + 8 + designatorBytes), blockBytes: list.readUIntBE(at + 29, 3) }
}

function decodeCscds(list: Buffer, begin: number, lengthBytes: number): CscdDescriptor[] {
  const result: CscdDescriptor[] = []
  for (let at = begin; at < begin + lengthBytes; at += cscdDescriptorBytes) {
    if (at + cscdDescriptorBytes > begin + lengthBytes) throw lengthError()
    if (result.length === copyLimits.maxCscdDescriptors) throw illegal('TOO MANY TARGET DESCRIPTORS')
    result.push(decodeCscd(list, at))
  }
  return result
}

/** DESCRIPTOR LENGTH of each type: what follows its four bytes of header. */
const segmentBytes = new Map<number, number>([
  [DescriptorType.blockToBlock, 0x18],
  [DescriptorType.blockToBlockWithOffset, 0x1c],
])

const DC = 0x02

function decodeSegment(list: Buffer, at: number): SegmentDescriptor {
  const type = list[at]
  const hasOffset = type === DescriptorType.blockToBlockWithOffset
  return {
    type,
    source: list.readUInt16BE(at + 4),
    destination: list.readUInt16BE(at + 6),
    count: hasOffset ? list.readUInt32BE(at + 8) : list.readUInt16BE(at + 10),
    countsDestination: !hasOffset && (list[at + 1] & DC) !== 0,
    sourceLba: readUInt64(list, at + 12),
    destinationLba: readUInt64(list, at + 20),
    sourceOffset: hasOffset ? list.readUInt16BE(at + 28) : 0,
    destinationOffset: hasOffset ? list.readUInt16BE(at + 30) : 0,
  }
}

function decodeSegments(list: Buffer, begin: number, lengthBytes: number): SegmentDescriptor[] {
  const result: SegmentDescriptor[] = []
  const end = begin + lengthBytes
  for (let at = begin; at < end;) {
    const expected = segmentBytes.get(list[at])
    if (expected === undefined) throw illegal('UNSUPPORTED SEGMENT DESCRIPTOR TYPE CODE')
    if (at + 4 + expected > end) throw lengthError()
    if (list.readUInt16BE(at + 2) !== expected) throw invalidFieldInParameterList(at + 2)
    if (result.length === copyLimits.maxSegmentDescriptors) throw illegal('TOO MANY SEGMENT DESCRIPTORS')
    result.push(decodeSegment(list, at))
    at += 4 + expected
  }
  return result
}

/** Reads the parameter list of EXTENDED COPY with that service action. Throws what it is refused with. */
export function decodeCopyParameters(list: Buffer, serviceAction: number): CopyParameters {
  const header = serviceAction === CopyOut.extendedCopyLid1 ? headerLid1(list) : headerLid4(list)
  const listIdUsage = (list[1] >> 3) & 3
  assertListId(header, listIdUsage)
  assertLengths(header, list)
  return {
    serviceAction,
    listId: header.listId,
    listIdUsage,
    isImmediate: header.isImmediate,
    cscds: decodeCscds(list, header.lengthBytes, header.cscdBytes),
    segments: decodeSegments(list, header.lengthBytes + header.cscdBytes, header.segmentBytes),
  }
}
