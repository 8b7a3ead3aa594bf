/** What a unit keeps for each initiator that is there, or was there a while ago. */
import type { AdditionalSenseName } from './additional-sense.ts'
import { registrantOf } from './reservations/transport-id.ts'
import type { Nexus } from './task.ts'
import { UnitAttentions } from './unit-attention.ts'

/** Why a command of a nexus may not simply run; 0: it may. */
export const Gate = {
  unitAttention: 0x01,
  /** Somebody else's persistent reservation stands against reads, or writes. */
  readConflict: 0x02,
  writeConflict: 0x04,
  /** Somebody else's RESERVE (SPC-2). */
  reserved: 0x08,
  /** The port is in another state than active. */
  notAccessible: 0x10,
  /** START STOP UNIT. */
  stopped: 0x20,
} as const

/** A nexus, seen from a unit. */
export interface NexusState {
  /** Of the newest session. */
  nexus: Nexus
  /** By what persistent reservations know it. */
  readonly registrant: string
  readonly attentions: UnitAttentions
  /** Bits of `Gate`. */
  gate: number
  isPresent: boolean
}

/** Initiators that went away and are remembered: enough for a cluster whose nodes come and go. */
const maxAbsent = 1024

/** All nexuses by key. */
export class Nexuses {
  readonly #states = new Map<string, NexusState>()
  readonly #gateOf: (state: NexusState) => number
  #lastNexus: Nexus | undefined
  #lastState: NexusState | undefined

  /** `gateOf` says which bits besides that of the unit attentions are set. */
  constructor(gateOf: (state: NexusState) => number) {
    this.#gateOf = gateOf
  }

  /** The state of a nexus; one that nobody has added is added. Called for each command: commands come in runs from one nexus. */
  stateOf(nexus: Nexus): NexusState {
    if (nexus === this.#lastNexus && this.#lastState !== undefined) return this.#lastState
    const state = this.#states.get(nexus.key) ?? this.add(nexus)
    this.#lastNexus = nexus
    this.#lastState = state
    return state
  }

  /**
   * It is there (again). The first unit attention of all tells it that it knows nothing (SAM-5 6.3.1), or that it was away (6.3.4); away it was
   * too when a session takes the place of another one that has not ended yet.
   */
  add(nexus: Nexus): NexusState {
    const known = this.#states.get(nexus.key)
    const state: NexusState = known ?? {
      nexus,
      registrant: registrantOf(nexus),
      attentions: new UnitAttentions(),
      gate: 0,
      isPresent: true,
    }
    if (known === undefined) state.attentions.add('POWER ON, RESET, OR BUS DEVICE RESET OCCURRED')
    else if (!known.isPresent || known.nexus !== nexus) state.attentions.add('I_T NEXUS LOSS OCCURRED')
    state.nexus = nexus
    state.isPresent = true
    this.#states.set(nexus.key, state)
    this.refresh(state)
    return state
  }

  /** The state of a nexus that another session is, or was, of. */
  predecessorOf(nexus: Nexus): NexusState | undefined {
    const state = this.#states.get(nexus.key)
    return state?.nexus === nexus ? undefined : state
  }

  /** Its session is gone. Undefined for one that was not there, or that another session has taken the place of. */
  lose(nexus: Nexus): NexusState | undefined {
    const state = this.#states.get(nexus.key)
    if (state === undefined || !state.isPresent || state.nexus !== nexus) return undefined
    state.isPresent = false
    // To the end: the map's order is the order in which they went.
    this.#states.delete(nexus.key)
    this.#states.set(nexus.key, state)
    this.#forget()
    this.#lastNexus = undefined
    return state
  }

  #forget(): void {
    const absent = [...this.#states.values()].filter(({ isPresent }) => !isPresent)
    for (const { nexus } of absent.slice(0, Math.max(0, absent.length - maxAbsent))) this.#states.delete(nexus.key)
  }

  /** Everybody of a registrant's name. */
  withRegistrant(registrant: string): readonly NexusState[] {
    return [...this.#states.values()].filter(state => state.registrant === registrant)
  }

  get all(): Iterable<NexusState> {
    return this.#states.values()
  }

  /** Establishes a unit attention condition for all but one. */
  tellAll(name: AdditionalSenseName, except?: NexusState): void {
    for (const state of this.#states.values()) if (state !== except) this.tell(state, name)
  }

  tell(state: NexusState, name: AdditionalSenseName): void {
    state.attentions.add(name)
    state.gate |= Gate.unitAttention
  }

  /** Something that gates depend on has changed. */
  refreshAll(): void {
    for (const state of this.#states.values()) this.refresh(state)
  }

  refresh(state: NexusState): void {
    state.gate = this.#gateOf(state) | (state.attentions.isEmpty ? 0 : Gate.unitAttention)
  }

  clear(): void {
    this.#states.clear()
    this.#lastNexus = undefined
  }
}
