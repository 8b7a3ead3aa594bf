/** Operations on the whole medium that go on by themselves: sanitize operations (SBC-4 4.11) and format operations (SBC-4 4.33). */
import type { LogicalUnit } from '../../logical-unit.ts'
import { CheckCondition } from '../../sense.ts'
import type { AdditionalSenseName } from '../../additional-sense.ts'
import type { ScsiTask } from '../../task.ts'

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
  /** A failed sanitize operation may be left behind by EXIT FAILURE MODE (AUSE, SBC-4 5.30.1). */
  readonly allowsExit: boolean
  hasFailed = false
  /** How much is done, of 1. */
  #done = 0
  readonly #advanced: (() => void)[] = []

  constructor(kind: DeviceOperationKind, allowsExit = false) {
    this.kind = kind
    this.allowsExit = allowsExit
  }

  /** Calls a listener whenever there is progress. */
  whenAdvanced(listener: () => void): void {
    this.#advanced.push(listener)
  }

  /** Tells how much is done, of 1. */
  advance(done: number): void {
    this.#done = done
    for (const listener of this.#advanced) listener()
  }

  /** What every command ends with that is not `isAllowedDuringOperation`; also what REQUEST SENSE tells, with the progress (SPC-4 5.10). */
  get condition(): CheckCondition {
    const { inProgress, failed } = conditions[this.kind]
    if (this.hasFailed) return new CheckCondition('MEDIUM ERROR', failed)
    return new CheckCondition('NOT READY', inProgress, { progress: Math.min(0xffff, Math.floor(this.#done * 0x10000)) })
  }
}

/** A command as the dispatcher found it. */
interface CommandCode {
  readonly opcode: number
  readonly serviceAction?: number
}

/**
 * What tells of the unit, and nothing of its medium (SBC-4 4.11.2): INQUIRY, REQUEST SENSE, LOG SENSE, MODE SENSE (6) and (10), READ CAPACITY
 * (10) and (16), REPORT LUNS, and the reports of MAINTENANCE IN.
 */
const allowedCommands: readonly CommandCode[] = [
  { opcode: 0x12 },
  { opcode: 0x03 },
  { opcode: 0x4d },
  { opcode: 0x1a },
  { opcode: 0x5a },
  { opcode: 0x25 },
  { opcode: 0x9e, serviceAction: 0x10 },
  { opcode: 0xa0 },
  { opcode: 0xa3 },
]
const SANITIZE: CommandCode = { opcode: 0x48 }

const isOf = (command: CommandCode, row: CommandCode): boolean =>
  command.opcode === row.opcode && (row.serviceAction === undefined || row.serviceAction === command.serviceAction)

/** Whether the command runs although there is an operation. SANITIZE does after one has failed: nothing else helps (SBC-4 4.11.4). */
export const isAllowedDuringOperation = (command: CommandCode, operation: DeviceOperation): boolean =>
  allowedCommands.some(row => isOf(command, row)) || (operation.hasFailed && isOf(command, SANITIZE))

/**
 * Runs an operation: on behalf of nobody, so that neither the end of the task, nor of the session, nor a reset ends it. Resolves when it has
 * ended; rejects with what it failed with.
 */
async function run(unit: LogicalUnit, operation: DeviceOperation, work: (operation: DeviceOperation) => Promise<void>): Promise<void> {
  unit.operation = operation
  try {
    await work(operation)
    unit.operation = undefined
  } catch (error) {
    operation.hasFailed = true
    throw error
  }
}

/** What starts an operation. */
export interface OperationStart {
  readonly task: ScsiTask
  readonly unit: LogicalUnit
  readonly operation: DeviceOperation
  /** IMMED: the command ends now. */
  readonly isImmediate: boolean
  /** Tells `operation` how far it is. */
  work(operation: DeviceOperation): Promise<void>
}

/** Starts an operation. With IMMED, or when the task is aborted, who asked for it does not wait for its end. */
export async function startOperation({ task, unit, operation, isImmediate, work }: OperationStart): Promise<void> {
  const ended = run(unit, operation, work)
  if (isImmediate) {
    // What went wrong is told by `condition` from now on.
    ended.catch(() => {})
    return
  }
  const isLeft = new Promise<void>(resolve => operation.whenAdvanced(() => (task.isAborted ? resolve() : undefined)))
  await Promise.race([ended, isLeft])
}
