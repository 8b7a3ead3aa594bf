/** START STOP UNIT (SBC-4 5.32), of a disk that nobody can take out. */
import type { Command } from '../command.ts'
import type { LogicalUnit } from '../logical-unit.ts'
import { good } from '../results.ts'
import { invalidFieldInCdb } from '../sense.ts'
import type { ScsiTask, TaskResult } from '../task.ts'

const loadEject = 0x02
const start = 0x01
const noFlush = 0x04

/** POWER CONDITION: START_VALID, and those in which a disk answers as if it were active (ACTIVE, IDLE, STANDBY). */
const PowerCondition = { startValid: 0x0, active: 0x1, idle: 0x2, standby: 0x3 } as const

const powerConditionOf = (cdb: Buffer): number => cdb[4] >> 4

async function startStopUnit({ cdb }: ScsiTask, unit: LogicalUnit): Promise<TaskResult> {
  if (powerConditionOf(cdb) > PowerCondition.standby) throw invalidFieldInCdb(4, 7)
  if ((cdb[4] & loadEject) !== 0) throw invalidFieldInCdb(4, 1)
  const isStart = powerConditionOf(cdb) !== PowerCondition.startValid || (cdb[4] & start) !== 0
  if (!isStart && (cdb[4] & noFlush) === 0) await unit.device.flush()
  unit.isStopped = !isStart
  unit.nexuses.refreshAll()
  return good
}

/** Rows of the dispatch table. */
export const powerCommands: readonly Command[] = [
  {
    name: 'START STOP UNIT',
    opcode: 0x1b,
    clause: 'SBC-4 5.32',
    usage: '1b 01 00 0f f7 00',
    access: 'write',
    accessOf: cdb => ((cdb[4] & start) !== 0 && powerConditionOf(cdb) === PowerCondition.startValid ? 'always' : 'write'),
    worksWithoutMedium: true,
    execute: startStopUnit,
  },
]
