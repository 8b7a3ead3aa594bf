import { givesWayTo, openOfInstance } from './app-instances.ts'
import { attemptOpen } from './arbitration.ts'
import { oplockState } from './caching-states.ts'
import { adoptLink, attemptSetDeletePending, markForDeletion, orderDeletion } from './deletion.ts'
import { DurableOpens } from './durable-opens.ts'
import { leaseId, noWorker, type Caching, type Open, type Stream } from './entities.ts'
import { breakFolderLeases } from './folder-leases.ts'
import { breakReadCaching, lockRanges, releaseLocks } from './locking.ts'
import type { FolderWatcher } from './notify/external-changes.ts'
import { NotifyRegistry, type WatchRecord } from './notify/notify-registry.ts'
import type { NotifyRequest, NotifyResult } from './notify/types.ts'
import { Journal, type OpenStore } from './journal.ts'
import { opensOf } from './mirror.ts'
import { createPartitionMemory, PartitionMemory } from './partition-memory.ts'
import { PartitionState, type TableMessage } from './partition-state.ts'
import { Pending } from './pending.ts'
import { recordOf, restoreOpen } from './records.ts'
import { applyRename, attemptRename, expectRename } from './renames.ts'
import { createScheduler, type Scheduler } from './scheduler.ts'
import {
  oplockLevels,
  type CloseResult,
  type DeleteOrder,
  type DurableRequest,
  type LeaseAcknowledgement,
  type LockElement,
  type LockSequence,
  type OpenRecord,
  type OpenRequest,
  type OpenResult,
  type OplockAcknowledgement,
  type PartitionRecord,
  type ReconnectRequest,
  type ReconnectResult,
  type RenameTarget,
  type ResiliencyRequest,
  type StatusResult,
  type Reconnected,
  type SessionReference,
  type Claim,
} from './types.ts'
import type { Attempt } from './waiters.ts'

/** How long a client may take to acknowledge a break, in milliseconds (MS-SMB2 3.3.2.1). */
export const defaultBreakTimeoutMs = 35_000

export interface OpenTableOptions {
  readonly partition: string
  /** A new id for each call, unique in the node and never 0 or all ones. */
  readonly nextOpenId: () => bigint
  /** Tells the worker that serves an open. */
  readonly send: (worker: number, message: TableMessage) => void
  /** Something to be removed for a worker that died before it did so. */
  readonly orphaned?: (order: DeleteOrder) => void
  /** Shared with the other workers; private memory without. */
  readonly memory?: SharedArrayBuffer
  readonly scheduler?: Scheduler
  /** Milliseconds since 1970; the system's clock unless given. */
  readonly wallClock?: () => number
  readonly breakTimeoutMs?: number
  /** Reports what others do in a folder, while it is watched. */
  readonly watchFolder?: FolderWatcher | undefined
  readonly incarnation?: number
  /** Keeps persistent opens; without one there are none. */
  readonly store?: OpenStore | undefined
}

const closed: StatusResult = { status: 'FILE_CLOSED' }

/** A removal that was ordered, and whose doing it is. */
interface Deletion {
  readonly order: DeleteOrder
  readonly stream: Stream
  readonly worker: number
  /** The open whose end it is. */
  readonly openId: bigint
  /** Where nobody served the last open: who waits for the end. */
  whenGone?: (() => void)[]
}

/**
 * The open table of one partition, on its owner: pure and synchronous. What must wait comes as `Pending`.
 * `worker` is who serves the session that asks.
 */
export class OpenTable {
  readonly partition: string
  readonly notify: NotifyRegistry
  /** Where opens are kept that are to survive the process. */
  readonly journal: Journal | undefined
  readonly #state: PartitionState
  readonly #memory: PartitionMemory
  readonly #nextOpenId: () => bigint
  readonly #send: (worker: number, message: TableMessage) => void
  readonly #orphaned: ((order: DeleteOrder) => void) | undefined
  readonly #scheduler: Scheduler
  readonly #incarnation: number
  readonly #generation: number
  /** Removals that were ordered, and whose doing they are. */
  readonly #durable: DurableOpens
  /** Who should be told of a break and cannot be. */
  readonly #unreachable = new Set<Caching>()
  readonly #deletions = new Map<number, Deletion>()
  /** Records of persistent opens that have ended, but for a removal they have ordered: should nobody live to do it, it is ordered again. */
  readonly #leaving = new Map<bigint, OpenRecord>()
  #ticket: number

