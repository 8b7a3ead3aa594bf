import type { WorkerNode, WorkerObject } from '@holdfast/engine'
import type { WatchRecord } from './notify/notify-registry.ts'
import type { FolderChange, NotifyRequest, NotifyResult, RenameNotice } from './notify/types.ts'
import { afterFlush, pendingAfterFlush } from './journal.ts'
import type { OpenTable } from './open-table.ts'
import { Pending } from './pending.ts'
import type { Scheduler } from './scheduler.ts'
import { onWorkerLost } from './worker-losses.ts'
import type {
  CachingRecord,
  CloseResult,
  DurableRequest,
  LeaseAcknowledgement,
  LockElement,
  LockSequence,
  OpenRecord,
  OpenRequest,
  OpenResult,
  OplockAcknowledgement,
  ReconnectRequest,
  ReconnectResult,
  RenameTarget,
  ResiliencyRequest,
  StatusResult,
  Reconnected,
  SessionReference,
  Claim,
} from './types.ts'

/** The part of a worker node that the open table needs. */
export type OpensNode = Pick<
  WorkerNode,
  'index' | 'workers' | 'incarnation' | 'register' | 'unregister' | 'call' | 'post' | 'onWorkerLost' | 'beginAsync' | 'endAsync'
>

/** Object id of a partition's open table on its owner. */
export const ownerObject = (partition: string): string => `opens/${partition}`

/** Object id of what the owner tells, on every other worker. */
export const clientObject = (partition: string): string => `opens-client/${partition}`

/** Where an open's counters are. */
export interface SlotReference {
  readonly slot: number
  readonly generation: number
}

/** Answer to a remote open: what the client keeps for itself and for a successor. */
export interface RemoteGrant extends Partial<SlotReference> {
  readonly result: OpenResult
  readonly caching?: CachingRecord
}

/** Answer to a client that comes back. */
export interface RemoteReconnect extends Partial<SlotReference> {
  readonly result: ReconnectResult
}

/** An open that goes on with another worker. */
export interface RemoteTakeOver extends Partial<SlotReference> {
  readonly result: Reconnected
}

/** What a client brings to a new owner. */
export interface Reclaim {
  readonly opens: readonly OpenRecord[]
  readonly watches: readonly WatchRecord[]
}

export interface ReclaimAnswer {
  readonly generation: number
  readonly slots: readonly (readonly [openId: bigint, slot: number])[]
}

/** Requests of other workers: method, argument and answer. A `token` (unique per client) names what may be cancelled. */
export interface OwnerMethods {
  open(argument: { readonly token: number; readonly request: OpenRequest }): RemoteGrant
  close(argument: { readonly openId: bigint }): CloseResult
  makeResilient(argument: { readonly openId: bigint; readonly request: ResiliencyRequest }): DurableRequest | undefined
  awaits(argument: Claim): boolean
  takeOver(argument: SessionReference): readonly RemoteTakeOver[]
  park(argument: { readonly openId: bigint; readonly isReplayEligible: boolean }): boolean
  reconnect(argument: ReconnectRequest): RemoteReconnect
  acknowledgeOplockBreak(argument: { readonly openId: bigint; readonly level: number }): OplockAcknowledgement
  acknowledgeLeaseBreak(argument: { readonly clientGuid: string; readonly leaseKey: string; readonly state: number }): LeaseAcknowledgement
  setDeletePending(argument: { readonly token: number; readonly openId: bigint; readonly on: boolean }): StatusResult
  prepareRename(argument: { readonly token: number; readonly openId: bigint; readonly target: RenameTarget }): StatusResult
  commitRename(argument: { readonly openId: bigint; readonly target: { readonly path: string; readonly stream?: string } }): void
  lock(argument: {
    readonly token: number
    readonly openId: bigint
    readonly elements: readonly LockElement[]
    readonly sequence?: LockSequence | undefined
  }): StatusResult
  ioConflict(argument: { readonly openId: bigint; readonly offset: number; readonly lengthBytes: number; readonly isWrite: boolean }): boolean
  nextChange(argument: { readonly token: number; readonly request: NotifyRequest }): NotifyResult
  reclaim(argument: Reclaim): ReclaimAnswer
  cancel(argument: { readonly token: number }): void
  contend(argument: { readonly openId: bigint }): void
  deleteFinished(argument: { readonly ticket: number }): void
  publish(argument: FolderChange): void
  publishRename(argument: RenameNotice): void
}

