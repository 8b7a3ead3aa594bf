/** The service actions of PERSISTENT RESERVE OUT (SPC-4 5.13.7 to 5.13.11) as functions from a state and a request to a change. */
import { CheckCondition, invalidFieldInCdb, invalidFieldInParameterList } from '../sense.ts'
import { isHolder, nextGeneration, reservationTypes, tellRegistrants, withRegistrations } from './state.ts'
import type { Change, Registration, ReservationState } from './state.ts'

/** The service actions (SPC-4 table 'PERSISTENT RESERVE OUT service action codes'). */
export const OutAction = {
  register: 0x00,
  reserve: 0x01,
  release: 0x02,
  clear: 0x03,
  preempt: 0x04,
  preemptAndAbort: 0x05,
  registerAndIgnoreExistingKey: 0x06,
  registerAndMove: 0x07,
} as const

/** Who asks, and what for. */
export interface OutRequest {
  readonly registrant: string
  readonly transportId: Buffer
  readonly relativeTargetPort: number
  readonly type: number
  readonly key: bigint
  readonly serviceActionKey: bigint
  readonly isPersistent: boolean
  /** SPEC_I_PT: also for these. Left out where the bit is not set. */
  readonly others?: readonly Registration[]
  /** ALL_TG_PT: the requesting port's registrants with the target's other ports. */
  readonly siblings: readonly Registration[]
  /** REGISTER AND MOVE: where to. */
  readonly destination?: Registration
  /** UNREG */
  readonly unregisters: boolean
}

/** The request meets RESERVATION CONFLICT. */
export const conflict = 'reservation conflict'

/** One service action. Throws CheckCondition. */
export type Action = (state: ReservationState, request: OutRequest) => Change | typeof conflict

/** Byte 2 of the CDB: SCOPE and TYPE. */
const typeField = { byte: 2, bit: 3 } as const
/** Bytes of the parameter list (SPC-4 tables 'PERSISTENT RESERVE OUT parameter list'). */
const ListByte = { serviceActionKey: 8, flags: 20, transportIds: 28 } as const

const change = (state: ReservationState, attentions: Change['attentions'] = [], aborted: readonly string[] = []): Change => ({
  state,
  attentions,
  aborted,
})

/** Only who is registered, and knows its key, may do it. */
function forRegistrants(action: Action): Action {
  return (state, request) => (state.registrations.get(request.registrant)?.key === request.key ? action(state, request) : conflict)
}

/** SPC-4 table 'Register behaviors for a REGISTER service action'. */
function register(state: ReservationState, request: OutRequest): Change | typeof conflict {
  const known = state.registrations.get(request.registrant)
  if ((known?.key ?? 0n) !== request.key) return conflict
  if (known !== undefined && request.others !== undefined) throw invalidFieldInParameterList(ListByte.flags, 3)
  return setKey(state, request)
}

/** The same for REGISTER AND IGNORE EXISTING KEY. */
function registerAndIgnoreExistingKey(state: ReservationState, request: OutRequest): Change {
  if (request.others !== undefined) throw invalidFieldInParameterList(ListByte.flags, 3)
  return setKey(state, request)
}

function setKey(state: ReservationState, request: OutRequest): Change {
  const { registrant, transportId, relativeTargetPort, serviceActionKey, isPersistent, siblings, others = [] } = request
  const next = nextGeneration({ ...state, isPersistent })
  const own: Registration = { registrant, transportId, relativeTargetPort, key: serviceActionKey }
  if (serviceActionKey === 0n) return unregister(next, registrant, siblings)
  for (const { registrant: other } of others)
    if (other === registrant || state.registrations.has(other)) throw invalidFieldInParameterList(ListByte.transportIds)
  const registrations = new Map(state.registrations)
  for (const registration of [own, ...siblings, ...others]) registrations.set(registration.registrant, { ...registration, key: serviceActionKey })
  return change(withRegistrations(next, registrations))
}

/** SPC-4 5.13.11.2.3: where that releases a reservation of registrants only, the others are told. */
function unregister(state: ReservationState, registrant: string, siblings: readonly Registration[]): Change {
  const registrations = new Map(state.registrations)
  registrations.delete(registrant)
  for (const sibling of siblings) registrations.delete(sibling.registrant)
  const next = withRegistrations(state, registrations)
  const isReleased = state.reservation !== undefined && next.reservation === undefined
  return change(next, isReleased ? released(next, state.reservation.type, registrant) : [])
}

const released = (state: ReservationState, type: number, by: string): Change['attentions'] =>
  reservationTypes[type].letsRegistrants ? tellRegistrants(state, 'RESERVATIONS RELEASED', by) : []

function assertType(type: number): void {
  if (reservationTypes[type] === undefined) throw invalidFieldInCdb(typeField.byte, typeField.bit)
}

/** SPC-4 5.13.9. */
function reserve(state: ReservationState, { registrant, type }: OutRequest): Change | typeof conflict {
  assertType(type)
  if (state.reservation !== undefined) return isHolder(state, registrant) && state.reservation.type === type ? change(state) : conflict
  return change({ ...state, reservation: { type, holder: reservationTypes[type].isHeldByAll ? undefined : registrant } })
}

