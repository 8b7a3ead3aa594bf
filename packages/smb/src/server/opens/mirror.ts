import { applyLockElements, ByteRangeLocks } from './byte-range-locks.ts'
import type { WatchRecord } from './notify/notify-registry.ts'
import type { NotifyRequest } from './notify/types.ts'
import type { RemoteGrant, SlotReference } from './owner-service.ts'
import { noSlot } from './partition-memory.ts'
import type { TableMessage } from './partition-state.ts'
import {
  lockFlags,
  oplockLevels,
  type CachingRecord,
  type DeletePending,
  type DurableRequest,
  type LockElement,
  type LockSequence,
  type OpenRecord,
  type OpenRequest,
} from './types.ts'

/** What a worker remembers of an open it serves, to answer without asking and to tell a new owner. */
export class MirroredOpen {
  readonly openId: bigint
  readonly request: OpenRequest
  path: string
  stream: string
  slot: number
  generation: number
  caching: CachingRecord | undefined
  deletePending: DeletePending = 'none'
  /** It waits here for its client. */
  parked = false
  watch: Omit<WatchRecord, 'openId' | 'path'> | undefined
  readonly #locks = new ByteRangeLocks()
  #durable: DurableRequest | undefined
  #lockSequences: Uint8Array | undefined

  constructor(openId: bigint, request: OpenRequest, grant: RemoteGrant) {
    this.openId = openId
    this.request = request
    this.path = request.path
    this.stream = request.stream
    this.slot = grant.slot ?? noSlot
    this.generation = grant.generation ?? 0
    this.caching = grant.caching
    if (grant.result.status === 'SUCCESS' && grant.result.durable === true) this.#durable = request.durable
  }

  /** An open that another worker served before. */
  static ofRecord(record: OpenRecord, slot: Partial<SlotReference>): MirroredOpen {
    const { caching, openId } = record
    const result = { status: 'SUCCESS', openId, oplockLevel: oplockLevels.none, durable: record.durable !== undefined } as const
    const open = new MirroredOpen(openId, { ...record, oplockLevel: oplockLevels.none }, { result, ...slot, ...(caching && { caching }) })
    open.deletePending = record.deletePending
    for (const lock of record.locks) open.#locks.add(lock)
    open.#lockSequences = record.lockSequences
    return open
  }

  /** The owner has made it resilient. */
  outlives(durable: DurableRequest): void {
    this.#durable = durable
  }

  /** A LOCK request was answered: does here what it did there. */
  locked(elements: readonly LockElement[], succeeded: boolean, sequence: LockSequence | undefined): void {
    const unlock = elements[0] !== undefined && elements[0].flags === lockFlags.unlock
    if (unlock) applyLockElements(this.#locks, this.openId, elements)
    else if (succeeded) {
      for (const { offset, length, flags } of elements) {
        this.#locks.add({ openId: this.openId, offset, length, exclusive: (flags & lockFlags.exclusive) !== 0 })
      }
    }
    if (!succeeded || sequence === undefined || sequence.index < 1 || sequence.index > 64) return
    this.#lockSequences ??= new Uint8Array(64).fill(0xff)
    this.#lockSequences[sequence.index - 1] = sequence.number
  }

  watching({ recursive, filter, maxBytes }: NotifyRequest): void {
    this.watch ??= { recursive, filter, maxBytes }
  }

  apply(message: TableMessage): void {
    switch (message.type) {
      case 'path':
        this.path = message.path
        this.stream = message.stream
        return
      case 'delete-pending':
        this.deletePending = message.deletePending
        return
      case 'caching': {
        if (this.caching === undefined) return
        const { breakingTo: _, ...caching } = this.caching
        const { state, epoch, breakingTo } = message
        this.caching = { ...caching, state, epoch, ...(breakingTo === undefined ? {} : { breakingTo }) }
        return
      }
      case 'oplock-break':
      case 'lease-break':
      case 'let-go':
        return
    }
  }

  record(worker: number): OpenRecord {
    const { request } = this
    return {
      openId: this.openId,
      worker,
      volumeId: request.volumeId,
      fileId: request.fileId,
      path: this.path,
      ...(request.hasLinks === true ? { hasLinks: true } : {}),
      stream: this.stream,
      isFolder: request.isFolder,
      access: request.access,
      shareAccess: request.shareAccess,
      deleteOnClose: request.deleteOnClose === true,
      deletePending: this.deletePending,
      clientGuid: request.clientGuid,
      ...(request.createGuid === undefined ? {} : { createGuid: request.createGuid }),
      ...(this.caching === undefined ? {} : { caching: this.caching }),
      locks: this.#locks.held,
      ...(this.#lockSequences === undefined ? {} : { lockSequences: this.#lockSequences }),
      ...(this.#durable === undefined ? {} : { durable: this.#durable }),
      ...(request.appInstance === undefined ? {} : { appInstance: request.appInstance }),
      ...(this.parked ? { parked: true } : {}),
    }
  }
}

/** Ids of the opens a message is about. */
export const opensOf = (message: TableMessage): readonly bigint[] => {
  switch (message.type) {
    case 'path':
    case 'let-go':
      return [message.openId]
    case 'delete-pending':
    case 'caching':
      return message.openIds
    case 'oplock-break':
      return [message.notice.openId]
    case 'lease-break':
      return message.notice.openIds
  }
}
