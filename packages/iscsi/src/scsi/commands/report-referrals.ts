/** REPORT REFERRALS (SBC-4 5.27, 4.27): which target port groups lead best to which blocks. */
import { lba16 } from '../cdb.ts'
import type { Command } from '../command.ts'
import type { LogicalUnit } from '../logical-unit.ts'
import type { TargetPortGroup } from '../ports.ts'
import { goodDataIn } from '../results.ts'
import type { ScsiTask, TaskResult } from '../task.ts'
import { assertInRange } from './block/transfer.ts'

/** Blocks that the same groups lead to: a user data segment. */
interface Segment {
  readonly first: number
  readonly last: number
  readonly groups: readonly TargetPortGroup[]
}

/** At most as many descriptors as the 16 bits of the list's length can count. */
const listBytesMax = 0xffff - 4

/** All blocks are in the hands of one owner, and all ports lead to it. */
const segmentsOf = ({ blocks, ports }: LogicalUnit): readonly Segment[] => [{ first: 0, last: blocks - 1, groups: ports.groups }]

function encodeSegment({ first, last, groups }: Segment): Buffer {
  const descriptor = Buffer.alloc(20 + 4 * groups.length)
  descriptor[3] = groups.length
  descriptor.writeBigUInt64BE(BigInt(first), 4)
  descriptor.writeBigUInt64BE(BigInt(last), 12)
  for (const [index, { id, state }] of groups.entries()) {
    descriptor[20 + 4 * index] = state
    descriptor.writeUInt16BE(id, 22 + 4 * index)
  }
  return descriptor
}

function reportReferrals(task: ScsiTask, unit: LogicalUnit): TaskResult {
  const { cdb } = task
  const lba = lba16(cdb)
  assertInRange(unit, lba, 1)
  const isOne = (cdb[14] & 0x01) !== 0
  const segments = segmentsOf(unit).filter(({ last }) => last >= lba)
  const descriptors = (isOne ? segments.slice(0, 1) : segments).map(encodeSegment)
  let bytes = 0
  const body = Buffer.concat(descriptors.filter(({ length }) => (bytes += length) <= listBytesMax))
  const header = Buffer.alloc(4)
  header.writeUInt16BE(body.length, 2)
  return goodDataIn(task, Buffer.concat([header, body]), cdb.readUInt32BE(10))
}

/** Rows of the dispatch table. */
export const referralCommands: readonly Command[] = [
  {
    name: 'REPORT REFERRALS',
    opcode: 0x9e,
    serviceAction: 0x13,
    clause: 'SBC-4 5.27',
    usage: '9e 13 ffffffffffffffff ffffffff 01 00',
    access: 'always',
    conflictsWithReserve: true,
    execute: reportReferrals,
  },
]
