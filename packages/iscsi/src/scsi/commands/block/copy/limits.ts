/** What EXTENDED COPY may ask for: RECEIVE COPY OPERATING PARAMETERS (SPC-4 6.22) and the Third-party Copy VPD page (SPC-4 7.8.17) tell the same. */

const cscdDescriptorBytes = 32
const longestSegmentBytes = 32

/** Descriptor type codes (SPC-4 tables 132, 145). */
export const DescriptorType = { blockToBlock: 0x02, blockToBlockWithOffset: 0x0a, identification: 0xe4 } as const

const maxCscdDescriptors = 64
const maxSegmentDescriptors = 64

/** Fields by the names of the parameter data. */
export const copyLimits = {
  maxCscdDescriptors,
  maxSegmentDescriptors,
  maxDescriptorListBytes: maxCscdDescriptors * cscdDescriptorBytes + maxSegmentDescriptors * longestSegmentBytes,
  maxSegmentBytes: 256 * 1024 * 1024,
  /** With and without a list identifier. */
  maxConcurrentCopies: 64,
  /** Log 2 of the bytes that every segment is a multiple of. */
  dataSegmentGranularity: 9,
  /** In ascending order. */
  descriptorTypes: [DescriptorType.blockToBlock, DescriptorType.blockToBlockWithOffset, DescriptorType.identification],
} as const

/** Service actions of THIRD-PARTY COPY OUT (83h, SPC-4 table 107). */
export const CopyOut = { extendedCopyLid1: 0x00, extendedCopyLid4: 0x01, copyOperationAbort: 0x1c } as const
/** Service actions of THIRD-PARTY COPY IN (84h). */
export const CopyIn = { statusLid1: 0x00, operatingParameters: 0x03, failureDetailsLid1: 0x04, statusLid4: 0x05 } as const
