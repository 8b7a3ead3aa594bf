/** Finds a command by its CDB, and checks the CDB against what the command looks at. */
import { serviceActionOf, variableLengthCdb } from './cdb.ts'
import type { Command } from './command.ts'
import type { LogicalUnit } from './logical-unit.ts'
import { invalidFieldInCdb } from './sense.ts'
import type { CheckCondition } from './sense.ts'

/** A row, prepared. */
export interface TableEntry {
  readonly command: Command
  /** CDB usage data. */
  readonly usage: Buffer
  /** Bits that a CDB may have: the usage data, with opcode and service action, which were looked at before. */
  readonly allowed: Buffer
}

/** Byte 7 of a variable length CDB: how many bytes follow it (SPC-4 4.2.3). */
const additionalLengthAt = 7
const variableHeaderBytes = 8
/** The commands of a unit. */
export class CommandTable {
  /** By opcode, then service action. */
  readonly entries: readonly TableEntry[]
  /** Of opcodes without service actions. */
  readonly byOpcode: readonly (TableEntry | undefined)[]
  readonly #byServiceAction = new Map<number, Map<number, TableEntry>>()

  constructor(commands: readonly Command[], unit: LogicalUnit) {
    this.entries = commands
      .filter(command => command.isSupported?.(unit) ?? true)
      .sort((a, b) => a.opcode - b.opcode || (a.serviceAction ?? 0) - (b.serviceAction ?? 0))
      .map(prepare)
    const byOpcode = Array.from({ length: 256 }, (): TableEntry | undefined => undefined)
    for (const entry of this.entries) {
      const { opcode, serviceAction } = entry.command
      if (serviceAction === undefined) byOpcode[opcode] = entry
      else this.#actionsOf(opcode).set(serviceAction, entry)
    }
    this.byOpcode = byOpcode
  }

  /** Undefined: no such opcode or service action. */
  find(cdb: Buffer): TableEntry | undefined {
    const actions = this.#byServiceAction.get(cdb[0])
    if (actions === undefined) return this.byOpcode[cdb[0]]
    return cdb[0] === variableLengthCdb && cdb.length < 10 ? undefined : actions.get(serviceActionOf(cdb))
  }

  /** Whether the opcode is told apart by service actions. */
  hasServiceActions(opcode: number): boolean {
    return this.#byServiceAction.has(opcode)
  }

  /** The entry of an opcode, and of a service action where it has them. */
  get(opcode: number, serviceAction?: number): TableEntry | undefined {
    return serviceAction === undefined ? this.byOpcode[opcode] : this.#byServiceAction.get(opcode)?.get(serviceAction)
  }

  #actionsOf(opcode: number): Map<number, TableEntry> {
    const actions = this.#byServiceAction.get(opcode) ?? new Map<number, TableEntry>()
    this.#byServiceAction.set(opcode, actions)
    return actions
  }
}

/** Makes an entry of a row. */
export function prepare(command: Command): TableEntry {
  const usage = Buffer.from(command.usage.replaceAll(' ', ''), 'hex')
  const allowed = Buffer.from(usage)
  allowed[0] = 0xff
  if (command.serviceAction === undefined) return { command, usage, allowed }
  if (command.opcode === variableLengthCdb) allowed.fill(0xff, additionalLengthAt, variableHeaderBytes + 2)
  else allowed[1] |= 0x1f
  return { command, usage, allowed }
}

/**
 * What is wrong with a CDB before its command looks at it: it is too short, or has bits set that are reserved, obsolete, or not supported
 * (NACA among them; SPC-4 4.2.1). Undefined: nothing.
 */
export function cdbFault(cdb: Buffer, { allowed, command }: TableEntry): CheckCondition | undefined {
  if (cdb.length < allowed.length) return invalidFieldInCdb(cdb.length)
  for (let at = 0; at < allowed.length; at++) {
    const unknown = cdb[at] & ~allowed[at]
    if (unknown !== 0) return invalidFieldInCdb(at, 31 - Math.clz32(unknown))
  }
  const isOtherLength = command.opcode === variableLengthCdb && cdb[additionalLengthAt] !== allowed.length - variableHeaderBytes
  return isOtherLength ? invalidFieldInCdb(additionalLengthAt) : undefined
}
