/** Unit attention conditions of an I_T nexus (SAM-5 5.14). */
import { CheckCondition } from './sense.ts'
import type { AdditionalSenseName } from './additional-sense.ts'

/** A reset of any kind: what was to be told before does not matter any more. */
const resets: ReadonlySet<AdditionalSenseName> = new Set<AdditionalSenseName>([
  'POWER ON, RESET, OR BUS DEVICE RESET OCCURRED',
  'POWER ON OCCURRED',
  'SCSI BUS RESET OCCURRED',
  'BUS DEVICE RESET FUNCTION OCCURRED',
  'DEVICE INTERNAL RESET',
])

/** Told before RESERVATION CONFLICT (SAM-5 5.3.3); all others after it. */
const beforeReservationConflict: ReadonlySet<AdditionalSenseName> = new Set<AdditionalSenseName>([
  ...resets,
  'MICROCODE HAS BEEN CHANGED',
  'COMMANDS CLEARED BY POWER LOSS NOTIFICATION',
  'I_T NEXUS LOSS OCCURRED',
])

/** Told in the order they came, each once. */
export class UnitAttentions {
  #pending: AdditionalSenseName[] = []

  get isEmpty(): boolean {
    return this.#pending.length === 0
  }

  /** The first is told even to a command that conflicts with a reservation. */
  get precedesConflict(): boolean {
    return this.#pending.length > 0 && beforeReservationConflict.has(this.#pending[0])
  }

  add(name: AdditionalSenseName): void {
    if (resets.has(name)) this.#pending = this.#pending.filter(pending => !resets.has(pending) && pending !== 'I_T NEXUS LOSS OCCURRED')
    if (!this.#pending.includes(name)) {
      if (beforeReservationConflict.has(name)) this.#pending.unshift(name)
      else this.#pending.push(name)
    }
  }

  /** The next one, which is told now. */
  take(): CheckCondition | undefined {
    const name = this.#pending.shift()
    return name === undefined ? undefined : new CheckCondition('UNIT ATTENTION', name)
  }

  /** It has become known in another way (REPORT LUNS: SPC-4 6.33). */
  remove(name: AdditionalSenseName): void {
    this.#pending = this.#pending.filter(pending => pending !== name)
  }
}
