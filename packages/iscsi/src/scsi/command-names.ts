/** What commands are called, for whoever counts them: found by the CDB alone, also where a unit does not have them. */
import { serviceActionOf, variableLengthCdb } from './cdb.ts'
import { commands } from './commands/index.ts'

/** Names of all commands; the last one is for what is none. */
export const commandNames: readonly string[] = [...commands.map(({ name }) => name), 'unknown']

const unknown = commandNames.length - 1
/** By opcode; of opcodes with service actions, -1. */
const byOpcode = Int16Array.from({ length: 256 }, (_, opcode) => {
  const index = commands.findIndex(command => command.opcode === opcode)
  return index === -1 ? unknown : commands[index].serviceAction === undefined ? index : -1
})
const actionKey = (opcode: number, serviceAction: number): number => (opcode << 16) | serviceAction
const byServiceAction = new Map(
  commands.flatMap(({ opcode, serviceAction }, index) => (serviceAction === undefined ? [] : [[actionKey(opcode, serviceAction), index] as const])),
)

/** Where the name of a CDB's command is in `commandNames`. */
export function commandIndexOf(cdb: Buffer): number {
  const index = byOpcode[cdb[0]]
  if (index !== -1) return index
  if (cdb[0] === variableLengthCdb && cdb.length < 10) return unknown
  return byServiceAction.get(actionKey(cdb[0], serviceActionOf(cdb))) ?? unknown
}
