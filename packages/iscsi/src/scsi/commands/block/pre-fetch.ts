/** PRE-FETCH (SBC-4 5.13, 5.14). */
import type { Command } from '../../command.ts'
import { lba10, lba16, length10, length16 } from '../../cdb.ts'
import type { LogicalUnit } from '../../logical-unit.ts'
import { good } from '../../results.ts'
import type { ScsiTask, TaskResult } from '../../task.ts'
import { assertInRange } from './transfer.ts'
import { readMedium } from './verify.ts'

const IMMED = 0x02

/** Nobody may make us read a whole disk for a hint. */
const maxPrefetchBytes = 16 * 1024 * 1024

/**
 * Reads what is asked for, or its beginning, so that the system has it in its cache. The answer is GOOD, which says that the cache may not have
 * room for all of it, and not CONDITION MET: what the system keeps it does not tell.
 */
function prefetch(task: ScsiTask, unit: LogicalUnit, lba: number, blocks: number): TaskResult | Promise<TaskResult> {
  assertInRange(unit, lba, blocks)
  const { blockBytes } = unit
  const wanted = blocks === 0 ? unit.blocks - lba : blocks
  const reading = readMedium(unit, lba * blockBytes, Math.min(wanted * blockBytes, maxPrefetchBytes))
  if ((task.cdb[1] & IMMED) === 0) return reading.then(() => good)
  // Whoever reads these blocks hears of the error.
  reading.catch(() => {})
  return good
}

/** TRANSFER LENGTH 0: to the end of the medium. */
export const prefetchCommands: readonly Command[] = [
  {
    name: 'PRE-FETCH (10)',
    opcode: 0x34,
    clause: 'SBC-4 5.13',
    usage: '34 02 ffffffff 3f ffff 00',
    access: 'read',
    execute: (task, unit) => prefetch(task, unit, lba10(task.cdb), length10(task.cdb)),
  },
  {
    name: 'PRE-FETCH (16)',
    opcode: 0x90,
    clause: 'SBC-4 5.14',
    usage: '90 02 ffffffffffffffff ffffffff 3f 00',
    access: 'read',
    execute: (task, unit) => prefetch(task, unit, lba16(task.cdb), length16(task.cdb)),
  },
]
