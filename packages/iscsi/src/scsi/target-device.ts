/** A SCSI target device (SAM-5 4.6.4): logical units by their numbers. */
import type { LogicalUnit } from './logical-unit.ts'
import type { Nexus, ScsiTask, TaskResult } from './task.ts'

/** Units by LUN, and the answers for LUNs that there are none of. */
export class TargetDevice {
  /** Puts a unit there; initiators that are logged in are told that REPORTED LUNS DATA HAS CHANGED. */
  addUnit(_lun: number, _unit: LogicalUnit): void {}

  /** Takes it away. */
  removeUnit(_lun: number): void {}

  /** The unit that the eight bytes mean (SAM-5 4.7); undefined where there is none. */
  unitOf(_lun: Buffer): LogicalUnit | undefined {
    return undefined
  }

  /** How much data-out the CDB asks for. */
  dataOutBytes(_lun: Buffer, _cdb: Buffer): number {
    return 0
  }

  /** Runs a command. Never throws, never rejects. */
  execute(_lun: Buffer, _task: ScsiTask): TaskResult | Promise<TaskResult> {
    throw new Error('to follow')
  }

  /** For all units. */
  addNexus(_nexus: Nexus): void {}

  /** For all units. */
  async nexusLoss(_nexus: Nexus): Promise<void> {}

  /** TARGET WARM RESET and TARGET COLD RESET: every unit is reset. */
  async reset(): Promise<void> {}
}
