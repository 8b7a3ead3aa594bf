/** Opens of a session by FileId (MS-SMB2 3.3.1.8 Session.OpenTable, 2.2.14.1). */
import { randomInt } from 'node:crypto'
import type { Counter } from '@holdfast/engine'
import { StatusError } from './handler-api.ts'
import type { OpenMap, ServerOpen } from './handler-api.ts'
import { NtStatus } from '../../messages/nt-status.ts'

interface Place {
  readonly open: ServerOpen
  readonly high: number
  readonly persistentLow: number
  readonly persistentHigh: number
}

/** Small integers to V8: what is looked up with each request must not be a number on the heap. */
const mostLow = 0x3fff_ffff

const lowOf = (volatileId: bigint): number => Number(volatileId & 0xffffffffn)

/**
 * FileId.Volatile is {a number that counts up, a number of the session}. Both begin at random, so that opens that have been in another session
 * keep theirs (3.3.5.9.7, 3.3.5.9.12): Linux (since 6.8) sends requests with the FileId of before. All ones and all zeros are never given out.
 */
export class SessionOpens implements OpenMap {
  readonly #places = new Map<number, Place>()
  /** Volatile ids of opens that are still to come. */
  readonly #reserved = new Set<number>()
  /** Who waits for an open to come, by volatile id. */
  readonly #arrivals = new Map<bigint, (() => void)[]>()
  readonly #opensMax: number
  readonly #gauge: Counter | undefined
  readonly #high = BigInt(randomInt(1, 0x7fffffff)) << 32n
  #next = randomInt(1, mostLow)
  #hasEnded = false

  /** `gauge` counts the opens of all sessions. */
  constructor(options: { readonly opensMax: number; readonly gauge?: Counter }) {
    this.#gauge = options.gauge
    this.#opensMax = options.opensMax
  }

  get size(): number {
    return this.#places.size + this.#reserved.size
  }

  /** The session has ended: whoever is late with an open has to give it up. */
  end(): void {
    this.#hasEnded = true
  }

  reserve(): bigint {
    this.#mustGoOn()
    if (this.size >= this.#opensMax) throw new StatusError(NtStatus.INSUFFICIENT_RESOURCES, 'too many opens in this session')
    do this.#next = this.#next >= mostLow ? 1 : this.#next + 1
    while (!this.#isFree(this.#next))
    this.#reserved.add(this.#next)
    return this.#high | BigInt(this.#next)
  }

  giveBack(volatileId: bigint): void {
    this.#reserved.delete(lowOf(volatileId))
  }

  add<T extends ServerOpen>(open: T, reserved: bigint = this.reserve()): T {
    this.#mustGoOn(open)
    this.#reserved.delete(lowOf(reserved))
    this.#seat(open, reserved)
    return open
  }

  isFree(volatileId: bigint): boolean {
    return this.#isFree(lowOf(volatileId))
  }

  restore(open: ServerOpen, volatileId: bigint): void {
    this.#mustGoOn(open)
    this.#seat(open, volatileId)
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

  remove(open: ServerOpen): void {
    const low = lowOf(open.volatileId)
    if (this.#places.get(low)?.open !== open) return
    this.#places.delete(low)
    this.#gauge?.add(-1)
  }

  /** True while the open can be found. */
  has(open: ServerOpen): boolean {
    return this.#places.get(lowOf(open.volatileId))?.open === open
  }

  at(bytes: Buffer, offset: number): ServerOpen | undefined {
    const place = this.#places.get(bytes.readUInt32LE(offset + 8))
    if (
      place === undefined ||
      place.high !== bytes.readUInt32LE(offset + 12) ||
      place.persistentLow !== bytes.readUInt32LE(offset) ||
      place.persistentHigh !== bytes.readUInt32LE(offset + 4)
    ) {
      return undefined
    }
    return place.open
  }

  writeFileId(open: ServerOpen, target: Buffer, offset: number): void {
    target.writeBigUInt64LE(open.persistentId, offset)
    target.writeBigUInt64LE(open.volatileId, offset + 8)
  }

  *values(): Iterable<ServerOpen> {
    for (const { open } of this.#places.values()) yield open
  }

  #mustGoOn(open?: ServerOpen): void {
    if (this.#hasEnded) throw new StatusError(NtStatus.USER_SESSION_DELETED, 'the session has ended meanwhile')
    if (open?.tree.hasEnded === true) throw new StatusError(NtStatus.NETWORK_NAME_DELETED, 'the tree connect has ended meanwhile')
  }

  #isFree(low: number): boolean {
    return !this.#places.has(low) && !this.#reserved.has(low)
  }

  #seat(open: ServerOpen, volatileId: bigint): void {
    open.volatileId = volatileId
    if (!this.#places.has(lowOf(volatileId))) this.#gauge?.add(1)
    this.#places.set(lowOf(volatileId), {
      open,
      high: Number(volatileId >> 32n),
      persistentLow: lowOf(open.persistentId),
      persistentHigh: Number((open.persistentId >> 32n) & 0xffffffffn),
    })
    if (this.#arrivals.size > 0) this.stopWaiting(volatileId)
  }
}
