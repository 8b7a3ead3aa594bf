/** A SCSI target device (SAM-5 4.6.4): logical units by their numbers. */
import { executeWithoutUnit } from './absent-unit.ts'
import { decodeLun, reportLunsWellKnownUnit } from './lun.ts'
import type { LogicalUnit } from './logical-unit.ts'
import type { Nexus, ScsiTask, TaskResult } from './task.ts'

/**
 * Units by LUN, and the answers for LUNs that there are none of.
 *
 * @example
 * const identity = { vendor: 'EXAMPLE', product: 'DISK', revision: '1', serial: '0001', naa: Buffer.from('3000000000000001', 'hex') }
 * const target = new TargetDevice()
 * target.addUnit(0, new LogicalUnit({ device: memoryDevice({ sizeBytes: 1 << 20 }), identity }))
 * target.addUnit(7, new LogicalUnit({ device: memoryDevice({ sizeBytes: 1 << 30 }), identity: { ...identity, serial: '0002' } }))
 * target.luns // => [0, 7]
 * target.unitOf(encodeLun(7))?.identity.serial // => '0002'
 */
export class TargetDevice {
  readonly #units = new Map<number, LogicalUnit>()
  readonly #nexuses = new Map<string, Nexus>()

  /** LUNs by ascending number. */
  get luns(): readonly number[] {
    return [...this.#units.keys()].sort((a, b) => a - b)
  }

  /** Puts a unit there; initiators that are logged in are told that REPORTED LUNS DATA HAS CHANGED. */
  addUnit(lun: number, unit: LogicalUnit): void {
    this.#changed()
    unit.luns = () => this.luns
    this.#units.set(lun, unit)
    for (const nexus of this.#nexuses.values()) unit.addNexus(nexus)
  }

  /** Takes it away. Who closes the unit is who made it. */
  removeUnit(lun: number): void {
    if (this.#units.delete(lun)) this.#changed()
  }

  #changed(): void {
    for (const { nexuses } of this.#units.values()) nexuses.tellAll('REPORTED LUNS DATA HAS CHANGED')
  }

  /** The unit that the eight bytes mean (SAM-5 4.7); undefined where there is none. */
  unitOf(lun: Buffer): LogicalUnit | undefined {
    const number = decodeLun(lun)
    return number === undefined ? undefined : this.#units.get(number)
  }

  /** How much data-out the CDB asks for. */
  dataOutBytes(lun: Buffer, cdb: Buffer): number {
    return this.unitOf(lun)?.dataOutBytes(cdb) ?? 0
  }

  /** Runs a command. Never throws, never rejects. */
  execute(lun: Buffer, task: ScsiTask): TaskResult | Promise<TaskResult> {
    const unit = this.unitOf(lun)
    if (unit !== undefined) return unit.execute(task)
    return executeWithoutUnit(task, { luns: this.luns, isWellKnown: lun.equals(reportLunsWellKnownUnit) })
  }

  /** An initiator has logged in: for all units. */
  addNexus(nexus: Nexus): void {
    this.#nexuses.set(nexus.key, nexus)
    for (const unit of this.#units.values()) unit.addNexus(nexus)
  }

  /**
   * Its session goes on with units that are not what they were: their tasks, reservations of RESERVE, mode parameters and conditions that were to
   * be told are lost with whoever ran them, as with a hard reset (SAM-5 6.3.2).
   */
  resumeNexus(nexus: Nexus): void {
    this.addNexus(nexus)
    for (const { nexuses } of this.#units.values()) nexuses.tell(nexuses.stateOf(nexus), 'DEVICE INTERNAL RESET')
  }

  /** Its session is gone: for all units. */
  async nexusLoss(nexus: Nexus): Promise<void> {
    if (this.#nexuses.get(nexus.key) === nexus) this.#nexuses.delete(nexus.key)
    await Promise.all([...this.#units.values()].map(unit => unit.nexusLoss(nexus)))
  }

  /** TARGET WARM RESET and TARGET COLD RESET: every unit is reset. */
  async reset(nexus?: Nexus): Promise<void> {
    await Promise.all([...this.#units.values()].map(unit => unit.logicalUnitReset(nexus)))
  }
}
