/** A command as a row of the dispatch table. */
import type { LogicalUnit } from './logical-unit.ts'
import type { ScsiTask, TaskResult } from './task.ts'

/**
 * How it relates to a persistent reservation of somebody else (SPC-4 table 'commands that are allowed'; SBC-4 table 'allowed'): `always` is let
 * through, `read` conflicts with exclusive access only, `write` also with write exclusive.
 */
export type Access = 'always' | 'read' | 'write'

/** One command. Rows are found by opcode, and by service action where there is one. */
export interface Command {
  /** As the standard writes it: `READ (16)`. */
  readonly name: string
  readonly opcode: number
  readonly serviceAction?: number
  /** `SBC-4 5.17` */
  readonly clause: string
  /**
   * CDB usage data (SPC-4 6.35.3), in hex: a bit is set where the unit looks at it. Bits that are not set are reserved: a CDB that has them set
   * ends with INVALID FIELD IN CDB.
   */
  readonly usage: string
  readonly access: Access
  /** Where it depends on the CDB, in place of `access`. */
  accessOf?(cdb: Buffer): Access
  /** Left out: by every unit. What is not supported is answered as an unknown opcode or service action, and is not reported. */
  isSupported?(unit: LogicalUnit): boolean
  /** Runs also where the unit is stopped (START STOP UNIT) or the port in standby: what needs no medium (SPC-4 5.15.2.4.4). */
  readonly worksWithoutMedium?: boolean
  /** Runs also where the port is unavailable, or between two states (SPC-4 5.15.2.4.5). */
  readonly worksWhileUnavailable?: boolean
  /** Of `always`: conflicts with another initiator's RESERVE nevertheless (SPC-2 table 9). */
  readonly conflictsWithReserve?: boolean
  /** Runs also while a unit attention is pending (INQUIRY, REPORT LUNS, REQUEST SENSE; SAM-5 5.14). */
  readonly ignoresUnitAttention?: boolean
  /** Bytes of data-out that the CDB asks for; none where left out. Must not throw on a bad CDB: `execute` says what is wrong with it. */
  dataOutBytes?(cdb: Buffer, unit: LogicalUnit): number
  /** Throws or rejects with `CheckCondition`; a `BlockDeviceError` becomes its sense data in the dispatcher (`sense.ts`). */
  execute(task: ScsiTask, unit: LogicalUnit): TaskResult | Promise<TaskResult>
}
