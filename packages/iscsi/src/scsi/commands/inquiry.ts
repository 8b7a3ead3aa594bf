/** INQUIRY (SPC-4 6.4): standard data and vital product data. */
import type { Command } from '../command.ts'
import { padded } from '../identity.ts'
import type { LogicalUnit } from '../logical-unit.ts'
import { protocolOf } from '../reservations/transport-id.ts'
import { goodDataIn } from '../results.ts'
import { invalidFieldInCdb } from '../sense.ts'
import type { Nexus, ScsiTask, TaskResult } from '../task.ts'
import { vpdPages } from '../vpd/pages.ts'

const evpd = 0x01
const standardBytes = 96

/** Version descriptors (SPC-4 table 'Version descriptor values'), none of a certain revision. */
const VersionDescriptor = { 'SAM-5': 0x00a0, 'SPC-4': 0x0460, 'SBC-3': 0x04c0, iSCSI: 0x0960 } as const

/** Of the transport, by its protocol identifier. */
const transportDescriptors: Readonly<Record<number, number>> = { 0x5: VersionDescriptor.iSCSI }

const versionDescriptorsAt = 58

/** Standard INQUIRY data (SPC-4 6.4.2). */
export function standardInquiry(unit: LogicalUnit, nexus: Nexus): Buffer {
  const { vendor, product, revision } = unit.identity
  const result = Buffer.alloc(standardBytes)
  result[2] = 0x06 // VERSION: SPC-4
  result[3] = 0x12 // HISUP, response data format 2
  result[4] = standardBytes - 5
  result[5] = targetPortGroupSupport(unit) | (unit.commands.hasServiceActions(0x83) || unit.commands.get(0x83) !== undefined ? 0x08 : 0) // 3PC
  result[6] = unit.ports.groups.flatMap(({ ports }) => ports).length > 1 ? 0x10 : 0 // MULTIP
  result[7] = 0x02 // CMDQUE
  padded(vendor, 8).copy(result, 8)
  padded(product, 16).copy(result, 16)
  padded(revision, 4).copy(result, 32)
  const transport = transportDescriptors[protocolOf(nexus)]
  const descriptors = [
    VersionDescriptor['SAM-5'],
    VersionDescriptor['SPC-4'],
    VersionDescriptor['SBC-3'],
    ...(transport === undefined ? [] : [transport]),
  ]
  for (const [index, descriptor] of descriptors.entries()) result.writeUInt16BE(descriptor, versionDescriptorsAt + 2 * index)
  return result
}

/** TPGS: implicit access only, or explicit as well. */
function targetPortGroupSupport({ ports }: LogicalUnit): number {
  return ports.setState === undefined ? 0x10 : 0x30
}

function inquiry(task: ScsiTask, unit: LogicalUnit): TaskResult {
  const { cdb, nexus } = task
  const allocationLength = cdb.readUInt16BE(3)
  if ((cdb[1] & evpd) !== 0) return goodDataIn(task, vitalProductData(unit, nexus, cdb[2]), allocationLength)
  if (cdb[2] !== 0) throw invalidFieldInCdb(2)
  return goodDataIn(task, standardInquiry(unit, nexus), allocationLength)
}

function vitalProductData(unit: LogicalUnit, nexus: Nexus, code: number): Buffer {
  const page = vpdPages.find(known => known.code === code && (known.isSupported?.(unit) ?? true))
  if (page === undefined) throw invalidFieldInCdb(2)
  const content = page.content(unit, nexus)
  return Buffer.concat([Buffer.from([0, code, content.length >> 8, content.length & 0xff]), content])
}

/** Rows of the dispatch table. */
export const inquiryCommands: readonly Command[] = [
  {
    name: 'INQUIRY',
    opcode: 0x12,
    clause: 'SPC-4 6.4',
    usage: '12 01 ff ffff 00',
    access: 'always',
    ignoresUnitAttention: true,
    worksWithoutMedium: true,
    worksWhileUnavailable: true,
    execute: inquiry,
  },
]
