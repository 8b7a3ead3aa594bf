/** Persistent reservations (SPC-4 5.13) as a pure state machine: what is there, and what it means for a nexus. */
import type { AdditionalSenseName } from '../additional-sense.ts'

/** Types of a persistent reservation (SPC-4 table 'Persistent reservation TYPE field'). */
export const ReservationType = {
  writeExclusive: 0x1,
  exclusiveAccess: 0x3,
  writeExclusiveRegistrantsOnly: 0x5,
  exclusiveAccessRegistrantsOnly: 0x6,
  writeExclusiveAllRegistrants: 0x7,
  exclusiveAccessAllRegistrants: 0x8,
} as const

interface TypeMeaning {
  /** Whether reads of others conflict too. */
  readonly isExclusive: boolean
  /** Who besides the holder is let through. */
  readonly letsRegistrants: boolean
  /** Every registrant holds it. */
  readonly isHeldByAll: boolean
}

/** What the types mean. A type that is not here does not exist. */
export const reservationTypes: Readonly<Record<number, TypeMeaning>> = {
  [ReservationType.writeExclusive]: { isExclusive: false, letsRegistrants: false, isHeldByAll: false },
  [ReservationType.exclusiveAccess]: { isExclusive: true, letsRegistrants: false, isHeldByAll: false },
  [ReservationType.writeExclusiveRegistrantsOnly]: { isExclusive: false, letsRegistrants: true, isHeldByAll: false },
  [ReservationType.exclusiveAccessRegistrantsOnly]: { isExclusive: true, letsRegistrants: true, isHeldByAll: false },
  [ReservationType.writeExclusiveAllRegistrants]: { isExclusive: false, letsRegistrants: true, isHeldByAll: true },
  [ReservationType.exclusiveAccessAllRegistrants]: { isExclusive: true, letsRegistrants: true, isHeldByAll: true },
}

/** An I_T nexus that is registered. */
export interface Registration {
  /** `registrantFor` its ports. */
  readonly registrant: string
  /** Not 0. */
  readonly key: bigint
  readonly transportId: Buffer
  readonly relativeTargetPort: number
}

/** The reservation that is established. */
export interface Reservation {
  readonly type: number
  /** The registrant that holds it; undefined for the types that all registrants hold. */
  readonly holder: string | undefined
}

/** All that there is. */
export interface ReservationState {
  /** PRGENERATION, 32 bits. */
  readonly generation: number
  /** In the order of registering. */
  readonly registrations: ReadonlyMap<string, Registration>
  readonly reservation: Reservation | undefined
  /** APTPL of the last registration: it outlives a loss of power. */
  readonly isPersistent: boolean
}

/** Nobody is registered. */
export const noReservations: ReservationState = { generation: 0, registrations: new Map(), reservation: undefined, isPersistent: false }

/** A unit attention that a change establishes. */
export interface Attention {
  readonly registrant: string
  readonly name: AdditionalSenseName
}

/** What a service action comes to, where it is neither refused nor in conflict. */
export interface Change {
  readonly state: ReservationState
  readonly attentions: readonly Attention[]
  /** PREEMPT AND ABORT: whose tasks end. */
  readonly aborted: readonly string[]
}

/** Whether a registrant holds the reservation. */
export function isHolder({ registrations, reservation }: ReservationState, registrant: string): boolean {
  if (reservation === undefined) return false
  return reservationTypes[reservation.type].isHeldByAll ? registrations.has(registrant) : reservation.holder === registrant
}

/** What stands against a nexus: its reads and writes, only its writes, or nothing (SPC-4 tables 47 and 48, SBC-4 table 13). */
export function restrictionOf(state: ReservationState, registrant: string): 'all' | 'writes' | 'none' {
  const { registrations, reservation } = state
  if (reservation === undefined || isHolder(state, registrant)) return 'none'
  const { letsRegistrants, isExclusive } = reservationTypes[reservation.type]
  if (letsRegistrants && registrations.has(registrant)) return 'none'
  return isExclusive ? 'all' : 'writes'
}

/** The state with other registrations. A reservation that lost its holder, or all of those that held it, is released with it. */
export function withRegistrations(state: ReservationState, registrations: ReadonlyMap<string, Registration>): ReservationState {
  const { reservation } = state
  if (reservation === undefined) return { ...state, registrations }
  const isHeld = reservation.holder === undefined ? registrations.size > 0 : registrations.has(reservation.holder)
  return { ...state, registrations, reservation: isHeld ? reservation : undefined }
}

/** The state with PRGENERATION one higher. */
export const nextGeneration = (state: ReservationState): ReservationState => ({ ...state, generation: (state.generation + 1) >>> 0 })

/** Everybody who is registered is told, but for one. */
export const tellRegistrants = (state: ReservationState, name: AdditionalSenseName, except: string): Attention[] =>
  [...state.registrations.keys()].filter(registrant => registrant !== except).map(registrant => ({ registrant, name }))
