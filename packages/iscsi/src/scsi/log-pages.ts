/** Log pages (SPC-4 7.3, SBC-4 6.4). */
import type { LogicalUnit } from './logical-unit.ts'
import { thresholdExponent } from './vpd/block-pages.ts'

/** A parameter of a log page. */
export interface LogParameter {
  readonly code: number
  /** What follows its header of four bytes. */
  readonly value: Buffer
}

/** A log page as a row of a table. */
export interface LogPage {
  readonly code: number
  readonly subpage: number
  readonly name: string
  isSupported?(unit: LogicalUnit): boolean
  /** Its parameters by ascending code. Left out where it is a list of pages. */
  parameters?(unit: LogicalUnit): Promise<readonly LogParameter[]>
}

/** Resource counts, in threshold sets; of the whole unit (SBC-4 6.4.5). */
async function provisioningParameters({ device, blockBytes }: LogicalUnit): Promise<readonly LogParameter[]> {
  const setBytes = blockBytes * 2 ** thresholdExponent(blockBytes)
  const { usedBytes, availableBytes } = await device.usage()
  return [
    { code: 0x0001, value: resourceCount(Math.floor(availableBytes / setBytes)) },
    { code: 0x0002, value: resourceCount(Math.ceil(usedBytes / setBytes)) },
  ]
}

const dedicated = 0x01

function resourceCount(sets: number): Buffer {
  const result = Buffer.alloc(8)
  result.writeUInt32BE(Math.max(0, Math.min(sets, 0xffffffff)))
  result[4] = dedicated
  return result
}

/** In the order of Supported Log Pages. */
export const logPages: readonly LogPage[] = [
  { code: 0x00, subpage: 0x00, name: 'Supported Log Pages' },
  { code: 0x00, subpage: 0xff, name: 'Supported Log Pages and Subpages' },
  {
    code: 0x0c,
    subpage: 0x00,
    name: 'Logical Block Provisioning',
    isSupported: unit => unit.device.isThin,
    parameters: provisioningParameters,
  },
  // Nothing exceptional; a temperature that nobody knows.
  { code: 0x2f, subpage: 0x00, name: 'Informational Exceptions', parameters: async () => [{ code: 0x0000, value: Buffer.from([0, 0, 0xff, 0xff]) }] },
]
