/** GET LBA STATUS (SBC-4 5.6, 5.7). */
import type { ProvisioningRun } from '@holdfast/storage/block'
import type { Command } from '../../command.ts'
import { lba16, lba32, length16, length32 } from '../../cdb.ts'
import type { LogicalUnit } from '../../logical-unit.ts'
import { goodDataIn } from '../../results.ts'
import { CheckCondition } from '../../sense.ts'
import type { ScsiTask, TaskResult } from '../../task.ts'

const headerBytes = 8
const descriptorBytes = 16
/** More than anybody needs at once: 64 KiB of them. */
const maxDescriptors = 4096

/** PROVISIONING STATUS (SBC-4 table 53). Anchored blocks count as mapped, which says 'or unknown'. */
const ProvisioningStatus = { mapped: 0, deallocated: 1 } as const
/** COMPLETION CONDITION (SBC-4 table 51). */
const CompletionCondition = { allocationLength: 1, scanLength: 2, capacity: 3 } as const

/** Runs in blocks: one that begins or ends within a block shares it, and a block of which anything is stored is mapped. */
export function inBlocks(runs: readonly ProvisioningRun[], blockBytes: number): { lba: number; blocks: number; isMapped: boolean }[] {
  const result: { lba: number; blocks: number; isMapped: boolean }[] = []
  for (const run of runs) {
    const round = run.isMapped ? Math.ceil : Math.floor
    const begin = result.length === 0 ? Math.floor(run.offset / blockBytes) : result[result.length - 1].lba + result[result.length - 1].blocks
    const end = round((run.offset + run.lengthBytes) / blockBytes)
    if (end > begin) result.push({ lba: begin, blocks: end - begin, isMapped: run.isMapped })
  }
  return result
}

function encode(runs: ReturnType<typeof inBlocks>, completionCondition: number): Buffer {
  const list = Buffer.alloc(headerBytes + runs.length * descriptorBytes)
  list.writeUInt32BE(list.length - 4, 0)
  list[7] = completionCondition << 1
  for (const [index, { lba, blocks, isMapped }] of runs.entries()) {
    const at = headerBytes + index * descriptorBytes
    list.writeBigUInt64BE(BigInt(lba), at)
    list.writeUInt32BE(Math.min(blocks, 0xffffffff), at + 8)
    list[at + 12] = isMapped ? ProvisioningStatus.mapped : ProvisioningStatus.deallocated
  }
  return list
}

/** Descriptors have 32 bits for their length: what is longer ends the list early. */
function untilTooLong(runs: ReturnType<typeof inBlocks>): ReturnType<typeof inBlocks> {
  const index = runs.findIndex(run => run.blocks > 0xffffffff)
  return index === -1 ? runs : runs.slice(0, index + 1)
}

/** Answers at least one descriptor: where the allocation length has no place for it, its beginning. */
async function getLbaStatus(task: ScsiTask, unit: LogicalUnit, lba: number, allocationLength: number, scanLength: number): Promise<TaskResult> {
  if (lba >= unit.blocks) throw new CheckCondition('ILLEGAL REQUEST', 'LOGICAL BLOCK ADDRESS OUT OF RANGE', { information: lba })
  const { device, blockBytes } = unit
  const wanted = Math.min(maxDescriptors, Math.max(1, Math.floor((allocationLength - headerBytes) / descriptorBytes)))
  const scanned = Math.min(scanLength === 0 ? Infinity : scanLength, unit.blocks - lba)
  const runs = untilTooLong(inBlocks(await device.provisioning(lba * blockBytes, scanned * blockBytes, wanted), blockBytes))
  const last = runs.at(-1)
  const end = last === undefined ? lba : last.lba + Math.min(last.blocks, 0xffffffff)
  const { allocationLength: full, scanLength: enough, capacity } = CompletionCondition
  return goodDataIn(task, encode(runs, end >= unit.blocks ? capacity : end >= lba + scanned ? enough : full), allocationLength)
}

/** REPORT TYPE is zero: all blocks. There are no physical elements. */
export const getLbaStatusCommands: readonly Command[] = [
  {
    name: 'GET LBA STATUS (16)',
    opcode: 0x9e,
    serviceAction: 0x12,
    clause: 'SBC-4 5.6',
    usage: '9e 12 ffffffffffffffff ffffffff 00 00',
    access: 'read',
    execute: (task, unit) => getLbaStatus(task, unit, lba16(task.cdb), length16(task.cdb), 0),
  },
  {
    name: 'GET LBA STATUS (32)',
    opcode: 0x7f,
    serviceAction: 0x0012,
    clause: 'SBC-4 5.7',
    usage: '7f 00 00000000 00 18 0012 00 00 ffffffffffffffff ffffffff 00000000 ffffffff',
    access: 'read',
    execute: (task, unit) => getLbaStatus(task, unit, lba32(task.cdb), length32(task.cdb), task.cdb.readUInt32BE(20)),
  },
]
