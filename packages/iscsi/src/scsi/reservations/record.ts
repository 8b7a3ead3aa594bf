/** What outlives a restart of persistent reservations (SPC-4 5.13: APTPL), and where it is kept. */

/** A registered I_T nexus. Plain, so that it can be stored as JSON. */
export interface RegistrationRecord {
  /** `Nexus.key` */
  readonly nexusKey: string
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
  /** Left out while nobody has reserved. For the types of all registrants `nexusKey` is empty: all of them hold it. */
  readonly reservation?: { readonly nexusKey: string; readonly type: number }
}

/** Where the record of a unit is. */
export interface ReservationStore {
  /** What was saved last; undefined where nothing was, or where it has been cleared. */
  load(): ReservationRecord | undefined
  /** On stable storage when it resolves. Undefined clears it. */
  save(record: ReservationRecord | undefined): Promise<void>
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
