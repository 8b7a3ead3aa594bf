/** What every logical unit answers: TEST UNIT READY, REQUEST SENSE, REPORT LUNS (SPC-4 6.47, 6.39, 6.33). */
import { SenseKey } from '../additional-sense.ts'
import type { Command } from '../command.ts'
import { lunList } from '../lun.ts'
import type { LogicalUnit } from '../logical-unit.ts'
import { good, goodDataIn } from '../results.ts'
import { CheckCondition, encodeSense, invalidFieldInCdb, senseData } from '../sense.ts'
import type { ScsiTask, TaskResult } from '../task.ts'

const descriptorFormat = 0x01

/** Sense data as data-in: what the next command would be refused with. A unit attention is told by it (SPC-4 6.39, SAM-5 5.14). */
function requestSense(task: ScsiTask, unit: LogicalUnit): TaskResult {
  const { cdb, nexus } = task
  const state = unit.nexuses.stateOf(nexus)
  const attention = state.attentions.take()
  unit.nexuses.refresh(state)
  const isDescriptorFormat = (cdb[1] & descriptorFormat) !== 0
  const condition = attention ?? unit.operation?.condition ?? notReady(unit)
  const sense =
    condition === undefined
      ? senseData({ key: SenseKey['NO SENSE'], code: 0, isDeferred: false }, isDescriptorFormat)
      : encodeSense(condition, isDescriptorFormat)
  return goodDataIn(task, sense, cdb[4])
}

function notReady({ isStopped }: LogicalUnit): CheckCondition | undefined {
  return isStopped ? new CheckCondition('NOT READY', 'LOGICAL UNIT NOT READY, INITIALIZING COMMAND REQUIRED') : undefined
}

/** The list of LUNs. It tells what its unit attention would. */
function reportLuns(task: ScsiTask, unit: LogicalUnit): TaskResult {
  const { cdb, nexus } = task
  const list = lunList(cdb[2], unit.luns())
  if (list === undefined) throw invalidFieldInCdb(2)
  const state = unit.nexuses.stateOf(nexus)
  state.attentions.remove('REPORTED LUNS DATA HAS CHANGED')
  unit.nexuses.refresh(state)
  return goodDataIn(task, list, cdb.readUInt32BE(6))
}

/** Rows of the dispatch table. */
export const unitCommands: readonly Command[] = [
  {
    name: 'TEST UNIT READY',
    opcode: 0x00,
    clause: 'SPC-4 6.47',
    usage: '00 00 00 00 00 00',
    access: 'always',
    conflictsWithReserve: true,
    execute: () => good,
  },
  {
    name: 'REQUEST SENSE',
    opcode: 0x03,
    clause: 'SPC-4 6.39',
    usage: '03 01 00 00 ff 00',
    access: 'always',
    ignoresUnitAttention: true,
    worksWithoutMedium: true,
    worksWhileUnavailable: true,
    execute: requestSense,
  },
  {
    name: 'REPORT LUNS',
    opcode: 0xa0,
    clause: 'SPC-4 6.33',
    usage: 'a0 00 ff 000000 ffffffff 00 00',
    access: 'always',
    ignoresUnitAttention: true,
    worksWithoutMedium: true,
    worksWhileUnavailable: true,
    execute: reportLuns,
  },
]
