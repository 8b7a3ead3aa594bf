import type { Admission } from './admission.ts'
import { afterFlush } from './journal.ts'
import type { Notifications, NotifyRequest, NotifyResult } from './notify/types.ts'
import type { OpenTable } from './open-table.ts'
import type { Opens } from './opens.ts'
import type { OwnerService } from './owner-service.ts'
import { Pending } from './pending.ts'
import type {
  CachingRecord,
  CloseResult,
  DeleteOrder,
  MaybePromise,
  LeaseAcknowledgement,
  LockElement,
  LockSequence,
  OpenRecord,
  OpenReference,
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

/** The open table as seen on its owner: plain calls. */
export class LocalOpens implements Opens {
  readonly partition: string
  readonly notify: Notifications
  readonly #worker: number
  readonly #table: OpenTable
  readonly #service: OwnerService
  readonly #admission: Admission

  constructor(options: { readonly worker: number; readonly table: OpenTable; readonly service: OwnerService; readonly admission: Admission }) {
    const { table } = options
    this.partition = table.partition
    this.#worker = options.worker
    this.#table = table
    this.#service = options.service
    this.#admission = options.admission
    this.notify = {
      next: (request: NotifyRequest): NotifyResult | Pending<NotifyResult> => table.nextChange(request),
      publish: change => table.notify.publish(change),
      publishRename: rename => table.notify.publishRename(rename),
      get watched() {
        return table.notify.watched
      },
      get listened() {
        return table.notify.listened
      },
    }
  }

  open(request: OpenRequest): OpenResult | Pending<OpenResult> {
    const { recovery } = this.#service
    if (recovery !== undefined) return this.#openAfter(recovery, request)
    const result = this.#service.opened(this.#table.open(this.#worker, request))
    if (result instanceof Pending) {
      void result.promise.then(later => later.status === 'SUCCESS' && this.#admission.admitLater(later.openId))
    } else if (result.status === 'SUCCESS') this.#admission.admit(result.openId)
    return result
  }

  /** A former owner's opens come first. */
  #openAfter(recovery: Promise<void>, request: OpenRequest): Pending<OpenResult> {
    let inner: Pending<OpenResult> | undefined
    const pending = new Pending<OpenResult>({
      waiting: false,
      cancel: () => (inner === undefined ? pending.settle({ status: 'CANCELLED' }) : inner.cancel()),
    })
    void recovery.then(() => {
      if (pending.settled) return
      const result = this.#service.opened(this.#table.open(this.#worker, request))
      const settle = (settled: OpenResult): void => {
        if (settled.status === 'SUCCESS') this.#admission.admitLater(settled.openId)
        pending.settle(settled)
      }
      if (!(result instanceof Pending)) return settle(result)
      inner = result
      pending.markWaiting()
      void result.promise.then(settle)
    })
    return pending
  }

  close({ openId }: OpenReference): MaybePromise<CloseResult> {
    this.#admission.forget(openId)
    return this.#written(this.#table.close(openId))
  }

  park({ openId }: OpenReference, isReplayEligible: boolean): MaybePromise<boolean> {
    return this.#written(this.#table.park(openId, isReplayEligible))
  }

  makeResilient({ openId }: OpenReference, request: ResiliencyRequest): MaybePromise<StatusResult> {
    const made = this.#table.makeResilient(openId, request)
    return this.#written({ status: made === undefined ? 'FILE_CLOSED' : 'SUCCESS' })
  }

  reconnect(ask: ReconnectRequest): MaybePromise<ReconnectResult> {
    const { recovery } = this.#service
    return recovery === undefined ? this.#reconnect(ask) : recovery.then(() => this.#reconnect(ask))
  }

  awaits(claim: Claim): MaybePromise<boolean> {
    const { recovery } = this.#service
    return recovery === undefined ? this.#table.awaits(claim) : recovery.then(() => this.#table.awaits(claim))
  }

  takeOver(session: SessionReference): MaybePromise<readonly Reconnected[]> {
    const { recovery } = this.#service
    return recovery === undefined ? this.#takeOver(session) : recovery.then(() => this.#takeOver(session))
  }

  #takeOver(session: SessionReference): MaybePromise<readonly Reconnected[]> {
    const taken = this.#table.takeOver(this.#worker, session)
    for (const { openId } of taken) this.#admission.admitLater(openId)
    return this.#written(taken)
  }

  #reconnect(ask: ReconnectRequest): MaybePromise<ReconnectResult> {
    const result = this.#table.reconnect(this.#worker, ask)
    if (result.status === 'SUCCESS') this.#admission.admitLater(result.openId)
    return this.#written(result)
  }

  /** The answer, once what it says is in the store. */
  #written<T>(result: T): MaybePromise<T> {
    return afterFlush(this.#table.journal, result)
  }

  deleteFinished({ ticket }: DeleteOrder): MaybePromise<void> {
    this.#table.deleteFinished(ticket)
    return this.#written(undefined)
  }

  acknowledgeOplockBreak({ openId }: OpenReference, level: number): MaybePromise<OplockAcknowledgement> {
    return this.#written(this.#table.acknowledgeOplockBreak(openId, level))
  }

  acknowledgeLeaseBreak(ack: { readonly clientGuid: string; readonly leaseKey: string; readonly state: number }): MaybePromise<LeaseAcknowledgement> {
    return this.#written(this.#table.acknowledgeLeaseBreak(ack))
  }

  setDeletePending({ openId }: OpenReference, on: boolean): StatusResult | Pending<StatusResult> {
    return this.#service.changed(this.#table.setDeletePending(openId, on))
  }

  isDeletePending({ openId }: OpenReference): boolean {
    return this.#table.isDeletePending(openId)
  }

  prepareRename({ openId }: OpenReference, target: RenameTarget): StatusResult | Pending<StatusResult> {
    return this.#service.changed(this.#table.prepareRename(openId, target))
  }

  commitRename({ openId }: OpenReference, target: { readonly path: string; readonly stream?: string }): MaybePromise<void> {
    this.#table.commitRename(openId, target)
    return this.#written(undefined)
  }

  lock({ openId }: OpenReference, elements: readonly LockElement[], sequence?: LockSequence): StatusResult | Pending<StatusResult> {
    return this.#service.changed(this.#table.lock(openId, elements, sequence), openId)
  }

  ioConflict({ openId }: OpenReference, offset: number, lengthBytes: number, isWrite: boolean): boolean {
    return this.#table.ioConflict(openId, offset, lengthBytes, isWrite)
  }

  contend({ openId }: OpenReference): void {
    this.#table.contend(openId)
  }

  cachingOf({ openId }: OpenReference): CachingRecord | undefined {
    return this.#table.recordOf(openId)?.caching
  }

  recordOf({ openId }: OpenReference): OpenRecord | undefined {
    return this.#table.recordOf(openId)
  }

  pathOf({ openId }: OpenReference): { readonly path: string; readonly stream: string } | undefined {
    return this.#table.pathOf(openId)
  }
}
