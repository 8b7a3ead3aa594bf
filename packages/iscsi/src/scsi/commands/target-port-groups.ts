/** REPORT TARGET PORT GROUPS and SET TARGET PORT GROUPS (SPC-4 6.37, 6.45). */
import type { Command } from '../command.ts'
import type { LogicalUnit } from '../logical-unit.ts'
import { AccessState } from '../ports.ts'
import type { TargetPortGroup } from '../ports.ts'
import { goodDataIn, goodDataOut, parameterListOf } from '../results.ts'
import { CheckCondition, invalidFieldInCdb, invalidFieldInParameterList } from '../sense.ts'
import type { ScsiTask, TaskResult } from '../task.ts'

const preferred = 0x80
/** T_SUP, U_SUP, S_SUP, AN_SUP, AO_SUP: all states but offline and those by logical block. */
const supportedStates = 0x80 | 0x08 | 0x04 | 0x02 | 0x01

/** PARAMETER DATA FORMAT (SPC-4 table 'PARAMETER DATA FORMAT field'). */
const ParameterDataFormat = { lengthOnly: 0, extended: 1 } as const

function encodeGroup({ id, state, isPreferred, statusCode, ports }: TargetPortGroup): Buffer {
  const header = Buffer.from([(isPreferred ? preferred : 0) | state, supportedStates, id >> 8, id & 0xff, 0, statusCode, 0, ports.length])
  return Buffer.concat([header, ...ports.map(port => Buffer.from([0, 0, port >> 8, port & 0xff]))])
}

function reportTargetPortGroups(task: ScsiTask, unit: LogicalUnit): TaskResult {
  const { cdb } = task
  const format = cdb[1] >> 5
  if (format > ParameterDataFormat.extended) throw invalidFieldInCdb(1, 7)
  const extended = format === ParameterDataFormat.extended ? [Buffer.from([0x10, unit.ports.implicitTransitionSeconds ?? 0, 0, 0])] : []
  const body = Buffer.concat([...extended, ...unit.ports.groups.map(encodeGroup)])
  const length = Buffer.alloc(4)
  length.writeUInt32BE(body.length)
  return goodDataIn(task, Buffer.concat([length, body]), cdb.readUInt32BE(6))
}

/** States that an initiator may ask for (SPC-4 table 'ASYMMETRIC ACCESS STATE field' of the command). */
const settableStates: ReadonlySet<number> = new Set([
  AccessState.activeOptimized,
  AccessState.activeNonOptimized,
  AccessState.standby,
  AccessState.unavailable,
])

async function setTargetPortGroups(task: ScsiTask, unit: LogicalUnit): Promise<TaskResult> {
  const length = task.cdb.readUInt32BE(6)
  if (length === 0) return goodDataOut(0)
  const list = parameterListOf(task, length)
  if (length % 4 !== 0 || length < 8) throw new CheckCondition('ILLEGAL REQUEST', 'PARAMETER LIST LENGTH ERROR')
  const wanted = Array.from({ length: length / 4 - 1 }, (_, index) => {
    const at = 4 + 4 * index
    const change = { id: list.readUInt16BE(at + 2), state: list[at] & 0x0f }
    if (!settableStates.has(change.state)) throw invalidFieldInParameterList(at, 3)
    if (!unit.ports.groups.some(({ id }) => id === change.id)) throw invalidFieldInParameterList(at + 2)
    return change
  })
  for (const { id, state } of wanted) await unit.ports.setState?.(id, state)
  // Who asked for it knows.
  const asker = unit.nexuses.stateOf(task.nexus)
  asker.attentions.remove('ASYMMETRIC ACCESS STATE CHANGED')
  unit.nexuses.refresh(asker)
  return goodDataOut(length)
}

const maxListBytes = 64 * 1024

/** Rows of the dispatch table. */
export const targetPortGroupCommands: readonly Command[] = [
  {
    name: 'REPORT TARGET PORT GROUPS',
    opcode: 0xa3,
    serviceAction: 0x0a,
    clause: 'SPC-4 6.37',
    usage: 'a3 ea 00000000 ffffffff 00 00',
    access: 'always',
    worksWithoutMedium: true,
    worksWhileUnavailable: true,
    execute: reportTargetPortGroups,
  },
  {
    name: 'SET TARGET PORT GROUPS',
    opcode: 0xa4,
    serviceAction: 0x0a,
    clause: 'SPC-4 6.45',
    usage: 'a4 0a 00000000 ffffffff 00 00',
    access: 'write',
    isSupported: unit => unit.ports.setState !== undefined,
    worksWithoutMedium: true,
    worksWhileUnavailable: true,
    dataOutBytes: cdb => Math.min(maxListBytes, cdb.readUInt32BE(6)),
    execute: setTargetPortGroups,
  },
]