/** Among the workers whose opens are awaited: the store's. */
const theStore = -1
const loadRetryMs = 1000

/** Hears that the store has not answered; it is asked again. */
export type OnStoreError = (error: unknown) => void

/** Serves the open table to the other workers, and takes over from a former owner. */
export class OwnerService {
  /** Settles when all other workers have brought what they hold; undefined when there is nothing to wait for. */
  recovery: Promise<void> | undefined
  readonly #node: OpensNode
  readonly #table: OpenTable
  readonly #clientObject: string
  readonly #cancellable = new Map<string, () => void>()
  readonly #awaited = new Set<number>()
  readonly #unlisten: () => void
  #recovered: (() => void) | undefined
  #isOver = false

  constructor(options: {
    readonly node: OpensNode
    readonly table: OpenTable
    readonly scheduler: Scheduler
    readonly recovering: boolean
    readonly graceMs: number
    readonly onError: OnStoreError
  }) {
    this.#node = options.node
    this.#table = options.table
    this.#clientObject = clientObject(options.table.partition)
    this.#startRecovery(options)
    options.node.register(ownerObject(options.table.partition), this.#object())
    this.#unlisten = onWorkerLost(options.node, worker => {
      this.#table.dropWorker(worker)
      this.#reported(worker)
    })
  }

  /** There is no such share any more. */
  [Symbol.dispose](): void {
    this.#isOver = true
    this.#unlisten()
    this.#node.unregister(ownerObject(this.#table.partition))
  }

  #startRecovery(options: {
    readonly scheduler: Scheduler
    readonly recovering: boolean
    readonly graceMs: number
    readonly onError: OnStoreError
  }): void {
    const { scheduler } = options
    if (options.recovering) for (let worker = 0; worker < this.#node.workers; worker++) if (worker !== this.#node.index) this.#awaited.add(worker)
    if (this.#table.journal !== undefined) this.#awaited.add(theStore)
    if (this.#awaited.size === 0) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.recovery = promise
    // Workers that say nothing have nothing; the store has to answer.
    const stopTimer = scheduler.after(options.graceMs, () => {
      for (const source of this.#awaited) if (source !== theStore) this.#reported(source)
    })
    this.#recovered = () => {
      this.#recovered = undefined
      this.recovery = undefined
      stopTimer()
      resolve()
    }
    if (this.#table.journal !== undefined) this.#load(options)
  }

  #load({ scheduler, onError }: { readonly scheduler: Scheduler; readonly onError: OnStoreError }): void {
    this.#table.recover().then(
      () => this.#reported(theStore),
      (error: unknown) => {
        if (this.#isOver) return
        onError(error)
        scheduler.after(loadRetryMs, () => this.#load({ scheduler, onError }))
      },
    )
  }

  #reported(worker: number): void {
    this.#awaited.delete(worker)
    if (this.#awaited.size === 0) this.#recovered?.()
  }

  /** What could contradict an open not yet reclaimed waits for the end of the recovery. */
  #whenRecovered<T>(action: () => T | Promise<T>): T | Promise<T> {
    return this.recovery === undefined ? action() : this.recovery.then(action)
  }

  /** Answers when a `Pending` does; tells the client that it waits, and lets it cancel. */
  #await<T>(from: number, token: number, answer: T | Pending<T>): T | Promise<T> {
    if (!(answer instanceof Pending)) return answer
    const key = `${from}:${token}`
    this.#cancellable.set(key, () => answer.cancel())
    this.#node.post(from, this.#clientObject, 'waiting', { token })
    return answer.promise.finally(() => this.#cancellable.delete(key))
  }

  /** An open as it may be told: what is persistent is in the store, or it has not happened. */
  opened(result: OpenResult | Pending<OpenResult>): OpenResult | Pending<OpenResult> {
    return pendingAfterFlush(this.#table.journal, result, {
      failed: granted => {
        if (granted.status === 'SUCCESS') this.#table.close(granted.openId)
        return { status: 'INSUFFICIENT_RESOURCES' }
      },
    })
  }

  /** The same for a change of an open. */
  changed(result: StatusResult | Pending<StatusResult>, openId?: bigint): StatusResult | Pending<StatusResult> {
    return pendingAfterFlush(this.#table.journal, result, {
      noted: () => openId !== undefined && this.#table.journal?.note(openId),
      failed: () => ({ status: 'INSUFFICIENT_RESOURCES' }),
    })
  }

  #written<T>(result: T): T | Promise<T> {
    return afterFlush(this.#table.journal, result)
  }

  #grant(result: OpenResult): RemoteGrant {
    if (result.status !== 'SUCCESS') return { result }
    const caching = this.#table.recordOf(result.openId)?.caching
    return { result, ...this.#table.slotOf(result.openId), ...(caching === undefined ? {} : { caching }) }
  }

  #object(): WorkerObject {
    const table = this.#table
    const methods: {
      [M in keyof OwnerMethods]: (
        argument: Parameters<OwnerMethods[M]>[0],
        from: number,
      ) => ReturnType<OwnerMethods[M]> | Promise<ReturnType<OwnerMethods[M]>>
    } = {
      open: ({ token, request }, from) =>
        this.#whenRecovered<RemoteGrant>(() => {
          const answer = this.#await(from, token, this.opened(table.open(from, request)))
          return answer instanceof Promise ? answer.then(result => this.#grant(result)) : this.#grant(answer)
        }),
      close: ({ openId }) => this.#written(table.close(openId)),
      park: ({ openId, isReplayEligible }) => this.#written(table.park(openId, isReplayEligible)),
      makeResilient: ({ openId, request }) => this.#written(table.makeResilient(openId, request)),
      reconnect: (ask, from) =>
        this.#whenRecovered(() => {
          const result = table.reconnect(from, ask)
          return this.#written({ result, ...(result.status === 'SUCCESS' ? table.slotOf(result.openId) : undefined) })
        }),
      awaits: claim => this.#whenRecovered(() => table.awaits(claim)),
      takeOver: (session, from) =>
        this.#whenRecovered(() => this.#written(table.takeOver(from, session).map(result => ({ result, ...table.slotOf(result.openId) })))),
      acknowledgeOplockBreak: ({ openId, level }) => this.#written(table.acknowledgeOplockBreak(openId, level)),
      acknowledgeLeaseBreak: ack => this.#written(table.acknowledgeLeaseBreak(ack)),
      setDeletePending: ({ token, openId, on }, from) =>
        this.#whenRecovered(() => this.#await(from, token, this.changed(table.setDeletePending(openId, on)))),
      prepareRename: ({ token, openId, target }, from) =>
        this.#whenRecovered(() => this.#await(from, token, this.changed(table.prepareRename(openId, target)))),
      commitRename: ({ openId, target }) => this.#written(table.commitRename(openId, target)),
      lock: ({ token, openId, elements, sequence }, from) =>
        this.#whenRecovered(() => this.#await(from, token, this.changed(table.lock(openId, elements, sequence), openId))),
      ioConflict: ({ openId, offset, lengthBytes, isWrite }) => table.ioConflict(openId, offset, lengthBytes, isWrite),
      nextChange: ({ token, request }, from) => this.#await(from, token, table.nextChange(request)),
      reclaim: (reclaim, from) => {
        table.reclaim(from, reclaim)
        this.#reported(from)
        return { generation: table.generation, slots: reclaim.opens.map(({ openId }) => [openId, table.slotOf(openId)!.slot] as const) }
      },
      cancel: ({ token }, from) => this.#cancellable.get(`${from}:${token}`)?.(),
      contend: ({ openId }) => table.contend(openId),
      deleteFinished: ({ ticket }) => this.#written(table.deleteFinished(ticket)),
      publish: change => table.notify.publish(change),
      publishRename: rename => table.notify.publishRename(rename),
    }
    return methods
  }
}
