/** A SCSI disk (SPC-4, SBC-4) over any block device; knows no transport. */
export * from './status.ts'
export type { Nexus, ScsiTask, TaskResult } from './task.ts'
