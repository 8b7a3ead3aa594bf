/** Operations on the whole medium that go on by themselves: sanitize operations (SBC-4 4.11) and formatting (SBC-4 5.4). */
import type { LogicalUnit } from '../../logical-unit.ts'
import { CheckCondition } from '../../sense.ts'
import type { AdditionalSenseName } from '../../additional-sense.ts'

/** What a unit says while it runs, and after it has failed. */
const conditions = {
  sanitize: { inProgress: 'LOGICAL UNIT NOT READY, SANITIZE IN PROGRESS', failed: 'SANITIZE COMMAND FAILED' },
  format: { inProgress: 'LOGICAL UNIT NOT READY, FORMAT IN PROGRESS', failed: 'FORMAT COMMAND FAILED' },
} as const satisfies Record<string, { readonly inProgress: AdditionalSenseName; readonly failed: AdditionalSenseName }>

/** Which operation it is. */
export type DeviceOperationKind = keyof typeof conditions

/** One of them, at `LogicalUnit.operation` from its beginning until it has ended well. */
export class DeviceOperation {
  readonly kind: DeviceOperationKind
  /** A failed sanitize operation may be left behind by EXIT FAILURE MODE (AUSE, SBC-4 5.36.1). */
  readonly allowsExit: boolean
  /** How much is done, of 1. */
  done = 0
  hasFailed = false

  constructor(kind: DeviceOperationKind, allowsExit = false) {
    this.kind = kind
    this.allowsExit = allowsExit
  }

  /** What every command ends with that is not `isAllowedDuringOperation`; also what REQUEST SENSE tells, with the progress (SPC-4 5.10). */
  get condition(): CheckCondition {
    const { inProgress, failed } = conditions[this.kind]
    if (this.hasFailed) return new CheckCondition('MEDIUM ERROR', failed)
    return new CheckCondition('NOT READY', inProgress, { progress: Math.min(0xffff, Math.floor(this.done * 0x10000)) })
  }
}

/** INQUIRY, REQUEST SENSE, LOG SENSE, REPORT LUNS, and what MAINTENANCE IN reports (SBC-4 4.11.2). */
const allowedOpcodes: readonly number[] = [0x12, 0x03, 0x4d, 0xa0, 0xa3]
const sanitizeOpcode = 0x48

/** Whether the command runs although there is an operation: what tells of the unit does; SANITIZE itself does after one has failed. */
export const isAllowedDuringOperation = (opcode: number, operation: DeviceOperation): boolean =>
  allowedOpcodes.includes(opcode) || (operation.hasFailed && operation.kind === 'sanitize' && opcode === sanitizeOpcode)

/**
 * Runs an operation: on behalf of nobody, so that neither the end of the task, nor of the session, nor a reset ends it. Resolves when it has
 * ended; rejects with what it failed with.
 */
export async function runOperation(unit: LogicalUnit, operation: DeviceOperation, work: (operation: DeviceOperation) => Promise<void>): Promise<void> {
  unit.operation = operation
  try {
    await work(operation)
    unit.operation = undefined
  } catch (error) {
    operation.hasFailed = true
    throw error
  }
}
