/** Whether a command may run now: unit attentions, reservations, access states (SAM-5 5.3.3 says what comes before what). */
import { isAllowedDuringOperation } from './commands/block/device-operation.ts'
import type { TableEntry } from './command-table.ts'
import type { Command } from './command.ts'
import type { LogicalUnit } from './logical-unit.ts'
import { Gate } from './nexuses.ts'
import type { NexusState } from './nexuses.ts'
import { AccessState } from './ports.ts'
import { reservationConflict } from './results.ts'
import { CheckCondition, invalidFieldInCdb } from './sense.ts'
import type { AdditionalSenseName } from './additional-sense.ts'
import type { TaskResult } from './task.ts'

/** States of a port in which commands for the medium are refused (SPC-4 5.15.2.4). */
const refusingStates: Readonly<Record<number, AdditionalSenseName>> = {
  [AccessState.standby]: 'LOGICAL UNIT NOT ACCESSIBLE, TARGET PORT IN STANDBY STATE',
  [AccessState.unavailable]: 'LOGICAL UNIT NOT ACCESSIBLE, TARGET PORT IN UNAVAILABLE STATE',
  [AccessState.offline]: 'LOGICAL UNIT NOT ACCESSIBLE, TARGET PORT IN UNAVAILABLE STATE',
  [AccessState.transitioning]: 'LOGICAL UNIT NOT ACCESSIBLE, ASYMMETRIC ACCESS STATE TRANSITION',
}

/** Decides for the commands of a unit. */
export class Admission {
  readonly #unit: LogicalUnit

  constructor(unit: LogicalUnit) {
    this.#unit = unit
  }

  /** The bits of `Gate` that hold for a nexus, without unit attentions. */
  gateOf(state: NexusState): number {
    const { reservations, isStopped } = this.#unit
    return reservations.gateOf(state) | (this.#stateOfPort(state) in refusingStates ? Gate.notAccessible : 0) | (isStopped ? Gate.stopped : 0)
  }

  /** What a command gets in place of being run; undefined lets it run. A unit attention that is told is told. */
  refusalOf(cdb: Buffer, entry: TableEntry | undefined, state: NexusState): CheckCondition | TaskResult | undefined {
    const command = entry?.command
    const seesAttention = (state.gate & Gate.unitAttention) !== 0 && command?.ignoresUnitAttention !== true
    if (seesAttention && state.attentions.precedesConflict) return this.#attention(state)
    if (command !== undefined && conflicts(command, cdb, state.gate)) return reservationConflict
    if (seesAttention) return this.#attention(state)
    if (command === undefined) return this.#unknownCommand(cdb)
    return this.#notReady(command, state)
  }

  #attention(state: NexusState): CheckCondition | undefined {
    const told = state.attentions.take()
    this.#unit.nexuses.refresh(state)
    return told
  }

  /** SPC-4 4.2.5.2: an opcode that is known, without the service action that is asked for, is a wrong field. */
  #unknownCommand(cdb: Buffer): CheckCondition {
    if (!this.#unit.commands.hasServiceActions(cdb[0])) return new CheckCondition('ILLEGAL REQUEST', 'INVALID COMMAND OPERATION CODE')
    return cdb[0] === 0x7f ? invalidFieldInCdb(8, 7) : invalidFieldInCdb(1, 4)
  }

  #notReady(command: Command, state: NexusState): CheckCondition | undefined {
    const { operation } = this.#unit
    if ((state.gate & Gate.notAccessible) !== 0) {
      const portState = this.#stateOfPort(state)
      const mayRun = portState === AccessState.standby ? command.worksWithoutMedium : command.worksWhileUnavailable
      if (mayRun !== true) return new CheckCondition('NOT READY', refusingStates[portState])
    }
    if (operation !== undefined && !isAllowedDuringOperation(command, operation)) return operation.condition
    const isStopped = (state.gate & Gate.stopped) !== 0 && command.worksWithoutMedium !== true
    return isStopped ? new CheckCondition('NOT READY', 'LOGICAL UNIT NOT READY, INITIALIZING COMMAND REQUIRED') : undefined
  }

  /** The access state of the port that the nexus came by. One that is in no group is as good as any. */
  #stateOfPort({ nexus }: NexusState): number {
    const { groups } = this.#unit.ports
    return groups.find(({ ports }) => ports.includes(nexus.relativeTargetPort))?.state ?? AccessState.activeOptimized
  }
}

/** SPC-4 table 'commands that are allowed in the presence of various reservations', SBC-4 table 13; for RESERVE: SPC-2 5.5.1. */
function conflicts(command: Command, cdb: Buffer, gate: number): boolean {
  const access = command.accessOf?.(cdb) ?? command.access
  if ((gate & Gate.reserved) !== 0 && (access !== 'always' || command.conflictsWithReserve === true)) return true
  if ((gate & Gate.readConflict) !== 0 && access === 'read') return true
  return (gate & Gate.writeConflict) !== 0 && access === 'write'
}
