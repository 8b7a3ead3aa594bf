import { afterFlush } from './journal.ts'
import type { OpenTable } from './open-table.ts'
import type { OwnerService } from './owner-service.ts'
import type { OpenRecord } from './types.ts'

/** All opens of a partition, on its owner, for whoever manages them. */
export class OwnedOpens {
  readonly #table: OpenTable
  readonly #service: OwnerService

  constructor(table: OpenTable, service: OwnerService) {
    this.#table = table
    this.#service = service
  }

  /** How many there are. */
  get size(): number {
    return this.#table.size
  }

  /** Ids of those that wait for their client. */
  waiting(): Iterable<bigint> {
    return this.#table.waiting()
  }

  recordOf(openId: bigint): OpenRecord | undefined {
    return this.#table.recordOf(openId)
  }

  /** Closes an open whatever its client does, and wherever it is served (MS-SMB2 3.3.4.17). False: there is none. */
  async forceClose(openId: bigint): Promise<boolean> {
    // What a former owner had granted, or the store has, may be it.
    await this.#service.recovery
    if (!this.#table.forceClose(openId)) return false
    await afterFlush(this.#table.journal, undefined)
    return true
  }

  /** Closes those that wait for their client and are as they are asked for. */
  async forceCloseWaiting(which: (record: OpenRecord) => boolean = () => true): Promise<void> {
    await this.#service.recovery
    for (const openId of Array.from(this.#table.waiting())) {
      const record = this.#table.recordOf(openId)
      if (record !== undefined && which(record)) this.#table.forceClose(openId)
    }
    await afterFlush(this.#table.journal, undefined)
  }
}
