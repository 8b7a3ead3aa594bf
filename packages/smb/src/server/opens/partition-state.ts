import { applyBreakEvent, type BreakEvent, type BreakOutcome } from './break-machine.ts'
import { oplockLevel } from './caching-states.ts'
import { File, fileKey, leaseId, noWorker, type Caching, type Open, Stream } from './entities.ts'
import { SlotAllocator, type PartitionMemory } from './partition-memory.ts'
import { foldPath } from './paths.ts'
import type { Scheduler } from './scheduler.ts'
import { leaseStates, type DeletePending, type LeaseBreak, type OpenRequest, type OplockBreak } from './types.ts'
import { WaitingRoom } from './waiters.ts'

/** What the table tells the worker that serves an open. */
export type TableMessage =
  | { readonly type: 'oplock-break'; readonly notice: OplockBreak }
  | { readonly type: 'lease-break'; readonly notice: LeaseBreak }
  | { readonly type: 'path'; readonly openId: bigint; readonly path: string; readonly stream: string }
  | { readonly type: 'delete-pending'; readonly openIds: readonly bigint[]; readonly deletePending: DeletePending }
  /** What the opens may cache, and what they were asked to come down to: for their record only. */
  | {
      readonly type: 'caching'
      readonly openIds: readonly bigint[]
      readonly state: number
      readonly epoch: number
      readonly breakingTo: number | undefined
    }
  /** The open does not wait for its client at this worker any more. */
  | { readonly type: 'let-go'; readonly openId: bigint }

/** Files, streams, opens and caching of a partition, and the breaks between them. No decision is taken here. */
export class PartitionState {
  readonly files = new Map<string, File>()
  readonly opens = new Map<bigint, Open>()
  readonly leases = new Map<string, Caching>()
  readonly waiting = new WaitingRoom()
  readonly memory: PartitionMemory
  readonly scheduler: Scheduler
  readonly #byPath = new Map<string, Set<File>>()
  readonly #slots: SlotAllocator
  readonly #send: (worker: number, message: TableMessage) => void
  readonly #unreachable: ((caching: Caching) => void) | undefined
  readonly #breakTimeoutMs: number

  constructor(options: {
    readonly memory: PartitionMemory
    readonly scheduler: Scheduler
    readonly send: (worker: number, message: TableMessage) => void
    /** A break was begun, and no worker can tell the client. */
    readonly unreachable?: (caching: Caching) => void
    readonly breakTimeoutMs: number
  }) {
    this.memory = options.memory
    this.scheduler = options.scheduler
    this.#slots = new SlotAllocator(options.memory)
    this.#send = options.send
    this.#unreachable = options.unreachable
    this.#breakTimeoutMs = options.breakTimeoutMs
  }

  /** The stream of a request, entered in the table if need be. */
  enterStream(request: OpenRequest): Stream {
    const key = fileKey(request.volumeId, request.fileId)
    let file = this.files.get(key)
    if (file === undefined) {
      file = new File(key, request, foldPath(request.path))
      this.files.set(key, file)
      this.#index(file)
    }
    const folded = foldPath(request.stream)
    let stream = file.streams.get(folded)
    if (stream === undefined) {
      stream = new Stream(file, request.stream, folded, this.#slots.allocate())
      file.streams.set(folded, stream)
    }
    return stream
  }

  findStream(request: OpenRequest): { readonly file: File | undefined; readonly stream: Stream | undefined } {
    const file = this.files.get(fileKey(request.volumeId, request.fileId))
    return { file, stream: file?.streams.get(foldPath(request.stream)) }
  }

  addOpen(open: Open): void {
    this.opens.set(open.id, open)
    open.stream.opens.add(open)
    open.stream.file.opens++
    if (open.link !== undefined) open.stream.file.linkOpens++
  }

  removeOpen(open: Open): void {
    this.opens.delete(open.id)
    open.stream.opens.delete(open)
    open.stream.file.opens--
    if (open.link !== undefined) open.stream.file.linkOpens--
  }

  /** A new file was given the id of one that is gone already, though that was not reported yet. */
  supersede(file: File): void {
    this.#forget(file)
  }

  /** Forgets a stream and, with the last one, its file, unless something is still to happen to them. */
  prune(stream: Stream): void {
    const { file } = stream
    if (stream.opens.size === 0 && stream.deleting === undefined && file.streams.get(stream.folded) === stream) {
      file.streams.delete(stream.folded)
      this.#slots.free(stream.slot)
    }
    if (file.opens === 0 && file.streams.size === 0 && file.removals.size === 0) this.#forget(file)
  }

  #forget(file: File): void {
    if (this.files.get(file.key) === file) this.files.delete(file.key)
    this.#unindex(file)
  }

  filesAt(foldedPath: string): Iterable<File> {
    return this.#byPath.get(foldedPath) ?? []
  }

  move(file: File, path: string): void {
    this.#unindex(file)
    file.path = path
    file.folded = foldPath(path)
    this.#index(file)
  }

