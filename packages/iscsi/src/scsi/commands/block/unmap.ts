/** UNMAP (SBC-4 5.35). */
import type { Command } from '../../command.ts'
import { length10, readUInt64 } from '../../cdb.ts'
import type { LogicalUnit } from '../../logical-unit.ts'
import { good, goodDataOut, parameterListOf } from '../../results.ts'
import { CheckCondition, invalidFieldInParameterList } from '../../sense.ts'
import type { ScsiTask, TaskResult } from '../../task.ts'
import { assertInRange, listLengthAt } from './transfer.ts'

const ANCHOR = 0x01
const headerBytes = 8
const descriptorBytes = 16

/** UNMAP block descriptor (SBC-4 5.35.2). */
export interface UnmapDescriptor {
  readonly lba: number
  readonly blocks: number
}

/**
 * The descriptors of a parameter list. UNMAP DATA LENGTH and UNMAP BLOCK DESCRIPTOR DATA LENGTH may say more than there is: then what there is
 * counts, whole descriptors of it.
 */
export function unmapDescriptors(list: Buffer): UnmapDescriptor[] {
  if (list.length < headerBytes) throw new CheckCondition('ILLEGAL REQUEST', 'PARAMETER LIST LENGTH ERROR')
  const end = Math.min(headerBytes + list.readUInt16BE(2), 2 + list.readUInt16BE(0), list.length)
  const result: UnmapDescriptor[] = []
  for (let at = headerBytes; at + descriptorBytes <= end; at += descriptorBytes)
    result.push({ lba: readUInt64(list, at), blocks: list.readUInt32BE(at + 8) })
  return result
}

/** Throws where a list asks for more than the Block Limits VPD page allows, or for blocks that do not exist. Nothing has been unmapped then. */
function assertDescriptors(unit: LogicalUnit, descriptors: readonly UnmapDescriptor[]): void {
  if (descriptors.length > unit.limits.maximumUnmapDescriptors) throw invalidFieldInParameterList(2)
  let sum = 0
  for (const [index, { lba, blocks }] of descriptors.entries()) {
    sum += blocks
    if (sum > unit.limits.maximumUnmapBlocks) throw invalidFieldInParameterList(headerBytes + index * descriptorBytes + 8)
    if (blocks > 0) assertInRange(unit, lba, blocks)
  }
}

async function unmap(task: ScsiTask, unit: LogicalUnit): Promise<TaskResult> {
  const { device, blockBytes } = unit
  unit.assertWritable()
  const lengthBytes = length10(task.cdb)
  if (lengthBytes === 0) return good
  const descriptors = unmapDescriptors(parameterListOf(task, lengthBytes))
  assertDescriptors(unit, descriptors)
  const isAnchored = (task.cdb[1] & ANCHOR) !== 0
  for (const { lba, blocks } of descriptors) {
    if (task.isAborted) break
    if (blocks === 0) continue
    if (isAnchored) await device.zero(lba * blockBytes, blocks * blockBytes)
    else await device.unmap(lba * blockBytes, blocks * blockBytes)
  }
  if (!unit.isWriteCacheEnabled) await device.flush()
  return goodDataOut(lengthBytes)
}

/** An anchored block reads as zeros and has its space: what the device calls `zero` (ANC_SUP of the Logical Block Provisioning VPD page). */
export const unmapCommands: readonly Command[] = [
  {
    name: 'UNMAP',
    opcode: 0x42,
    clause: 'SBC-4 5.35',
    usage: '42 01 00000000 3f ffff 00',
    access: 'write',
    isSupported: ({ device }) => device.isThin,
    dataOutBytes: listLengthAt(7),
    execute: unmap,
  },
]
