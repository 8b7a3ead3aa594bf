/** The reservations of a unit: persistent ones (SPC-4 5.13), and RESERVE with RELEASE (SPC-2 5.5, with the exceptions of SPC-4 5.13.3). */
import type { LogicalUnit } from '../logical-unit.ts'
import { Gate } from '../nexuses.ts'
import type { NexusState } from '../nexuses.ts'
import { good, goodDataOut, reservationConflict } from '../results.ts'
import type { ScsiTask, TaskResult } from '../task.ts'
import { conflict, OutAction, outActions } from './actions.ts'
import type { OutRequest } from './actions.ts'
import { recordOf, stateOf } from './record.ts'
import type { ReservationStore } from './record.ts'
import { isHolder, reservationTypes, restrictionOf } from './state.ts'
import type { Change, ReservationState } from './state.ts'

const gates = { none: 0, writes: Gate.writeConflict, all: Gate.readConflict | Gate.writeConflict } as const

/** Who has what, with what it does to others. */
export class Reservations {
  readonly #unit: LogicalUnit
  readonly #store: ReservationStore
  #state: ReservationState
  /** Who has reserved with RESERVE. */
  #reservedBy: NexusState | undefined
  /** A change that is on its way to stable storage: the next one waits. */
  #saving: Promise<unknown> | undefined

  constructor(unit: LogicalUnit, store: ReservationStore) {
    this.#unit = unit
    this.#store = store
    this.#state = stateOf(store.load())
  }

  /** Persistent reservations. */
  get state(): ReservationState {
    return this.#state
  }

  /** Whether somebody has reserved with RESERVE: persistent reservations are closed for everybody then (SPC-2 5.5.1). */
  get isReserved(): boolean {
    return this.#reservedBy !== undefined
  }

  /** What stands against a nexus. */
  gateOf(nexus: NexusState): number {
    const isReservedByOther = this.#reservedBy !== undefined && this.#reservedBy !== nexus
    return gates[restrictionOf(this.#state, nexus.registrant)] | (isReservedByOther ? Gate.reserved : 0)
  }

  /** RESERVE (6) and (10). */
  reserve(nexus: NexusState): TaskResult {
    if (this.#state.registrations.size > 0) return this.#beside(nexus)
    if (this.#reservedBy !== undefined && this.#reservedBy !== nexus) return reservationConflict
    this.#reservedBy = nexus
    this.#unit.nexuses.refreshAll()
    return good
  }

  /** RELEASE (6) and (10): who has nothing releases nothing. */
  release(nexus: NexusState): TaskResult {
    if (this.#state.registrations.size > 0) return this.#beside(nexus)
    this.releaseReserve(nexus)
    return good
  }

  /** CRH (SPC-4 5.13.3): beside persistent reservations, who is let through by one is told that all is well; it changes nothing. */
  #beside({ registrant }: NexusState): TaskResult {
    const { reservation, registrations } = this.#state
    if (reservation === undefined) return reservationConflict
    const isWelcome = isHolder(this.#state, registrant) || (reservationTypes[reservation.type].letsRegistrants && registrations.has(registrant))
    return isWelcome ? good : reservationConflict
  }

  /** Releases what RESERVE has reserved: for one nexus, or for whoever it is (reset). */
  releaseReserve(nexus?: NexusState): void {
    if (this.#reservedBy === undefined || (nexus !== undefined && this.#reservedBy !== nexus)) return
    this.#reservedBy = undefined
    this.#unit.nexuses.refreshAll()
  }

  /** A service action of PERSISTENT RESERVE OUT. At once where nothing has to be saved. Throws CheckCondition. */
  out(task: ScsiTask, action: number, request: OutRequest, lengthBytes: number): TaskResult | Promise<TaskResult> {
    if (this.#saving !== undefined) return this.#saving.then(() => (task.isAborted ? good : this.out(task, action, request, lengthBytes)))
    const change = outActions[action](this.#state, request)
    if (change === conflict) return reservationConflict
    const aborts = action === OutAction.preemptAndAbort
    const outlivesUnit = this.#store.outlivesUnit === true
    if (!change.state.isPersistent && !this.#state.isPersistent && !outlivesUnit) {
      const aborted = this.#apply(task, change, aborts)
      return aborted === undefined ? goodDataOut(lengthBytes) : aborted.then(() => goodDataOut(lengthBytes))
    }
    const saved = this.#store.save(change.state.isPersistent || outlivesUnit ? recordOf(change.state) : undefined)
    const done = saved.then(() => this.#apply(task, change, aborts)).then(() => goodDataOut(lengthBytes))
    const saving: Promise<void> = saved.then(
      () => this.#saved(saving),
      () => this.#saved(saving), // `done` tells of it
    )
    this.#saving = saving
    return done
  }

  #saved(saving: Promise<void>): void {
    if (this.#saving === saving) this.#saving = undefined
  }

  #apply(task: ScsiTask, { state, attentions, aborted }: Change, aborts: boolean): Promise<void> | undefined {
    const { nexuses } = this.#unit
    this.#state = state
    for (const { registrant, name } of attentions) for (const nexus of nexuses.withRegistrant(registrant)) nexuses.tell(nexus, name)
    nexuses.refreshAll()
    if (!aborts || aborted.length === 0) return undefined
    const keys = new Set(aborted.flatMap(registrant => nexuses.withRegistrant(registrant)).map(({ nexus }) => nexus.key))
    return this.#unit.abortTasks(nexus => keys.has(nexus.key), task.nexus, task)
  }
}