  #index(file: File): void {
    const there = this.#byPath.get(file.folded)
    if (there === undefined) this.#byPath.set(file.folded, new Set([file]))
    else there.add(file)
  }

  #unindex(file: File): void {
    const there = this.#byPath.get(file.folded)
    there?.delete(file)
    if (there?.size === 0) this.#byPath.delete(file.folded)
  }

  addCaching(caching: Caching): void {
    caching.stream.caching.add(caching)
    if (caching.kind === 'lease') this.leases.set(leaseId(caching.clientGuid, caching.key), caching)
    this.countCaching(caching.stream)
  }

  /** The last open under it is gone; who waited goes on (call it when the table is consistent again). */
  removeCaching(caching: Caching): void {
    caching.stopTimer?.()
    caching.stopTimer = undefined
    caching.stream.caching.delete(caching)
    if (caching.kind === 'lease') this.leases.delete(leaseId(caching.clientGuid, caching.key))
    this.countCaching(caching.stream)
  }

  countCaching(stream: Stream): void {
    let holders = 0
    for (const { state } of stream.caching) if ((state & leaseStates.read) !== 0) holders++
    this.memory.setCaching(stream.slot, holders)
    if (stream.file.isFolder && holders !== stream.readers) this.memory.addFolderLeases(holders - stream.readers)
    stream.readers = holders
  }

  countLocks(stream: Stream): void {
    this.memory.setLocks(stream.slot, stream.locks.held.length)
  }

  /** Takes caching away but for the bits of `keep`; tells the client, and waits for its answer where one is due. */
  breakTo(caching: Caching, keep: number): void {
    this.#apply(caching, 'break', keep)
  }

  /** Any event of the break machine, with its consequences. */
  #apply(caching: Caching, event: BreakEvent, argument: number): BreakOutcome {
    const outcome = applyBreakEvent(caching, event, argument)
    if (outcome.finished === true || outcome.notice?.acknowledgementRequired === true) {
      caching.stopTimer?.()
      caching.stopTimer = undefined
    }
    if (outcome.notice !== undefined) this.#notify(caching, outcome.notice, event)
    if (caching.phase === 'breaking' && caching.stopTimer === undefined) {
      caching.stopTimer = this.scheduler.after(this.#breakTimeoutMs, () => this.#expire(caching))
    }
    this.countCaching(caching.stream)
    if (outcome.finished === true || outcome.notice !== undefined) this.tellCaching(caching)
    return outcome
  }

  /** Keeps the records of all workers with opens under it right. */
  tellCaching(caching: Caching): void {
    const { state, epoch, phase } = caching
    const breakingTo = phase === 'breaking' ? caching.breakingTo : undefined
    for (const [worker, openIds] of opensByHolder(caching.opens)) this.#send(worker, { type: 'caching', openIds, state, epoch, breakingTo })
  }

  /** Its client can't be asked. */
  forfeit(caching: Caching): void {
    caching.stopTimer?.()
    this.#expire(caching)
  }

  /** Its client was away when it was asked. */
  remind(caching: Caching): void {
    this.#notify(caching, { from: caching.state, to: caching.breakingTo, acknowledgementRequired: true }, 'acknowledge')
  }

  #expire(caching: Caching): void {
    caching.stopTimer = undefined
    this.#apply(caching, 'timeout', 0)
    this.waiting.release(caching)
  }

  /** A break that was asked for under the former owner. */
  resumeBreak(caching: Caching, to: number): void {
    caching.phase = 'breaking'
    caching.breakingTo = to
    caching.required = to
    caching.stopTimer = this.scheduler.after(this.#breakTimeoutMs, () => this.#expire(caching))
  }

  acknowledge(caching: Caching, state: number): BreakOutcome {
    const outcome = this.#apply(caching, 'acknowledge', state)
    if (outcome.finished === true) this.waiting.release(caching)
    return outcome
  }

  #notify(caching: Caching, notice: NonNullable<BreakOutcome['notice']>, event: BreakEvent): void {
    const { acknowledgementRequired } = notice
    // A break that goes on after an acknowledgement is the same change of the lease.
    if (caching.kind === 'lease' && event === 'break') caching.epoch = (caching.epoch + 1) & 0xffff
    const [served] = opensByHolder([...caching.opens].filter(open => open.worker !== noWorker))
    if (served === undefined) return this.#unreachable?.(caching)
    const [worker, openIds] = served
    if (caching.kind === 'oplock') {
      this.#send(worker, { type: 'oplock-break', notice: { openId: openIds[0], newLevel: oplockLevel(notice.to), acknowledgementRequired } })
      return
    }
    const { clientGuid, key: leaseKey } = caching
    // One notification per lease; any connection of the client will do (MS-SMB2 3.3.4.7).
    this.#send(worker, {
      type: 'lease-break',
      notice: {
        clientGuid,
        leaseKey,
        openIds,
        currentState: notice.from,
        newState: notice.to,
        acknowledgementRequired,
        epoch: caching.version === 2 ? caching.epoch : 0,
        isFolder: caching.stream.file.isFolder,
      },
    })
  }

  send(worker: number, message: TableMessage): void {
    this.#send(worker, message)
  }
}

/** Ids of opens, by the worker that serves them or keeps them for their client. */
export const opensByHolder = (opens: Iterable<Open>): Map<number, bigint[]> => {
  const byWorker = new Map<number, bigint[]>()
  for (const { id, holder } of opens) {
    const ids = byWorker.get(holder)
    if (ids === undefined) byWorker.set(holder, [id])
    else ids.push(id)
  }
  return byWorker
}
