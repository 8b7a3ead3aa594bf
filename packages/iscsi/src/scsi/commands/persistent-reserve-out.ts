/** PERSISTENT RESERVE OUT (SPC-4 6.16). */
import type { Command } from '../command.ts'
import type { LogicalUnit } from '../logical-unit.ts'
import { OutAction } from '../reservations/actions.ts'
import type { OutRequest } from '../reservations/actions.ts'
import type { Registration } from '../reservations/state.ts'
import { decodeTransportId, registrantFor } from '../reservations/transport-id.ts'
import type { TransportId } from '../reservations/transport-id.ts'
import { parameterListOf, reservationConflict } from '../results.ts'
import { CheckCondition, invalidFieldInCdb, invalidFieldInParameterList } from '../sense.ts'
import type { Nexus, ScsiTask, TaskResult } from '../task.ts'

const basicListBytes = 24
const specifyInitiatorPorts = 0x08
const allTargetPorts = 0x04
const activatePersistThroughPowerLoss = 0x01
const unregister = 0x02
/** Where TransportIDs begin: SPEC_I_PT, and REGISTER AND MOVE. */
const transportIdsAt = 28
const moveTransportIdAt = 24

const lengthError = (): CheckCondition => new CheckCondition('ILLEGAL REQUEST', 'PARAMETER LIST LENGTH ERROR')
const withoutKey = (transportId: TransportId, port: string, relativeTargetPort: number): Registration => ({
  registrant: registrantFor(port, relativeTargetPort),
  transportId: transportId.bytes,
  relativeTargetPort,
  key: 0n,
})

/** The parts of a request that are there in every list but that of REGISTER AND MOVE. */
function basicRequest(task: ScsiTask, unit: LogicalUnit, action: number, list: Buffer): OutRequest {
  const { nexus, cdb } = task
  const { transportId, relativeTargetPort } = nexus
  const flags = list[20]
  const isRegistering = action === OutAction.register || action === OutAction.registerAndIgnoreExistingKey
  const specifies = isRegistering && (flags & specifyInitiatorPorts) !== 0
  if (!specifies && list.length !== basicListBytes) throw lengthError()
  const ports = isRegistering && (flags & allTargetPorts) !== 0 ? unit.ports.groups.flatMap(group => group.ports) : [relativeTargetPort]
  const own = decodeTransportId(transportId)
  return {
    registrant: unit.nexuses.stateOf(nexus).registrant,
    transportId,
    relativeTargetPort,
    type: cdb[2] & 0x0f,
    key: list.readBigUInt64BE(0),
    serviceActionKey: list.readBigUInt64BE(8),
    isPersistent: (flags & activatePersistThroughPowerLoss) !== 0,
    unregisters: false,
    siblings: own?.port === undefined ? [] : ports.filter(port => port !== relativeTargetPort).map(port => withoutKey(own, own.port ?? '', port)),
    ...(specifies ? { others: specifiedPorts(list, unit, nexus).flatMap(([id, port]) => ports.map(each => withoutKey(id, port, each))) } : {}),
  }
}

/** SPEC_I_PT: the initiator ports of a list of TransportIDs. One that names a node means all of its ports that are logged in (SPC-4 7.6.4.6). */
function specifiedPorts(list: Buffer, unit: LogicalUnit, nexus: Nexus): [TransportId, string][] {
  if (list.length < transportIdsAt || list.length !== transportIdsAt + list.readUInt32BE(24)) throw lengthError()
  const result: [TransportId, string][] = []
  for (let at = transportIdsAt; at < list.length;) {
    const id = decodeTransportId(list.subarray(at))
    if (id === undefined || id.protocol !== (nexus.transportId[0] & 0x0f)) throw invalidFieldInParameterList(at)
    result.push(...portsOf(id, unit))
    at += id.bytes.length
  }
  if (new Set(result.map(([, port]) => port)).size !== result.length) throw invalidFieldInParameterList(transportIdsAt)
  return result
}

