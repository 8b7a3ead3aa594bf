/** Copy operations (SPC-4 5.17.4.3), and what is kept of them for RECEIVE COPY commands. */
import type { LogicalUnit } from '../../../logical-unit.ts'
import { taskAborted } from '../../../results.ts'
import { CheckCondition, invalidFieldInParameterList } from '../../../sense.ts'
import { Status } from '../../../status.ts'
import type { Nexus, ScsiTask, TaskResult } from '../../../task.ts'
import { copyLimits } from './limits.ts'
import { ListIdUsage } from './parameter-list.ts'
import type { CopyParameters } from './parameter-list.ts'
import { copyAborted, copyRange, rangeOf } from './segment.ts'

/** One EXTENDED COPY. */
export class CopyOperation {
  readonly parameters: CopyParameters
  /** Including the one at work. */
  segmentsProcessed = 0
  copiedBytes = 0
  state: 'running' | 'done' | 'failed' | 'terminated' = 'running'
  /** What it failed with. */
  failure: CheckCondition | undefined
  /** RECEIVE COPY STATUS (LID1) has told that it has ended, and does not tell it again. */
  isEndTold = false
  #isStopped = false
  #ended: Promise<void> | undefined

  constructor(parameters: CopyParameters) {
    this.parameters = parameters
  }

  /** Copies segment after segment. Never rejects. */
  async run(unit: LogicalUnit, task: ScsiTask): Promise<void> {
    this.#ended ??= this.#copy(unit, task)
    return this.#ended
  }

  /** COPY OPERATION ABORT: resolves when nothing more is written. */
  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#ended
  }

  async #copy(unit: LogicalUnit, task: ScsiTask): Promise<void> {
    const { isImmediate, segments } = this.parameters
    // The task of an immediate one ends before anything is copied.
    const isStopped = (): boolean => this.#isStopped || (!isImmediate && task.isAborted)
    try {
      for (const index of segments.keys()) {
        this.segmentsProcessed = index + 1
        await this.#copySegment(unit, { index, initiatorName: task.nexus.initiatorName }, isStopped)
        if (isStopped()) {
          this.state = 'terminated'
          return
        }
      }
      this.state = 'done'
    } catch (error) {
      this.failure = error instanceof CheckCondition ? error : copyAborted('THIRD PARTY DEVICE FAILURE', this.segmentsProcessed - 1)
      this.state = 'failed'
    }
  }

  async #copySegment(unit: LogicalUnit, of: { index: number; initiatorName: string }, isStopped: () => boolean): Promise<void> {
    const range = await rangeOf({ unit, parameters: this.parameters, initiatorName: of.initiatorName }, of.index)
    await copyRange(range, isStopped, lengthBytes => (this.copiedBytes += lengthBytes))
    if (!unit.isWriteCacheEnabled) await range.destination.flush()
  }
}

/** Ended operations that a nexus may still ask about. */
const maxHeld = 32

/** The copy operations of a unit. */
export class CopyManager {
  readonly #byNexus = new Map<Nexus, Map<number, CopyOperation>>()
  #running = 0

  /** Runs an EXTENDED COPY; with IMMED, answers before it is done. */
  async start(unit: LogicalUnit, task: ScsiTask, parameters: CopyParameters, dataOutBytes: number): Promise<TaskResult> {
    this.#assertNotInUse(task.nexus, parameters)
    if (this.#running >= copyLimits.maxConcurrentCopies) return { status: Status.busy, dataInBytes: 0, dataOutBytes }
    const operation = new CopyOperation(parameters)
    if (parameters.listIdUsage !== ListIdUsage.none) this.#keep(task.nexus, operation)
    this.#running++
    const ended = operation.run(unit, task).finally(() => this.#running--)
    if (!parameters.isImmediate) {
      await ended
      if (operation.failure !== undefined) throw operation.failure
      if (operation.state === 'terminated') return taskAborted
    }
    return { status: Status.good, dataInBytes: 0, dataOutBytes }
  }

  /** The operation that a list identifier means. */
  find(nexus: Nexus, listId: number): CopyOperation | undefined {
    return this.#byNexus.get(nexus)?.get(listId)
  }

  /** Its data has been fetched. */
  forget(nexus: Nexus, { parameters }: CopyOperation): void {
    this.#byNexus.get(nexus)?.delete(parameters.listId)
  }

  /** I_T nexus loss; of all, logical unit reset: nothing goes on, nothing is kept (SPC-4 5.17.4.5). */
  async discard(nexus?: Nexus): Promise<void> {
    const discarded = [...this.#byNexus].filter(([key]) => nexus === undefined || key.key === nexus.key)
    for (const [key] of discarded) this.#byNexus.delete(key)
    await Promise.all(discarded.flatMap(([, operations]) => [...operations.values()]).map(async operation => operation.stop()))
  }

  /** SPC-4 6.4.3.2: a list identifier is in use once, in whichever format. */
  #assertNotInUse(nexus: Nexus, { listId, listIdUsage, serviceAction }: CopyParameters): void {
    if (listIdUsage === ListIdUsage.none) return
    const other = this.find(nexus, listId)
    if (other?.state !== 'running') return
    throw other.parameters.serviceAction === serviceAction
      ? new CheckCondition('ILLEGAL REQUEST', 'OPERATION IN PROGRESS')
      : invalidFieldInParameterList(serviceAction === 0 ? 0 : 20)
  }

  #keep(nexus: Nexus, operation: CopyOperation): void {
    const operations = this.#byNexus.get(nexus) ?? new Map<number, CopyOperation>()
    this.#byNexus.set(nexus, operations)
    // To the end: the map's order is that of their beginnings.
    operations.delete(operation.parameters.listId)
    operations.set(operation.parameters.listId, operation)
    const ended = [...operations].filter(([, { state }]) => state !== 'running')
    for (const [listId] of ended.slice(0, Math.max(0, ended.length - maxHeld))) operations.delete(listId)
  }
}

const managers = new WeakMap<LogicalUnit, CopyManager>()

/** The copy manager of a unit. */
export function copyManagerOf(unit: LogicalUnit): CopyManager {
  let manager = managers.get(unit)
  if (manager === undefined) managers.set(unit, (manager = new CopyManager()))
  return manager
}