  constructor(options: OpenTableOptions) {
    this.partition = options.partition
    this.#memory = new PartitionMemory(options.memory ?? createPartitionMemory(1024))
    this.#generation = this.#memory.reset()
    // Tickets of a former owner mean nothing here.
    this.#ticket = this.#generation * 2 ** 32
    this.#nextOpenId = options.nextOpenId
    this.#send = options.send
    this.#orphaned = options.orphaned
    this.#incarnation = options.incarnation ?? 1
    const scheduler = options.scheduler ?? createScheduler()
    this.#scheduler = scheduler
    this.#state = new PartitionState({
      memory: this.#memory,
      scheduler,
      send: (worker, message) => this.#tell(worker, message),
      unreachable: caching => this.#onUnreachable(caching),
      breakTimeoutMs: options.breakTimeoutMs ?? defaultBreakTimeoutMs,
    })
    this.#durable = new DurableOpens({
      scheduler,
      open: openId => this.#state.opens.get(openId),
      give: open => this.#closeUnserved(open),
      wallClock: options.wallClock ?? Date.now,
      forfeit: caching => this.#state.forfeit(caching),
      remind: caching => this.#state.remind(caching),
      letGo: (worker, openId) => this.#send(worker, { type: 'let-go', openId }),
    })
    this.journal = options.store && new Journal(options.store, openId => this.#persistentRecord(openId))
    this.notify = new NotifyRegistry({
      memory: this.#memory,
      scheduler,
      watchFolder: options.watchFolder,
      breakLeases: change => breakFolderLeases(this.#state, change),
    })
  }

  /** Changes with the owner: batches of the store compare it. */
  get record(): PartitionRecord {
    return { partition: this.partition, incarnation: this.#incarnation, epoch: this.#generation }
  }

  /** Grows with each owner in the same shared memory. */
  get generation(): number {
    return this.#generation
  }

  /** Number of opens. */
  get size(): number {
    return this.#state.opens.size
  }

  #tell(worker: number, message: TableMessage): void {
    if (this.journal !== undefined) for (const openId of opensOf(message)) this.journal.note(openId)
    // Watches live here, whoever serves their open.
    if (message.type === 'path') this.notify.moved(message.openId, message.path)
    if (message.type === 'delete-pending' && message.deletePending !== 'none') this.notify.folderGoing(message.openIds)
    if (worker !== noWorker) this.#send(worker, message)
  }

  open(worker: number, request: OpenRequest): OpenResult | Pending<OpenResult> {
    if (this.#durable.ofCreate(request) !== undefined) return { status: 'DUPLICATE_OBJECTID' }
    const former = openOfInstance(this.#state, request)
    if (former !== undefined && !givesWayTo(former.appInstance!, request.appInstance!)) return { status: 'FILE_FORCED_CLOSED' }
    if (former !== undefined && request.endsFormerInstance === true) this.#end(former)
    if (this.#durable.isReserved(request, this.#state.findStream(request).stream?.opens ?? [])) {
      this.#noteParked(request)
      return { status: 'FILE_NOT_AVAILABLE' }
    }
    const result = this.#state.waiting.attempt<OpenResult>({
      worker,
      attempt: () => this.#attemptOpen(worker, request),
      refused: status => ({ status }),
    })
    if (result instanceof Pending) {
      this.#noteParked(request)
      // Nothing is answered before the wait is over, and that is what the next process has to know.
      this.journal?.flush()?.catch(() => undefined)
      return result
    }
    return result.status === 'DELETE_PENDING' ? (this.#whenGone(request) ?? result) : result
  }

  /** What waits for its client is in somebody's way: from here on the store knows since when. */
  #noteParked(request: OpenRequest): void {
    for (const open of this.#state.findStream(request).stream?.opens ?? []) if (open.parkedAt !== undefined) this.journal?.note(open.id)
  }

  /** What an open that gave way was to delete is on its way out: whoever asks for the file waits, and finds it gone. */
  #whenGone({ volumeId, fileId }: OpenRequest): Pending<OpenResult> | undefined {
    for (const { order, whenGone } of this.#deletions.values()) {
      if (whenGone === undefined || order.volumeId !== volumeId || order.fileId !== fileId) continue
      const pending = new Pending<OpenResult>({ waiting: true, cancel: () => pending.settle({ status: 'CANCELLED' }) })
      whenGone.push(() => pending.settle({ status: 'OBJECT_NAME_NOT_FOUND' }))
      return pending
    }
    return undefined
  }

  #newOpenId(): bigint {
    // Opens of an earlier process may still have theirs.
    for (;;) {
      const id = this.#nextOpenId()
      if (!this.#state.opens.has(id)) return id
    }
  }

  #attemptOpen(worker: number, request: OpenRequest): Attempt<OpenResult> {
    let attempt = attemptOpen(this.#state, request, () => ({ id: this.#newOpenId(), worker }))
    // Whoever is away is not waited for.
    while ('blockers' in attempt && attempt.blockers.some(blocker => this.#durable.giveWay(blocker))) {
      attempt = attemptOpen(this.#state, request, () => ({ id: this.#newOpenId(), worker }))
    }
    if ('blockers' in attempt || attempt.result.status !== 'SUCCESS') return attempt
    const open = this.#state.opens.get(attempt.result.openId)
    if (open === undefined) return attempt
    const result = this.#durable.granted(open, request, attempt.result)
    this.journal?.note(open.id)
    return { result }
  }

  #onUnreachable(caching: Caching): void {
    if (this.#unreachable.size === 0) this.#scheduler.defer(() => this.#giveWay())
    this.#unreachable.add(caching)
  }

  #giveWay(): void {
    for (const caching of this.#unreachable) this.#durable.giveWay(caching)
    this.#unreachable.clear()
  }

  /** The connection of an open is gone. False: it does not outlive that, and is to be closed (MS-SMB2 3.3.7.1). */
  park(openId: bigint, isReplayEligible: boolean): boolean {
    const open = this.#state.opens.get(openId)
    if (open === undefined || !this.#durable.park(open, open.worker, isReplayEligible)) return false
    this.#state.waiting.refuse(waiter => waiter.open === open, 'CANCELLED')
    this.journal?.note(openId)
    return true
  }

  /** A client comes back to an open that waits for it. */
  reconnect(worker: number, ask: ReconnectRequest): ReconnectResult {
    const result = this.#durable.reconnect(worker, ask)
    if (result.status === 'SUCCESS') this.journal?.note(result.openId)
    return result
  }

  /** Whether a persistent open waits for the client that claims it. */
  awaits(claim: Claim): boolean {
    return this.#durable.awaits(claim)
  }

  /** A session goes on with another worker: its opens that wait are that one's. */
  takeOver(worker: number, session: SessionReference): readonly Reconnected[] {
    const taken = this.#durable.takeOver(worker, session)
    for (const { openId } of taken) this.journal?.note(openId)
    return taken
  }

  /** Closes an open whatever its client thinks (MS-SMB2 3.3.4.17). */
  #end(open: Open): void {
    open.keeper = open.holder
    open.worker = noWorker
    this.#closeUnserved(open)
  }

  /** The same for an administrator. False: there is no such open. */
  forceClose(openId: bigint): boolean {
    const open = this.#state.opens.get(openId)
    if (open !== undefined) this.#end(open)
    return open !== undefined
  }

  /** Ids of the opens that wait for their clients. */
  *waiting(): IterableIterator<bigint> {
    for (const { id, worker } of this.#state.opens.values()) if (worker === noWorker) yield id
  }

  /** FSCTL_LMR_REQUEST_RESILIENCY (MS-SMB2 3.3.5.15.9). Undefined: there is no such open. */
  makeResilient(openId: bigint, request: ResiliencyRequest): DurableRequest | undefined {
    const open = this.#state.opens.get(openId)
    if (open === undefined) return undefined
    this.journal?.note(openId)
    return this.#durable.makeResilient(open, request)
  }

  /** Closes what nobody serves. */
  #closeUnserved(open: Open): void {
    const order = this.#close(open)
    // Nobody waits for it: the next change tries again what fails.
    this.journal?.flush()?.catch(() => undefined)
    if (order === undefined) return
    this.#deletions.get(order.ticket)!.whenGone = []
    this.#orphaned?.(order)
  }

  /** Slot of an open's stream in the shared memory, and the generation in which that counts. */
  slotOf(openId: bigint): { readonly slot: number; readonly generation: number } | undefined {
    const open = this.#state.opens.get(openId)
    return open && { slot: open.stream.slot, generation: this.#generation }
  }

  close(openId: bigint): CloseResult {
    const open = this.#state.opens.get(openId)
    if (open === undefined) return { status: 'FILE_CLOSED' }
    const deleteNow = this.#close(open)
    return deleteNow === undefined ? { status: 'SUCCESS' } : { status: 'SUCCESS', deleteNow }
  }

  #close(open: Open): DeleteOrder | undefined {
    const { stream, caching } = open
    const record = this.#persistentRecord(open.id)
    open.closed = true
    this.#durable.closed(open)
    releaseLocks(this.#state, open)
    this.notify.closed(open.id)
    this.#state.removeOpen(open)
    // FILE_DELETE_ON_CLOSE shows now, not before (MS-FSA 2.1.5.4).
    if (open.deleteOnClose) markForDeletion(this.#state, open, true)
    if (caching !== undefined) {
      caching.opens.delete(open)
      if (caching.opens.size === 0) this.#state.removeCaching(caching)
    }
    const ordered = orderDeletion(open, () => ++this.#ticket)
    const order = ordered && record !== undefined ? { ...ordered, isStored: true } : ordered
    if (order !== undefined) this.#deletions.set(order.ticket, { order, stream, worker: open.worker, openId: open.id })
    if (order?.isStored === true) this.#leaving.set(open.id, record!)
    else this.journal?.note(open.id)
    this.#state.prune(stream)
    this.#state.waiting.refuse(waiter => waiter.open === open, 'FILE_CLOSED')
    if (caching?.opens.size === 0) this.#state.waiting.release(caching)
    return order
  }

  deleteFinished(ticket: number): void {
    const deletion = this.#deletions.get(ticket)
    if (deletion === undefined) return
    this.#deletions.delete(ticket)
    if (this.#leaving.delete(deletion.openId)) this.journal?.note(deletion.openId)
    if (deletion.whenGone !== undefined) for (const tell of deletion.whenGone) this.#scheduler.defer(tell)
    const { stream } = deletion
    const { file } = stream
    if (stream.deleting === deletion.order) stream.deleting = undefined
    if (file.removals.delete(deletion.order)) adoptLink(this.#state, file)
    if (file.opens === 0) file.goingLinks.clear()
    if (stream.opens.size === 0) stream.deletePending = false
    for (const each of [...file.streams.values(), stream]) this.#state.prune(each)
  }

  acknowledgeOplockBreak(openId: bigint, level: number): OplockAcknowledgement {
    const open = this.#state.opens.get(openId)
    if (open === undefined) return { status: 'FILE_CLOSED', oplockLevel: oplockLevels.none }
    if (level === oplockLevels.lease || open.caching?.kind === 'lease') return { status: 'INVALID_PARAMETER', oplockLevel: oplockLevels.none }
    if (open.caching === undefined) return { status: 'INVALID_OPLOCK_PROTOCOL', oplockLevel: oplockLevels.none }
    // A level that no oplock has is as wrong as exclusive.
    const state = level === oplockLevels.none || level === oplockLevels.levelII ? oplockState(level) : oplockState(oplockLevels.batch)
    const { breakingTo } = open.caching
    const { status } = this.#state.acknowledge(open.caching, state)
    return { status, oplockLevel: status === 'SUCCESS' && (state & breakingTo) !== 0 ? oplockLevels.levelII : oplockLevels.none }
  }

  acknowledgeLeaseBreak(ack: { readonly clientGuid: string; readonly leaseKey: string; readonly state: number }): LeaseAcknowledgement {
    const lease = this.#state.leases.get(leaseId(ack.clientGuid, ack.leaseKey))
    if (lease === undefined) return { status: 'OBJECT_NAME_NOT_FOUND', state: 0 }
    const { status } = this.#state.acknowledge(lease, ack.state)
    // What was acknowledged is what is answered, even if the next break is already on its way.
    return { status, state: status === 'SUCCESS' ? ack.state : lease.state }
  }

  setDeletePending(openId: bigint, on: boolean): StatusResult | Pending<StatusResult> {
    return this.#onOpen(openId, open => attemptSetDeletePending(this.#state, open, on))
  }

  isDeletePending(openId: bigint): boolean {
    return this.#state.opens.get(openId)?.isGoing === true
  }

  prepareRename(openId: bigint, target: RenameTarget): StatusResult | Pending<StatusResult> {
    return this.#onOpen(openId, open => {
      const attempt = attemptRename(this.#state, open, target)
      if ('result' in attempt && attempt.result.status === 'SUCCESS') expectRename(open, target, ({ id }) => this.journal?.note(id))
      return attempt
    })
  }

  #onOpen(openId: bigint, attempt: (open: Open) => ReturnType<typeof attemptSetDeletePending>): StatusResult | Pending<StatusResult> {
    const open = this.#state.opens.get(openId)
    if (open === undefined) return closed
    return this.#state.waiting.attempt<StatusResult>({
      worker: open.worker,
      open,
      attempt: () => attempt(open),
      refused: status => ({ status }),
    })
  }

  commitRename(openId: bigint, target: { readonly path: string; readonly stream?: string }): void {
    const open = this.#state.opens.get(openId)
    if (open !== undefined) applyRename(this.#state, open, target)
  }

  lock(openId: bigint, elements: readonly LockElement[], sequence?: LockSequence): StatusResult | Pending<StatusResult> {
    const open = this.#state.opens.get(openId)
    return open === undefined ? closed : lockRanges(this.#state, open, elements, sequence)
  }

  ioConflict(openId: bigint, offset: number, lengthBytes: number, isWrite: boolean): boolean {
    const open = this.#state.opens.get(openId)
    if (open === undefined || open.stream.locks.held.length === 0) return false
    return open.stream.locks.forbidsAccess(openId, { offset: BigInt(offset), length: BigInt(lengthBytes) }, isWrite)
  }

  contend(openId: bigint): void {
    const open = this.#state.opens.get(openId)
    if (open !== undefined && open.stream.caching.size > 0) breakReadCaching(this.#state, open)
  }

  pathOf(openId: bigint): { readonly path: string; readonly stream: string } | undefined {
    const open = this.#state.opens.get(openId)
    return open && { path: open.path, stream: open.stream.name }
  }

  /** CHANGE_NOTIFY on an open folder. */
  nextChange(request: NotifyRequest): NotifyResult | Pending<NotifyResult> {
    const stream = this.#state.opens.get(request.openId)?.stream
    if (stream === undefined) return { status: 'FILE_CLOSED', entries: [] }
    if (!stream.file.isFolder) return { status: 'INVALID_PARAMETER', entries: [] }
    if (stream.isMarkedForDeletion) return { status: 'DELETE_PENDING', entries: [] }
    return this.notify.next(stream.file.path, request)
  }

  /** All opens, as a store would keep them. */
  *records(): IterableIterator<OpenRecord> {
    for (const open of this.#state.opens.values()) yield recordOf(open)
  }

  recordOf(openId: bigint): OpenRecord | undefined {
    const open = this.#state.opens.get(openId)
    return open && recordOf(open)
  }

  #persistentRecord(openId: bigint): OpenRecord | undefined {
    const open = this.#state.opens.get(openId)
    if (open === undefined) return this.#leaving.get(openId)
    return open.durable?.persistent === true ? recordOf(open) : undefined
  }

  /** Enters the opens that the store has: all of them wait for their clients. */
  async recover(): Promise<void> {
    for (const record of (await this.journal?.load()) ?? []) {
      if (this.#state.opens.has(record.openId)) continue
      const open = restoreOpen(this.#state, record, noWorker)
      this.#durable.park(open, noWorker, true)
    }
  }

  /** Takes over what a worker had been granted by the former owner. */
  reclaim(worker: number, reclaimed: { readonly opens: readonly OpenRecord[]; readonly watches: readonly WatchRecord[] }): void {
    for (const record of reclaimed.opens) {
      const open = restoreOpen(this.#state, record, worker)
      if (record.parked === true) this.#durable.park(open, worker, true)
      // The store had it first.
      else if (open.worker === noWorker) this.#durable.serve(open, worker)
    }
    for (const watch of reclaimed.watches) this.notify.reclaim(watch)
  }

  /** A worker died: what it had open is closed, and what it should have removed is given to `orphaned`. */
  dropWorker(worker: number): void {
    this.#state.waiting.refuse(waiter => waiter.worker === worker, 'CANCELLED')
    this.#durable.forgetKeeper(worker)
    for (const deletion of this.#deletions.values()) if (deletion.worker === worker) this.#orphaned?.(deletion.order)
    for (const open of Array.from(this.#state.opens.values())) {
      if (open.worker === worker && !this.#durable.park(open, noWorker, true)) this.#closeUnserved(open)
    }
  }
}