function portsOf(id: TransportId, unit: LogicalUnit): [TransportId, string][] {
  if (id.port !== undefined) return [[id, id.port]]
  const known = new Map<string, TransportId>()
  for (const { nexus } of unit.nexuses.all) {
    const own = decodeTransportId(nexus.transportId)
    if (own?.port !== undefined && own.name === id.name) known.set(own.port, own)
  }
  return [...known].map(([port, own]) => [own, port])
}

/** SPC-4 6.16.4. */
function moveRequest(task: ScsiTask, unit: LogicalUnit, list: Buffer): OutRequest {
  const { nexus, cdb } = task
  if (list.length !== moveTransportIdAt + list.readUInt32BE(20)) throw lengthError()
  const target = list.readUInt16BE(18)
  if (!unit.ports.groups.some(({ ports }) => ports.includes(target))) throw invalidFieldInParameterList(18)
  const id = decodeTransportId(list.subarray(moveTransportIdAt))
  if (id?.port === undefined || id.protocol !== (nexus.transportId[0] & 0x0f)) throw invalidFieldInParameterList(moveTransportIdAt)
  return {
    registrant: unit.nexuses.stateOf(nexus).registrant,
    transportId: nexus.transportId,
    relativeTargetPort: nexus.relativeTargetPort,
    type: cdb[2] & 0x0f,
    key: list.readBigUInt64BE(0),
    serviceActionKey: list.readBigUInt64BE(8),
    isPersistent: (list[17] & activatePersistThroughPowerLoss) !== 0,
    unregisters: (list[17] & unregister) !== 0,
    siblings: [],
    destination: withoutKey(id, id.port, target),
  }
}

/** Those whose SCOPE has a meaning: only whole units can be reserved. */
const actionsWithScope: ReadonlySet<number> = new Set([OutAction.reserve, OutAction.release, OutAction.preempt, OutAction.preemptAndAbort])

function persistentReserveOut(task: ScsiTask, unit: LogicalUnit, action: number): TaskResult | Promise<TaskResult> {
  const { cdb } = task
  if (unit.reservations.isReserved) return reservationConflict
  if (actionsWithScope.has(action) && cdb[2] >> 4 !== 0) throw invalidFieldInCdb(2, 7)
  const length = cdb.readUInt32BE(5)
  if (length < basicListBytes) throw lengthError()
  const list = parameterListOf(task, length)
  const request = action === OutAction.registerAndMove ? moveRequest(task, unit, list) : basicRequest(task, unit, action, list)
  return unit.reservations.out(task, action, request, length)
}

const names: Readonly<Record<keyof typeof OutAction, string>> = {
  register: 'REGISTER',
  reserve: 'RESERVE',
  release: 'RELEASE',
  clear: 'CLEAR',
  preempt: 'PREEMPT',
  preemptAndAbort: 'PREEMPT AND ABORT',
  registerAndIgnoreExistingKey: 'REGISTER AND IGNORE EXISTING KEY',
  registerAndMove: 'REGISTER AND MOVE',
}

/** Longer lists are refused where they are asked for: no transport has to hold them. */
const maxListBytes = 64 * 1024

/** Rows of the dispatch table. The conflicts of each are in its own rules (SPC-4 table 'PERSISTENT RESERVE OUT … allowed'). */
export const persistentReserveOutCommands: readonly Command[] = Object.entries(OutAction).map(([action, serviceAction]) => ({
  name: `PERSISTENT RESERVE OUT, ${names[action as keyof typeof OutAction]}`, // a key of that very table
  opcode: 0x5f,
  serviceAction,
  clause: 'SPC-4 6.16',
  usage: `5f 0${serviceAction} ff 0000 ffffffff 00`,
  access: 'always',
  worksWithoutMedium: true,
  dataOutBytes: cdb => Math.min(maxListBytes, cdb.readUInt32BE(5)),
  execute: (task, unit) => persistentReserveOut(task, unit, serviceAction),
}))
