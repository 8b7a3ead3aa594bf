/** Who a unit says it is: INQUIRY data, and designators (SPC-4 7.8.6). */
import { protocolOf } from './reservations/transport-id.ts'
import type { Nexus } from './task.ts'

/** Constant for the life of a volume. ASCII throughout. */
export interface UnitIdentity {
  /** T10 VENDOR IDENTIFICATION, at most 8 characters. */
  readonly vendor: string
  /** At most 16 characters. */
  readonly product: string
  /** At most 4 characters. */
  readonly revision: string
  /** Unit serial number (VPD 80h). */
  readonly serial: string
  /** NAA designator: 8 bytes (NAA 2h, 3h, 5h) or 16 (6h). */
  readonly naa: Buffer
  /** Where it is configured (VPD 85h). */
  readonly managementUrl?: string
}

const CodeSet = { binary: 1, ascii: 2, utf8: 3 } as const
const Association = { logicalUnit: 0, targetPort: 1, targetDevice: 2 } as const
const DesignatorType = { t10VendorId: 1, naa: 3, relativeTargetPort: 4, targetPortGroup: 5, scsiName: 8 } as const

interface Designator {
  readonly codeSet: number
  readonly association: number
  readonly type: number
  readonly bytes: Buffer
}

/** Those of ports and targets say by which protocol they are known (PIV). */
function encodeDesignator({ codeSet, association, type, bytes }: Designator, nexus: Nexus): Buffer {
  const isOfPort = association !== Association.logicalUnit
  const header = [(isOfPort ? protocolOf(nexus) << 4 : 0) | codeSet, (isOfPort ? 0x80 : 0) | (association << 4) | type, 0, bytes.length]
  return Buffer.concat([Buffer.from(header), bytes])
}

/** ASCII, filled with blanks. */
export const padded = (text: string, length: number): Buffer => Buffer.from(text.slice(0, length).padEnd(length), 'latin1')

/** SCSI name strings are in UTF-8, ended by a zero, filled with zeros to a multiple of four (SPC-4 7.8.6.11). */
function scsiName(text: string): Buffer {
  const result = Buffer.alloc((Buffer.byteLength(text) + 4) & ~3)
  result.write(text)
  return result
}

const u16Designator = (value: number): Buffer => Buffer.from([0, 0, value >> 8, value & 0xff])

/** The name of a target port, as a designator. */
export const portDesignator = (name: string, nexus: Nexus): Buffer =>
  encodeDesignator({ codeSet: CodeSet.utf8, association: Association.targetPort, type: DesignatorType.scsiName, bytes: scsiName(name) }, nexus)

/** All designators: of the unit, of the port that was asked, and of the target. */
export function designatorsOf(identity: UnitIdentity, nexus: Nexus, targetPortGroup: number | undefined): Buffer {
  const { vendor, product, serial, naa } = identity
  const { logicalUnit, targetPort, targetDevice } = Association
  const targetName = nexus.targetPort.split(',')[0]
  const list: Designator[] = [
    { codeSet: CodeSet.binary, association: logicalUnit, type: DesignatorType.naa, bytes: naa },
    {
      codeSet: CodeSet.ascii,
      association: logicalUnit,
      type: DesignatorType.t10VendorId,
      bytes: Buffer.concat([padded(vendor, 8), padded(product, 16), Buffer.from(serial, 'latin1')]),
    },
    { codeSet: CodeSet.binary, association: targetPort, type: DesignatorType.relativeTargetPort, bytes: u16Designator(nexus.relativeTargetPort) },
  ]
  if (targetPortGroup !== undefined)
    list.push({ codeSet: CodeSet.binary, association: targetPort, type: DesignatorType.targetPortGroup, bytes: u16Designator(targetPortGroup) })
  list.push(
    { codeSet: CodeSet.utf8, association: targetPort, type: DesignatorType.scsiName, bytes: scsiName(nexus.targetPort) },
    { codeSet: CodeSet.utf8, association: targetDevice, type: DesignatorType.scsiName, bytes: scsiName(targetName) },
  )
  return Buffer.concat(list.map(designator => encodeDesignator(designator, nexus)))
}
