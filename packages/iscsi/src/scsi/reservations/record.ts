/** What outlives a restart of persistent reservations (SPC-4 5.13.5: APTPL), and where it is kept. */
import { noReservations } from './state.ts'
import type { ReservationState } from './state.ts'

/** A registered I_T nexus. Plain, so that it can be stored as JSON. */
export interface RegistrationRecord {
  /** Initiator port and target port, in one spelling. */
  readonly registrant: string
  /** 16 hex digits: reservation keys have 64 bits. */
  readonly key: string
  /** Hex. */
  readonly transportId: string
  readonly relativeTargetPort: number
}

/** Registrations and reservation of a unit. */
export interface ReservationRecord {
  readonly generation: number
  readonly registrations: readonly RegistrationRecord[]
  /** Left out while nobody has reserved. Without a holder for the types that all registrants hold. */
  readonly reservation?: { readonly type: number; readonly holder?: string }
  /** Without APTPL: a loss of power ends it (SPC-4 5.13.5). Left out with APTPL. */
  readonly endsWithPower?: true
}

/** Where the record of a unit is. */
export interface ReservationStore {
  /** What was saved last; undefined where nothing was, or where it has been cleared. */
  load(): ReservationRecord | undefined
  /** On stable storage when it resolves. Undefined clears it. */
  save(record: ReservationRecord | undefined): Promise<void>
  /**
   * Whether it wants the records of reservations without APTPL too, as it outlives who serves the unit; it gives them back until the power is lost,
   * which here is the end of the process. Default false: they end with the unit.
   */
  readonly outlivesUnit?: boolean
}

/** A store that forgets with the process. */
export function memoryReservationStore(initial?: ReservationRecord): ReservationStore {
  let record = initial
  return {
    load: () => record,
    async save(next) {
      record = next
    },
  }
}

/** What is saved of a state. */
export function recordOf({ generation, registrations, reservation, isPersistent }: ReservationState): ReservationRecord {
  return {
    generation,
    registrations: [...registrations.values()].map(({ registrant, key, transportId, relativeTargetPort }) => ({
      registrant,
      key: key.toString(16).padStart(16, '0'),
      transportId: transportId.toString('hex'),
      relativeTargetPort,
    })),
    ...(reservation === undefined
      ? {}
      : { reservation: { type: reservation.type, ...(reservation.holder === undefined ? {} : { holder: reservation.holder }) } }),
    ...(isPersistent ? {} : { endsWithPower: true }),
  }
}

/** The state that a record describes. */
export function stateOf(record: ReservationRecord | undefined): ReservationState {
  if (record === undefined) return noReservations
  const { generation, registrations, reservation } = record
  return {
    generation,
    registrations: new Map(
      registrations.map(({ registrant, key, transportId, relativeTargetPort }) => [
        registrant,
        { registrant, key: BigInt(`0x${key}`), transportId: Buffer.from(transportId, 'hex'), relativeTargetPort },
      ]),
    ),
    reservation: reservation === undefined ? undefined : { type: reservation.type, holder: reservation.holder },
    isPersistent: record.endsWithPower !== true,
  }
}
