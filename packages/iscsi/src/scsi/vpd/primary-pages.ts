/** Vital product data that every device has (SPC-4 7.8). */
import { designatorsOf, portDesignator } from '../identity.ts'
import type { LogicalUnit } from '../logical-unit.ts'
import type { Nexus } from '../task.ts'
import type { VpdPage } from './page.ts'

/** Device Identification (SPC-4 7.8.6). */
function deviceIdentification(unit: LogicalUnit, nexus: Nexus): Buffer {
  const group = unit.ports.groups.find(({ ports }) => ports.includes(nexus.relativeTargetPort))
  return designatorsOf(unit.identity, nexus, group?.id)
}

/** Management Network Addresses (SPC-4 7.8.9): one descriptor, for configuration. */
function managementNetworkAddresses({ identity: { managementUrl = '' } }: LogicalUnit): Buffer {
  const address = Buffer.alloc((Buffer.byteLength(managementUrl) + 4) & ~3)
  address.write(managementUrl)
  return Buffer.concat([Buffer.from([0x01, 0, address.length >> 8, address.length & 0xff]), address])
}

const maximumSenseBytes = 252

/** Extended INQUIRY Data (SPC-4 7.8.7). Offsets are those of the standard: the content begins at 4. */
function extendedInquiry(): Buffer {
  const page = Buffer.alloc(64)
  page[5] = 0x07 // HEADSUP, ORDSUP, SIMPSUP
  page[6] = 0x01 // V_SUP: a volatile cache
  page[7] = 0x01 // LUICLR: the loss of a nexus clears what belongs to that nexus
  page[8] = 0x10 // R_SUP
  page[13] = maximumSenseBytes
  return page.subarray(4)
}

/** Mode Page Policy (SPC-4 7.8.10): all pages, with all subpages, are shared by all initiators. */
const modePagePolicy = Buffer.from([0x3f, 0xff, 0x00, 0x00])

/** SCSI Ports (SPC-4 7.8.13): those whose names are known, and ours. */
function scsiPorts({ ports }: LogicalUnit, nexus: Nexus): Buffer {
  const all = ports.groups.flatMap(group => group.ports).sort((a, b) => a - b)
  return Buffer.concat(
    all.map(port => {
      const name = port === nexus.relativeTargetPort ? nexus.targetPort : ports.nameOf?.(port)
      const designator = name === undefined ? Buffer.alloc(0) : portDesignator(name, nexus)
      return Buffer.concat([
        Buffer.from([0, 0, port >> 8, port & 0xff, 0, 0, 0, 0, 0, 0, designator.length >> 8, designator.length & 0xff]),
        designator,
      ])
    }),
  )
}

/** Rows of the table. */
export const primaryPages: readonly VpdPage[] = [
  { code: 0x80, name: 'Unit Serial Number', content: unit => Buffer.from(unit.identity.serial, 'latin1') },
  { code: 0x83, name: 'Device Identification', content: deviceIdentification },
  {
    code: 0x85,
    name: 'Management Network Addresses',
    isSupported: unit => unit.identity.managementUrl !== undefined,
    content: managementNetworkAddresses,
  },
  { code: 0x86, name: 'Extended INQUIRY Data', content: extendedInquiry },
  { code: 0x87, name: 'Mode Page Policy', content: () => modePagePolicy },
  { code: 0x88, name: 'SCSI Ports', content: scsiPorts },
]
