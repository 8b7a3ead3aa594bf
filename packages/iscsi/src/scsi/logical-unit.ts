/** A disk as its initiators see it. */
import type { BlockDevice } from '@holdfast/storage/block'
import type { DeviceOperation } from './commands/block/device-operation.ts'
import type { UnitIdentity } from './identity.ts'
import { limitsOf } from './limits.ts'
import type { BlockLimits } from './limits.ts'
import { staticPortGroup } from './ports.ts'
import type { TargetPortGroups } from './ports.ts'
import { memoryReservationStore } from './reservations/record.ts'
import type { ReservationStore } from './reservations/record.ts'
import { CheckCondition } from './sense.ts'
import type { Nexus, ScsiTask, TaskResult } from './task.ts'

/** What a unit is made of. */
export interface LogicalUnitOptions {
  readonly device: BlockDevice
  readonly identity: UnitIdentity
  /** 512, the default, or 4096. */
  readonly blockBytes?: number
  /** Default: in memory. */
  readonly reservations?: ReservationStore
  /** Default: one group of one port, active and optimized. */
  readonly ports?: TargetPortGroups
  /** The device that a third-party copy means by a designator. */
  copyTargets?(designator: Buffer): BlockDevice | undefined
  /** Tasks that may wait or run at once; more get TASK SET FULL. Default 1,024. */
  readonly maxTasks?: number
  /** Told of what should not have happened: the command ended with INTERNAL TARGET FAILURE. */
  onFault?(error: unknown): void
  /** Milliseconds since 1970. */
  now?(): number
}

/** A logical unit (SAM-5 4.8): device server and task manager in one. */
export class LogicalUnit {
  readonly device: BlockDevice
  readonly identity: UnitIdentity
  readonly blockBytes: number
  readonly limits: BlockLimits
  readonly ports: TargetPortGroups
  readonly copyTargets: (designator: Buffer) => BlockDevice | undefined
  readonly now: () => number
  /** Number of logical blocks. Grows with the device. */
  blocks: number
  /** By the device, or by SWP of the control mode page. */
  isReadOnly: boolean
  /** WCE of the caching mode page: without it, writes are durable before they are answered. */
  isWriteCacheEnabled: boolean
  /** D_SENSE of the control mode page. */
  isDescriptorSense: boolean
  /** SANITIZE or FORMAT UNIT at work, or failed: while it is there, commands end with its `condition` (`isAllowedDuringOperation`). */
  operation: DeviceOperation | undefined

  constructor(options: LogicalUnitOptions) {
    const { device, blockBytes = 512 } = options
    this.device = device
    this.identity = options.identity
    this.blockBytes = blockBytes
    this.limits = limitsOf(device, blockBytes)
    this.ports = options.ports ?? staticPortGroup()
    this.copyTargets = options.copyTargets ?? (() => undefined)
    this.now = options.now ?? Date.now
    this.blocks = Math.floor(device.sizeBytes / blockBytes)
    this.isReadOnly = device.isReadOnly
    this.isWriteCacheEnabled = true
    this.isDescriptorSense = false
    void (options.reservations ?? memoryReservationStore())
  }

  /** Throws DATA PROTECT where writes are refused. */
  assertWritable(): void {
    if (this.isReadOnly)
      throw new CheckCondition('DATA PROTECT', this.device.isReadOnly ? 'WRITE PROTECTED' : 'LOGICAL UNIT SOFTWARE WRITE PROTECTED')
  }

  /** How much data-out the CDB asks for: what the transport has to fetch before `execute`. */
  dataOutBytes(_cdb: Buffer): number {
    throw new Error('to follow')
  }

  /** Runs a command. At once where nothing has to be waited for. Never throws, never rejects. */
  execute(_task: ScsiTask): TaskResult | Promise<TaskResult> {
    throw new Error('to follow')
  }

  /** An initiator has come (SAM-5 6.3: its unit attentions begin). Again after each login. */
  addNexus(_nexus: Nexus): void {}

  /** Its session is gone: its tasks are aborted, reservations of RESERVE are released, persistent ones stay (SAM-5 6.3.4). */
  async nexusLoss(_nexus: Nexus): Promise<void> {}

  /** ABORT TASK: resolves when nothing more happens for it. */
  async abortTask(_task: ScsiTask): Promise<void> {}

  /** ABORT TASK SET: all tasks of the nexus. */
  async abortTaskSet(_nexus: Nexus): Promise<void> {}

  /** CLEAR TASK SET: the tasks of all; others are told. */
  async clearTaskSet(_nexus: Nexus): Promise<void> {}

  /** LOGICAL UNIT RESET, also on behalf of TARGET WARM RESET and TARGET COLD RESET. */
  async logicalUnitReset(): Promise<void> {}

  /** Tasks that wait or run. */
  get pendingTasks(): number {
    return 0
  }

  /** Forgets everybody; the device stays open. */
  close(): void {}
}
