/** RESERVE and RELEASE of the whole unit (SPC-2 7.16, 7.17, 7.21, 7.22). Third parties, and extents, are obsolete. */
import type { Command } from '../command.ts'
import type { LogicalUnit } from '../logical-unit.ts'
import type { ScsiTask, TaskResult } from '../task.ts'

const reserve = ({ nexus }: ScsiTask, unit: LogicalUnit): TaskResult => unit.reservations.reserve(unit.nexuses.stateOf(nexus))
const release = ({ nexus }: ScsiTask, unit: LogicalUnit): TaskResult => unit.reservations.release(unit.nexuses.stateOf(nexus))

/** Rows of the dispatch table. */
export const reserveCommands: readonly Command[] = [
  {
    name: 'RESERVE (6)',
    opcode: 0x16,
    clause: 'SPC-2 7.22',
    usage: '16 00 00 00 00 00',
    access: 'always',
    worksWithoutMedium: true,
    execute: reserve,
  },
  {
    name: 'RELEASE (6)',
    opcode: 0x17,
    clause: 'SPC-2 7.17',
    usage: '17 00 00 00 00 00',
    access: 'always',
    worksWithoutMedium: true,
    execute: release,
  },
  {
    name: 'RESERVE (10)',
    opcode: 0x56,
    clause: 'SPC-2 7.21',
    usage: '56 00 00 00 000000 0000 00',
    access: 'always',
    worksWithoutMedium: true,
    execute: reserve,
  },
  {
    name: 'RELEASE (10)',
    opcode: 0x57,
    clause: 'SPC-2 7.16',
    usage: '57 00 00 00 000000 0000 00',
    access: 'always',
    worksWithoutMedium: true,
    execute: release,
  },
]
