/** SYNCHRONIZE CACHE (SBC-4 5.33, 5.34). */
import type { Command } from '../../command.ts'
import { lba10, lba16, length10, length16 } from '../../cdb.ts'
import type { LogicalUnit } from '../../logical-unit.ts'
import { good } from '../../results.ts'
import type { ScsiTask, TaskResult } from '../../task.ts'
import { assertInRange } from './transfer.ts'

const IMMED = 0x02

/** What a flush after an IMMED command failed with. A device tells each failure once: the next to synchronize has to hear of it. */
const failures = new WeakMap<LogicalUnit, unknown>()

/** All of the cache goes to the medium, whatever blocks are asked for. */
async function flush(unit: LogicalUnit): Promise<TaskResult> {
  await unit.device.flush()
  const failure = failures.get(unit)
  if (failure !== undefined) {
    failures.delete(unit)
    throw failure
  }
  return good
}

/** NUMBER OF LOGICAL BLOCKS 0: to the end of the medium. */
function synchronizeCache(task: ScsiTask, unit: LogicalUnit, lba: number, blocks: number): TaskResult | Promise<TaskResult> {
  assertInRange(unit, lba, blocks)
  if ((task.cdb[1] & IMMED) === 0) return flush(unit)
  unit.device.flush().catch((error: unknown) => failures.set(unit, error))
  return good
}

/** SYNC_NV changes nothing: there is no non-volatile cache. */
export const synchronizeCacheCommands: readonly Command[] = [
  {
    name: 'SYNCHRONIZE CACHE (10)',
    opcode: 0x35,
    clause: 'SBC-4 5.33',
    usage: '35 06 ffffffff 3f ffff 00',
    access: 'write',
    execute: (task, unit) => synchronizeCache(task, unit, lba10(task.cdb), length10(task.cdb)),
  },
  {
    name: 'SYNCHRONIZE CACHE (16)',
    opcode: 0x91,
    clause: 'SBC-4 5.34',
    usage: '91 06 ffffffffffffffff ffffffff 3f 00',
    access: 'write',
    execute: (task, unit) => synchronizeCache(task, unit, lba16(task.cdb), length16(task.cdb)),
  },
]
