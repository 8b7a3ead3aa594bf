/** Third-party Copy VPD page (SPC-4 7.8.17). */
import type { VpdPage } from '../../../vpd/page.ts'
import { CopyIn, copyLimits, CopyOut } from './limits.ts'

/** THIRD-PARTY COPY DESCRIPTOR TYPE. */
const ThirdPartyCopyDescriptor = {
  supportedCommands: 0x0001,
  parameterData: 0x0004,
  supportedDescriptors: 0x0008,
  supportedCscdDescriptorIds: 0x000c,
  generalCopyOperations: 0x8001,
} as const

/** Type, length, and content filled to a multiple of four bytes. */
function descriptor(type: number, content: Buffer): Buffer {
  const result = Buffer.alloc(4 + Math.ceil(content.length / 4) * 4)
  result.writeUInt16BE(type, 0)
  result.writeUInt16BE(result.length - 4, 2)
  content.copy(result, 4)
  return result
}

const ascending = (values: Readonly<Record<string, number>>): number[] => Object.values(values).sort((a, b) => a - b)

/** A list of bytes with its length in front. */
const counted = (values: readonly number[]): number[] => [values.length, ...values]

/** 7.8.17.4: opcodes with their service actions. */
const supportedCommands = (): Buffer => Buffer.from(counted([0x83, ...counted(ascending(CopyOut)), 0x84, ...counted(ascending(CopyIn))]))

/** 7.8.17.5 */
function parameterData(): Buffer {
  const content = Buffer.alloc(28)
  content.writeUInt16BE(copyLimits.maxCscdDescriptors, 4)
  content.writeUInt16BE(copyLimits.maxSegmentDescriptors, 6)
  content.writeUInt32BE(copyLimits.maxDescriptorListBytes, 8)
  return content
}

/** 7.8.17.7: those that are no index; FFFFh is the unit of the copy manager. */
const supportedCscdDescriptorIds = (): Buffer => Buffer.from([0, 2, 0xff, 0xff])

/** 7.8.17.10 */
function generalCopyOperations(): Buffer {
  const content = Buffer.alloc(32)
  content.writeUInt32BE(copyLimits.maxConcurrentCopies, 0)
  content.writeUInt32BE(copyLimits.maxConcurrentCopies, 4)
  content.writeUInt32BE(copyLimits.maxSegmentBytes, 8)
  content[12] = copyLimits.dataSegmentGranularity
  return content
}

const content = Buffer.concat([
  descriptor(ThirdPartyCopyDescriptor.supportedCommands, supportedCommands()),
  descriptor(ThirdPartyCopyDescriptor.parameterData, parameterData()),
  descriptor(ThirdPartyCopyDescriptor.supportedDescriptors, Buffer.from(counted(copyLimits.descriptorTypes))),
  descriptor(ThirdPartyCopyDescriptor.supportedCscdDescriptorIds, supportedCscdDescriptorIds()),
  descriptor(ThirdPartyCopyDescriptor.generalCopyOperations, generalCopyOperations()),
])

/** Row of the table of VPD pages. */
export const thirdPartyCopyPage: VpdPage = { code: 0x8f, name: 'Third-party Copy', content: () => content }
