/** Opens of a session by FileId (MS-SMB2 3.3.1.8 Session.OpenTable, 2.2.14.1). */
import { randomInt } from 'node:crypto'
import { StatusError } from './handler-api.ts'
import type { OpenMap, ServerOpen } from './handler-api.ts'
import { NtStatus } from '../../messages/nt-status.ts'

const indexOf = (volatileId: bigint): number => Number(volatileId & 0xffffffffn) - 1
const volatileIdOf = (generation: number, index: number): bigint => (BigInt(generation) << 32n) | BigInt(index + 1)

interface Slot {
  open: ServerOpen | undefined
  /** High half of the volatile id; another one with each use of the slot, so that an old FileId does not name a new open. */
  generation: number
  persistentLow: number
  persistentHigh: number
}

/**
 * FileId.Volatile is {slot + 1, generation}: a lookup is an array index and three comparisons, without a BigInt.
 * All ones and all zeros are never given out.
 */
export class SessionOpens implements OpenMap {
  readonly #slots: Slot[] = []
  readonly #free: number[] = []
  /** Volatile ids of opens that are still to come. */
  readonly #reserved = new Set<bigint>()
  /** Who waits for an open to come, by volatile id. */
  readonly #arrivals = new Map<bigint, (() => void)[]>()
  readonly #opensMax: number
  #size = 0
  #hasEnded = false
  #generation: number

  constructor(options: { readonly opensMax: number; readonly firstGeneration?: number }) {
    this.#opensMax = options.opensMax
    this.#generation = options.firstGeneration ?? randomInt(1, 0x7fffffff)
  }

  get size(): number {
    return this.#size
  }

  /** The session has ended: whoever is late with an open has to give it up. */
  end(): void {
    this.#hasEnded = true
  }

  reserve(): bigint {
    if (this.#hasEnded) throw new StatusError(NtStatus.USER_SESSION_DELETED, 'the session has ended meanwhile')
    if (this.#size >= this.#opensMax) throw new StatusError(NtStatus.INSUFFICIENT_RESOURCES, 'too many opens in this session')
    this.#generation = this.#generation >= 0x7ffffffe ? 1 : this.#generation + 1
    const index = this.#freeIndex()
    this.#slots[index] = { open: undefined, generation: this.#generation, persistentLow: 0, persistentHigh: 0 }
    this.#size += 1
    const volatileId = volatileIdOf(this.#generation, index)
    this.#reserved.add(volatileId)
    return volatileId
  }

  giveBack(volatileId: bigint): void {
    if (!this.#reserved.delete(volatileId)) return
    this.#size -= 1
    this.#free.push(indexOf(volatileId))
  }

  add<T extends ServerOpen>(open: T, reserved: bigint = this.reserve()): T {
    if (this.#hasEnded) throw new StatusError(NtStatus.USER_SESSION_DELETED, 'the session has ended meanwhile')
    this.#reserved.delete(reserved)
    return this.#seat(open, reserved)
  }

  /** Whether `restore` may give an open that id. */
  isFree(volatileId: bigint): boolean {
    const index = indexOf(volatileId)
    const slot = this.#slots[index]
    return slot === undefined || (slot.open === undefined && !this.#reserved.has(volatileIdOf(slot.generation, index)))
  }

  /** Resolves when there is an open with that id, or when the wait is given up (`stopWaiting`). */
  arrival(volatileId: bigint): Promise<void> {
    return new Promise(resolve => {
      this.#arrivals.set(volatileId, [...(this.#arrivals.get(volatileId) ?? []), resolve])
    })
  }

  stopWaiting(volatileId: bigint): void {
    for (const resolve of this.#arrivals.get(volatileId) ?? []) resolve()
    this.#arrivals.delete(volatileId)
  }

  restore(open: ServerOpen, volatileId: bigint): void {
    if (this.#hasEnded) throw new StatusError(NtStatus.USER_SESSION_DELETED, 'the session has ended meanwhile')
    while (this.#slots.length <= indexOf(volatileId)) {
      this.#free.push(this.#slots.length)
      this.#slots.push({ open: undefined, generation: 0, persistentLow: 0, persistentHigh: 0 })
    }
    this.#size += 1
    this.#seat(open, volatileId)
  }

  #seat<T extends ServerOpen>(open: T, volatileId: bigint): T {
    this.#slots[indexOf(volatileId)] = {
      open,
      generation: Number(volatileId >> 32n),
      persistentLow: Number(open.persistentId & 0xffffffffn),
      persistentHigh: Number((open.persistentId >> 32n) & 0xffffffffn),
    }
    open.volatileId = volatileId
    if (this.#arrivals.size > 0) this.stopWaiting(volatileId)
    return open
  }

  #freeIndex(): number {
    for (let index = this.#free.pop(); index !== undefined; index = this.#free.pop()) {
      // One may be listed twice, or have been restored meanwhile.
      if (this.isFree(volatileIdOf(0, index))) return index
    }
    return this.#slots.length
  }

  remove(open: ServerOpen): void {
    const index = indexOf(open.volatileId)
    const slot = this.#slots[index]
    if (slot?.open !== open) return
    slot.open = undefined
    this.#size -= 1
    this.#free.push(index)
  }

  /** True while the open can be found. */
  has(open: ServerOpen): boolean {
    return this.#slots[indexOf(open.volatileId)]?.open === open
  }

  at(bytes: Buffer, offset: number): ServerOpen | undefined {
    const slot = this.#slots[bytes.readUInt32LE(offset + 8) - 1]
    if (
      slot === undefined ||
      slot.generation !== bytes.readUInt32LE(offset + 12) ||
      slot.persistentLow !== bytes.readUInt32LE(offset) ||
      slot.persistentHigh !== bytes.readUInt32LE(offset + 4)
    ) {
      return undefined
    }
    return slot.open
  }

  writeFileId(open: ServerOpen, target: Buffer, offset: number): void {
    target.writeBigUInt64LE(open.persistentId, offset)
    target.writeBigUInt64LE(open.volatileId, offset + 8)
  }

  *values(): Iterable<ServerOpen> {
    for (const slot of this.#slots) if (slot.open !== undefined) yield slot.open
  }
}