/** SPC-4 5.13.11.2.2. */
function release(state: ReservationState, { registrant, type }: OutRequest): Change {
  if (state.reservation === undefined || !isHolder(state, registrant)) return change(state)
  if (state.reservation.type !== type) throw new CheckCondition('ILLEGAL REQUEST', 'INVALID RELEASE OF PERSISTENT RESERVATION')
  return change({ ...state, reservation: undefined }, released(state, type, registrant))
}

/** SPC-4 5.13.11.2.6. */
function clear(state: ReservationState, { registrant }: OutRequest): Change {
  const attentions = tellRegistrants(state, 'RESERVATIONS PREEMPTED', registrant)
  return change({ ...nextGeneration(state), registrations: new Map(), reservation: undefined }, attentions)
}

/** SPC-4 5.13.11.2.4 and figure 'Device server interpretation of PREEMPT': the reservation itself, or only registrations. */
function preempt(state: ReservationState, request: OutRequest): Change | typeof conflict {
  const { reservation } = state
  const { registrant, serviceActionKey, type } = request
  if (reservation !== undefined) {
    const isHeldByAll = reservation.holder === undefined
    const holderKey = isHeldByAll ? 0n : state.registrations.get(reservation.holder)?.key
    if (serviceActionKey === holderKey) {
      assertType(type)
      const isVictim = (other: Registration): boolean => other.registrant !== registrant && (isHeldByAll || other.key === serviceActionKey)
      return preemptReservation(state, request, isVictim)
    }
  }
  if (serviceActionKey === 0n) throw invalidFieldInParameterList(ListByte.serviceActionKey)
  return preemptRegistrations(state, request)
}

function preemptReservation(state: ReservationState, { registrant, type }: OutRequest, isVictim: (other: Registration) => boolean): Change {
  const victims = [...state.registrations.values()].filter(isVictim).map(({ registrant: victim }) => victim)
  const registrations = new Map([...state.registrations].filter(([, registration]) => !isVictim(registration)))
  const reservation = { type, holder: reservationTypes[type].isHeldByAll ? undefined : registrant }
  const next: ReservationState = { ...nextGeneration(state), registrations, reservation }
  const isOtherType = state.reservation?.type !== type
  return change(
    next,
    [
      ...victims.map(victim => ({ registrant: victim, name: 'REGISTRATIONS PREEMPTED' as const })),
      ...(isOtherType ? tellRegistrants(next, 'RESERVATIONS RELEASED', registrant) : []),
    ],
    victims,
  )
}

/** SPC-4 5.13.11.2.5: of everybody with that key, the asker's own too. */
function preemptRegistrations(state: ReservationState, { registrant, serviceActionKey }: OutRequest): Change | typeof conflict {
  const victims = [...state.registrations.values()].filter(({ key }) => key === serviceActionKey).map(({ registrant: victim }) => victim)
  if (victims.length === 0) return conflict
  const registrations = new Map([...state.registrations].filter(([, { key }]) => key !== serviceActionKey))
  const others = victims.filter(victim => victim !== registrant)
  const next = withRegistrations(nextGeneration(state), registrations)
  return change(
    next,
    others.map(victim => ({ registrant: victim, name: 'REGISTRATIONS PREEMPTED' as const })),
    others,
  )
}

/** As PREEMPT, and the tasks of those who lost something end (SPC-4 5.13.11.2.7). */
const preemptAndAbort: Action = preempt

/** SPC-4 5.13.8. */
function registerAndMove(state: ReservationState, request: OutRequest): Change | typeof conflict {
  const { registrant, destination, serviceActionKey, isPersistent, unregisters } = request
  const { reservation } = state
  if (reservation === undefined) throw invalidFieldInCdb(1, 4)
  if (reservation.holder !== registrant) return conflict
  if (serviceActionKey === 0n) throw invalidFieldInParameterList(ListByte.serviceActionKey)
  if (destination === undefined || destination.registrant === registrant) throw invalidFieldInParameterList(24)
  const registrations = new Map(state.registrations)
  registrations.set(destination.registrant, { ...destination, key: serviceActionKey })
  if (unregisters) registrations.delete(registrant)
  return change({ ...nextGeneration(state), isPersistent, registrations, reservation: { ...reservation, holder: destination.registrant } })
}

/** By service action. */
export const outActions: Readonly<Record<number, Action>> = {
  [OutAction.register]: register,
  [OutAction.reserve]: forRegistrants(reserve),
  [OutAction.release]: forRegistrants(release),
  [OutAction.clear]: forRegistrants(clear),
  [OutAction.preempt]: forRegistrants(preempt),
  [OutAction.preemptAndAbort]: forRegistrants(preemptAndAbort),
  [OutAction.registerAndIgnoreExistingKey]: registerAndIgnoreExistingKey,
  [OutAction.registerAndMove]: forRegistrants(registerAndMove),
}
