/** PERSISTENT RESERVE IN (SPC-4 6.15). */
import type { Command } from '../command.ts'
import type { LogicalUnit } from '../logical-unit.ts'
import { isHolder } from '../reservations/state.ts'
import type { ReservationState } from '../reservations/state.ts'
import { goodDataIn, reservationConflict } from '../results.ts'
import type { ScsiTask, TaskResult } from '../task.ts'

function header({ generation }: ReservationState, additionalLength: number): Buffer {
  const result = Buffer.alloc(8)
  result.writeUInt32BE(generation)
  result.writeUInt32BE(additionalLength, 4)
  return result
}

/** SPC-4 6.15.2. */
function readKeys({ reservations: { state } }: LogicalUnit): Buffer {
  const keys = Buffer.alloc(8 * state.registrations.size)
  for (const [index, { key }] of [...state.registrations.values()].entries()) keys.writeBigUInt64BE(key, 8 * index)
  return Buffer.concat([header(state, keys.length), keys])
}

/** SPC-4 6.15.3. The key is that of the holder; 0 where all registrants hold it. */
function readReservation({ reservations: { state } }: LogicalUnit): Buffer {
  const { reservation } = state
  if (reservation === undefined) return header(state, 0)
  const result = Buffer.alloc(16)
  const holder = reservation.holder === undefined ? undefined : state.registrations.get(reservation.holder)
  result.writeBigUInt64BE(holder?.key ?? 0n)
  result[13] = reservation.type
  return Buffer.concat([header(state, result.length), result])
}

const typeMask =
  (1 << 15) | // WR_EX_AR
  (1 << 14) | // EX_AC_RO
  (1 << 13) | // WR_EX_RO
  (1 << 11) | // EX_AC
  (1 << 9) | // WR_EX
  (1 << 0) // EX_AC_AR

const capabilities = { crh: 0x10, sipC: 0x08, atpC: 0x04, ptplC: 0x01, tmv: 0x80, allowCommands: 0x10, ptplA: 0x01 } as const

/** SPC-4 6.15.4. ALLOW COMMANDS 001b: TEST UNIT READY is let through by all types. */
function reportCapabilities({ reservations: { state } }: LogicalUnit): Buffer {
  const { crh, sipC, atpC, ptplC, tmv, allowCommands, ptplA } = capabilities
  const result = Buffer.alloc(8)
  result.writeUInt16BE(result.length)
  result[2] = crh | sipC | atpC | ptplC
  result[3] = tmv | allowCommands | (state.isPersistent ? ptplA : 0)
  result.writeUInt16BE(typeMask, 4)
  return result
}

/** SPC-4 6.15.5. */
function readFullStatus({ reservations: { state } }: LogicalUnit): Buffer {
  const descriptors = [...state.registrations.values()].map(({ registrant, key, transportId, relativeTargetPort }) => {
    const result = Buffer.alloc(24 + transportId.length)
    const holds = isHolder(state, registrant)
    result.writeBigUInt64BE(key)
    result[12] = holds ? 1 : 0
    if (holds) result[13] = state.reservation?.type ?? 0
    result.writeUInt16BE(relativeTargetPort, 18)
    result.writeUInt32BE(transportId.length, 20)
    transportId.copy(result, 24)
    return result
  })
  const all = Buffer.concat(descriptors)
  return Buffer.concat([header(state, all.length), all])
}

const serviceActions: readonly (readonly [name: string, list: (unit: LogicalUnit) => Buffer])[] = [
  ['READ KEYS', readKeys],
  ['READ RESERVATION', readReservation],
  ['REPORT CAPABILITIES', reportCapabilities],
  ['READ FULL STATUS', readFullStatus],
]

function answer(task: ScsiTask, unit: LogicalUnit, list: (unit: LogicalUnit) => Buffer): TaskResult {
  if (unit.reservations.isReserved) return reservationConflict
  return goodDataIn(task, list(unit), task.cdb.readUInt16BE(7))
}

/** Rows of the dispatch table. */
export const persistentReserveInCommands: readonly Command[] = serviceActions.map(([name, list], serviceAction) => ({
  name: `PERSISTENT RESERVE IN, ${name}`,
  opcode: 0x5e,
  serviceAction,
  clause: `SPC-4 6.15.${serviceAction + 2}`,
  usage: `5e 0${serviceAction} 0000000000 ffff 00`,
  access: 'always',
  worksWithoutMedium: true,
  execute: (task, unit) => answer(task, unit, list),
}))
