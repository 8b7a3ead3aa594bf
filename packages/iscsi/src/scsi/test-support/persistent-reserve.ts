/** PERSISTENT RESERVE IN and OUT, as an initiator sends them. */
import { OutAction } from '../reservations/actions.ts'
import type { Reply, TestInitiator } from './initiator.ts'

/** What a parameter list may say. */
export interface OutOptions {
  readonly type?: number
  readonly key?: bigint
  readonly serviceActionKey?: bigint
  /** Byte 20: SPEC_I_PT, ALL_TG_PT, APTPL. */
  readonly flags?: number
  readonly transportIds?: readonly Buffer[]
}

/** PERSISTENT RESERVE OUT with the list that all service actions but REGISTER AND MOVE have. */
export async function persistentReserveOut(initiator: TestInitiator, action: number, options: OutOptions = {}): Promise<Reply> {
  const { type = 0, key = 0n, serviceActionKey = 0n, flags = 0, transportIds } = options
  const list = Buffer.alloc(24)
  list.writeBigUInt64BE(key)
  list.writeBigUInt64BE(serviceActionKey, 8)
  list[20] = flags
  if (transportIds === undefined) return initiator.send(outCdb(action, type, list.length), list)
  const ids = Buffer.concat(transportIds)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(ids.length)
  return initiator.send(outCdb(action, type, list.length + 4 + ids.length), Buffer.concat([list, length, ids]))
}

/** REGISTER AND MOVE (SPC-4 6.16.4). */
export async function registerAndMove(
  initiator: TestInitiator,
  options: { key: bigint; serviceActionKey: bigint; flags?: number; port?: number; transportId: Buffer },
): Promise<Reply> {
  const { key, serviceActionKey, flags = 0, port = 1, transportId } = options
  const list = Buffer.alloc(24)
  list.writeBigUInt64BE(key)
  list.writeBigUInt64BE(serviceActionKey, 8)
  list[17] = flags
  list.writeUInt16BE(port, 18)
  list.writeUInt32BE(transportId.length, 20)
  return initiator.send(outCdb(OutAction.registerAndMove, 0, list.length + transportId.length), Buffer.concat([list, transportId]))
}

function outCdb(action: number, type: number, length: number): Buffer {
  const cdb = Buffer.alloc(10)
  cdb[0] = 0x5f
  cdb[1] = action
  cdb[2] = type
  cdb.writeUInt32BE(length, 5)
  return cdb
}

/** REGISTER AND IGNORE EXISTING KEY. */
export const registerIgnoring = (initiator: TestInitiator, serviceActionKey: bigint, flags = 0): Promise<Reply> =>
  persistentReserveOut(initiator, OutAction.registerAndIgnoreExistingKey, { serviceActionKey, flags })

/** RESERVE */
export const reserve = (initiator: TestInitiator, key: bigint, type: number): Promise<Reply> =>
  persistentReserveOut(initiator, OutAction.reserve, { key, type })

/** RELEASE */
export const release = (initiator: TestInitiator, key: bigint, type: number): Promise<Reply> =>
  persistentReserveOut(initiator, OutAction.release, { key, type })

/** READ KEYS: PRGENERATION, and the keys. */
export async function readKeys(initiator: TestInitiator): Promise<{ readonly generation: number; readonly keys: readonly bigint[] }> {
  const { data } = await initiator.send('5e00 0000000000 ffff 00')
  const keys = Array.from({ length: data.readUInt32BE(4) / 8 }, (_, index) => data.readBigUInt64BE(8 + 8 * index))
  return { generation: data.readUInt32BE(0), keys }
}

/** READ RESERVATION: key and type; undefined where there is none. */
export async function readReservation(initiator: TestInitiator): Promise<{ readonly key: bigint; readonly type: number } | undefined> {
  const { data } = await initiator.send('5e01 0000000000 ffff 00')
  return data.readUInt32BE(4) === 0 ? undefined : { key: data.readBigUInt64BE(8), type: data[21] }
}
