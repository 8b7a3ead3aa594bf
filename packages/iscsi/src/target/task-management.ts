/** Task management (RFC 7143 4.2.5.4, 11.5, 11.6; SAM-5 7). */
import type { Message } from '@holdfast/engine'
import {
  TaskManagementFunction,
  taskManagementFunctionMask,
  TaskManagementRequest,
  TaskManagementResponse,
  TaskManagementResponseCode,
  serialBefore,
} from '../pdu/index.ts'
import type { LogicalUnit, Nexus, TargetDevice } from '../scsi/index.ts'
import type { PduWriter } from './pdu-writer.ts'
import type { Session } from './session.ts'

/** What task management needs of its connection. */
export interface TaskManagerHost {
  readonly writer: PduWriter
  readonly session: Session
  readonly device: TargetDevice
  readonly nexus: Nexus
  /** All sessions with the target: a reset is for everybody. */
  sessions(): Iterable<Session>
  flushSoon(): void
  /** Gives a task to the connection that the manager is of, or what is left of it; what follows is called after the answer. */
  reassign(tag: number, firstData: number): { readonly code: Code; readonly resume?: () => void }
  beginAsync(): void
  endAsync(): void
}

/** How a function ended. */
export type Code = keyof typeof TaskManagementResponseCode
type Perform = (manager: TaskManager, request: TaskManagementRequest, unit: LogicalUnit | undefined) => Promise<Code>

/** A function that is for a unit. */
const forUnit =
  (perform: (manager: TaskManager, unit: LogicalUnit, lun: bigint) => Promise<void>): Perform =>
  async (manager, { lun }, unit) => {
    if (unit === undefined) return 'lunDoesNotExist'
    await perform(manager, unit, lun)
    return 'complete'
  }

/** Everything that a target offers but TASK REASSIGN; ACA is not supported. */
const functions: Readonly<Partial<Record<number, Perform>>> = {
  [TaskManagementFunction.abortTask]: (manager, request) => manager.abortTask(request),
  [TaskManagementFunction.abortTaskSet]: forUnit((manager, unit, lun) => manager.abortTaskSet(unit, lun)),
  [TaskManagementFunction.clearTaskSet]: forUnit((manager, unit, lun) => manager.clearTaskSet(unit, lun)),
  [TaskManagementFunction.logicalUnitReset]: forUnit((manager, unit, lun) => manager.logicalUnitReset(unit, lun)),
  [TaskManagementFunction.targetWarmReset]: manager => manager.targetReset(),
  [TaskManagementFunction.targetColdReset]: manager => manager.targetReset(),
}

/** The task management functions that come over one connection. */
export class TaskManager {
  readonly #host: TaskManagerHost

  constructor(host: TaskManagerHost) {
    this.#host = host
  }

  /** Answers when the function has been carried out. */
  receive(message: Message): void {
    const request = TaskManagementRequest.decode(message.bytes)
    const unit = this.#host.device.unitOf(message.bytes.subarray(8, 16))
    const answer = (code: Code): void => this.#answer(request, code, message)
    const name = request.flags & taskManagementFunctionMask
    if (name === TaskManagementFunction.taskReassign) return this.#reassign(request, answer)
    const perform = functions[name]
    if (perform === undefined) return answer('functionNotSupported')
    this.#host.beginAsync()
    void perform(this, request, unit).then(code => {
      this.#host.endAsync()
      answer(code)
      this.#host.flushSoon()
    })
  }

  #reassign(request: TaskManagementRequest, answer: (code: Code) => void): void {
    if (this.#host.session.parameters.errorRecoveryLevel < 2) return answer('reassignmentNotSupported')
    const { code, resume } = this.#host.reassign(request.referencedTaskTag, request.expDataSn)
    answer(code)
    resume?.()
  }

  async abortTask(request: TaskManagementRequest): Promise<Code> {
    const { session } = this.#host
    const task = session.tasks.get(request.referencedTaskTag)
    if (task !== undefined) {
      await task.connection.abort(task)
      return 'complete'
    }
    // One that has not come yet counts as received, and will be ignored (11.6.1).
    const isOnItsWay = serialBefore(request.refCmdSn, request.cmdSn) && session.window.giveUp(request.refCmdSn)
    return isOnItsWay ? 'complete' : 'taskDoesNotExist'
  }

  async abortTaskSet(unit: LogicalUnit, lun: bigint): Promise<void> {
    await this.#abortAll([this.#host.session], lun)
    await unit.abortTaskSet(this.#host.nexus)
  }

  async clearTaskSet(unit: LogicalUnit, lun: bigint): Promise<void> {
    const cleared = unit.clearTaskSet(this.#host.nexus)
    await this.#abortAll(this.#host.sessions(), lun)
    await cleared
  }

  async logicalUnitReset(unit: LogicalUnit, lun: bigint): Promise<void> {
    const reset = unit.logicalUnitReset(this.#host.nexus)
    await this.#abortAll(this.#host.sessions(), lun)
    await reset
  }

  async targetReset(): Promise<Code> {
    const reset = this.#host.device.reset(this.#host.nexus)
    await this.#abortAll(this.#host.sessions())
    await reset
    return 'complete'
  }

  /** Tasks of these sessions that were there when the function came. */
  async #abortAll(sessions: Iterable<Session>, lun?: bigint): Promise<void> {
    const tasks = [...sessions].flatMap(session => [...session.tasks.values()])
    const concerned = tasks.filter(task => lun === undefined || task.lun.readBigUInt64BE() === lun)
    await Promise.all(concerned.map(task => task.connection.abort(task)))
  }

  #answer(request: TaskManagementRequest, code: Code, message: Message): void {
    const { writer } = this.#host
    const { initiatorTaskTag } = request
    writer.put(TaskManagementResponse, { response: TaskManagementResponseCode[code], initiatorTaskTag, ...writer.serials() })
    writer.finish(message)
  }
}
