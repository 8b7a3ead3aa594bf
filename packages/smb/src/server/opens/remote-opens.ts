import type { WorkerObject } from '@holdfast/engine'
import { Admission } from './admission.ts'
import { MirroredOpen, opensOf } from './mirror.ts'
import type { Notifications, NotifyRequest, NotifyResult } from './notify/types.ts'
import type { Opens } from './opens.ts'
import { clientObject, ownerObject, type OpensNode, type OwnerMethods, type ReclaimAnswer, type RemoteGrant } from './owner-service.ts'
import { noSlot, PartitionMemory } from './partition-memory.ts'
import type { TableMessage } from './partition-state.ts'
import { Pending } from './pending.ts'
import type { Scheduler } from './scheduler.ts'
import { onWorkerLost } from './worker-losses.ts'
import {
  leaseStates,
  type CachingRecord,
  type CloseResult,
  type DeleteOrder,
  type LeaseAcknowledgement,
  type LockElement,
  type LockSequence,
  type MaybePromise,
  type OpenRecord,
  type OpenReference,
  type OpenRequest,
  type OpenResult,
  type OpenTableEvents,
  type OplockAcknowledgement,
  type ReconnectRequest,
  type ReconnectResult,
  type RenameTarget,
  type ResiliencyRequest,
  type StatusResult,
  type Reconnected,
  type SessionReference,
  type Claim,
} from './types.ts'

type Cancellable = 'open' | 'setDeletePending' | 'prepareRename' | 'lock' | 'nextChange'
type Answer<M extends keyof OwnerMethods> = ReturnType<OwnerMethods[M]>
type Argument<M extends keyof OwnerMethods> = Parameters<OwnerMethods[M]>[0]

const attachRetryMs = 20
const attachRetryMaxMs = 250

const isWorkerLost = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'WORKER_LOST'

/** The open table of a partition that another worker owns. When that dies, its successor is told what is held here. */
export class RemoteOpens implements Opens {
  readonly partition: string
  readonly notify: Notifications
  readonly #node: OpensNode
  readonly #owner: number
  readonly #object: string
  readonly #scheduler: Scheduler
  readonly #memory: PartitionMemory | undefined
  readonly #admission: Admission
  readonly #opens = new Map<bigint, MirroredOpen>()
  readonly #waiting = new Map<number, Pending<unknown>>()
  #token = 0
  #attached: PromiseWithResolvers<void> | undefined
  #retry: (() => void) | undefined
  #disposed = false
  readonly #unlisten: () => void

  constructor(options: {
    readonly node: OpensNode
    readonly partition: string
    readonly owner: number
    readonly memory: SharedArrayBuffer | undefined
    readonly scheduler: Scheduler
    readonly events: OpenTableEvents
  }) {
    this.partition = options.partition
    this.#node = options.node
    this.#owner = options.owner
    this.#object = ownerObject(options.partition)
    this.#scheduler = options.scheduler
    this.#memory = options.memory === undefined ? undefined : new PartitionMemory(options.memory)
    this.#admission = new Admission(options.scheduler, options.events)
    this.notify = this.#notifications()
    options.node.register(clientObject(options.partition), this.#clientObject())
    this.#unlisten = onWorkerLost(options.node, worker => worker === this.#owner && this.#detached())
    this.#detached()
  }

  [Symbol.dispose](): void {
    this.#disposed = true
    this.#retry?.()
    this.#attached?.resolve()
    this.#unlisten()
    this.#node.unregister(clientObject(this.partition))
  }

  #clientObject(): WorkerObject {
    const methods = {
      tell: (message: TableMessage) => this.#told(message),
      waiting: ({ token }: { readonly token: number }) => this.#waiting.get(token)?.markWaiting(),
    }
    return methods
  }

  #told(message: TableMessage): void {
    if (message.type === 'let-go') {
      this.#opens.delete(message.openId)
      this.#admission.forget(message.openId)
    }
    for (const openId of opensOf(message)) this.#opens.get(openId)?.apply(message)
    this.#admission.deliver(message)
  }

  /** There is a new owner, or this is the first: nothing is asked before it knows what is held here. */
  #detached(): void {
    if (this.#attached !== undefined || this.#disposed) return
    this.#attached = Promise.withResolvers()
    this.#admission.forgetEarly()
    this.#attach(attachRetryMs)
  }

  #attach(retryMs: number): void {
    const opens = [...this.#opens.values()]
    const reclaim = {
      opens: opens.map(open => open.record(this.#node.index)),
      watches: opens.flatMap(({ openId, path, watch }) => (watch === undefined ? [] : [{ openId, path, ...watch }])),
    }
    this.#node.call(this.#owner, this.#object, 'reclaim', reclaim).then(
      answer => this.#reclaimed(answer as ReclaimAnswer),
      // The owner is not up yet.
      () => {
        if (this.#disposed) return
        this.#retry = this.#scheduler.after(retryMs, () => this.#attach(Math.min(retryMs * 2, attachRetryMaxMs)))
      },
    )
  }

  #reclaimed({ generation, slots }: ReclaimAnswer): void {
    for (const [openId, slot] of slots) {
      const open = this.#opens.get(openId)
      if (open !== undefined) Object.assign(open, { slot, generation })
    }
    const attached = this.#attached
    this.#attached = undefined
    attached?.resolve()
  }

  /** Calls the owner, and its successor again when it dies meanwhile. */
  async #call<M extends keyof OwnerMethods>(method: M, argument: Argument<M>, givenUp?: () => boolean): Promise<Answer<M> | undefined> {
    for (;;) {
      if (this.#attached !== undefined) await this.#attached.promise
      if (this.#disposed) throw new Error(`the share ${this.partition} has gone`)
      if (givenUp?.() === true) return undefined
      try {
        return (await this.#node.call(this.#owner, this.#object, method, argument)) as Answer<M>
      } catch (error) {
        if (!isWorkerLost(error)) throw error
        this.#detached()
      }
    }
  }

  async #ask<M extends keyof OwnerMethods>(method: M, argument: Argument<M>): Promise<Answer<M>> {
    return (await this.#call(method, argument)) as Answer<M>
  }

  #tell<M extends 'contend' | 'deleteFinished' | 'publish' | 'publishRename' | 'cancel'>(method: M, argument: Argument<M>): void {
    if (this.#attached === undefined) this.#node.post(this.#owner, this.#object, method, argument)
    // After a change of owner this may concern what is just being reclaimed.
    else void this.#call(method, argument)
  }

  /** A call that can be cancelled; `finish` makes the result of the answer. */
  #pending<M extends Cancellable, T>(
    method: M,
    argument: Omit<Argument<M>, 'token'>,
    { finish, cancelled }: { finish: (answer: Answer<M>) => T; cancelled: T },
  ): Pending<T> {
    const token = ++this.#token
    let givenUp = false
    const pending = new Pending<T>({
      waiting: false,
      cancel: () => {
        givenUp = true
        if (this.#attached === undefined) this.#node.post(this.#owner, this.#object, 'cancel', { token })
      },
    })
    this.#waiting.set(token, pending as Pending<unknown>)
    void this.#call(method, { token, ...argument } as unknown as Argument<M>, () => givenUp).then(answer => {
      this.#waiting.delete(token)
      pending.settle(answer === undefined ? cancelled : finish(answer))
    })
    return pending
  }

  open(request: OpenRequest): Pending<OpenResult> {
    return this.#pending('open', { request }, { finish: grant => this.#opened(request, grant), cancelled: { status: 'CANCELLED' } })
  }

  #opened(request: OpenRequest, grant: RemoteGrant): OpenResult {
    const { result } = grant
    if (result.status !== 'SUCCESS') return result
    this.#opens.set(result.openId, new MirroredOpen(result.openId, request, grant))
    this.#admission.admitLater(result.openId)
    return result
  }

  async close({ openId }: OpenReference): Promise<CloseResult> {
    const result = await this.#ask('close', { openId })
    this.#opens.delete(openId)
    this.#admission.forget(openId)
    return result
  }

  async park({ openId }: OpenReference, isReplayEligible: boolean): Promise<boolean> {
    const parked = await this.#ask('park', { openId, isReplayEligible })
    const open = this.#opens.get(openId)
    if (parked && open !== undefined) open.parked = true
    return parked
  }

  async makeResilient({ openId }: OpenReference, request: ResiliencyRequest): Promise<StatusResult> {
    const durable = await this.#ask('makeResilient', { openId, request })
    if (durable === undefined) return { status: 'FILE_CLOSED' }
    this.#opens.get(openId)?.outlives(durable)
    return { status: 'SUCCESS' }
  }

  async reconnect(ask: ReconnectRequest): Promise<ReconnectResult> {
    const { result, ...slot } = await this.#ask('reconnect', ask)
    if (result.status !== 'SUCCESS') return result
    this.#opens.set(result.openId, MirroredOpen.ofRecord(result.record, slot))
    this.#admission.admitLater(result.openId)
    return result
  }

  awaits(claim: Claim): Promise<boolean> {
    return this.#ask('awaits', claim)
  }

  async takeOver(session: SessionReference): Promise<readonly Reconnected[]> {
    const taken = await this.#ask('takeOver', session)
    for (const { result, ...slot } of taken) {
      this.#opens.set(result.openId, MirroredOpen.ofRecord(result.record, slot))
      this.#admission.admitLater(result.openId)
    }
    return taken.map(({ result }) => result)
  }

  deleteFinished({ ticket, isStored }: DeleteOrder): MaybePromise<void> {
    if (isStored === true) return this.#ask('deleteFinished', { ticket })
    this.#tell('deleteFinished', { ticket })
  }

  acknowledgeOplockBreak({ openId }: OpenReference, level: number): Promise<OplockAcknowledgement> {
    return this.#ask('acknowledgeOplockBreak', { openId, level })
  }

  acknowledgeLeaseBreak(ack: { readonly clientGuid: string; readonly leaseKey: string; readonly state: number }): Promise<LeaseAcknowledgement> {
    return this.#ask('acknowledgeLeaseBreak', ack)
  }

  setDeletePending({ openId }: OpenReference, on: boolean): Pending<StatusResult> {
    return this.#pending('setDeletePending', { openId, on }, statusOnly)
  }

  isDeletePending({ openId }: OpenReference): boolean {
    const open = this.#opens.get(openId)
    return open !== undefined && open.deletePending !== 'none'
  }

  prepareRename({ openId }: OpenReference, target: RenameTarget): Pending<StatusResult> {
    return this.#pending('prepareRename', { openId, target }, statusOnly)
  }

  commitRename({ openId }: OpenReference, target: { readonly path: string; readonly stream?: string }): Promise<void> {
    return this.#ask('commitRename', { openId, target })
  }

  lock({ openId }: OpenReference, elements: readonly LockElement[], sequence?: LockSequence): Pending<StatusResult> {
    const finish = (result: StatusResult): StatusResult => {
      this.#opens.get(openId)?.locked(elements, result.status === 'SUCCESS', sequence)
      return result
    }
    return this.#pending('lock', { openId, elements, sequence }, { finish, cancelled: statusOnly.cancelled })
  }

  ioConflict({ openId }: OpenReference, offset: number, lengthBytes: number, isWrite: boolean): MaybePromise<boolean> {
    const open = this.#opens.get(openId)
    if (open === undefined) return false
    if (this.#trusts(open, memory => memory.locks(open.slot) === 0)) return false
    return this.#ask('ioConflict', { openId, offset, lengthBytes, isWrite })
  }

  contend({ openId }: OpenReference): void {
    const open = this.#opens.get(openId)
    if (open === undefined) return
    const { caching } = open
    // Who has write caching is alone; a lease is not broken by its own opens.
    if (caching !== undefined && (caching.state & leaseStates.write) !== 0 && caching.breakingTo === undefined) return
    const own = caching?.kind === 'lease' && (caching.state & leaseStates.read) !== 0 ? 1 : 0
    if (this.#trusts(open, memory => memory.caching(open.slot) <= own)) return
    this.#tell('contend', { openId })
  }

  /** A counter is believed while the owner is the one that gave the slot; the generation is read last (see `PartitionMemory.reset`). */
  #trusts(open: MirroredOpen, none: (memory: PartitionMemory) => boolean): boolean {
    const memory = this.#memory
    return memory !== undefined && open.slot !== noSlot && this.#attached === undefined && none(memory) && memory.generation === open.generation
  }

  cachingOf({ openId }: OpenReference): CachingRecord | undefined {
    return this.#opens.get(openId)?.caching
  }

  recordOf({ openId }: OpenReference): OpenRecord | undefined {
    return this.#opens.get(openId)?.record(this.#node.index)
  }

  pathOf({ openId }: OpenReference): { readonly path: string; readonly stream: string } | undefined {
    const open = this.#opens.get(openId)
    return open && { path: open.path, stream: open.stream }
  }

  #notifications(): Notifications {
    const isWatched = (): boolean => this.#memory === undefined || this.#memory.watches > 0
    const isListened = (): boolean => this.#memory === undefined || this.#memory.listeners > 0
    return {
      next: (request: NotifyRequest): Pending<NotifyResult> => {
        this.#opens.get(request.openId)?.watching(request)
        return this.#pending('nextChange', { request }, { finish: result => result, cancelled: { status: 'CANCELLED', entries: [] } })
      },
      publish: change => {
        if (change.listing === true ? isListened() : isWatched()) this.#tell('publish', change)
      },
      publishRename: rename => {
        if (isListened()) this.#tell('publishRename', rename)
      },
      get watched() {
        return isWatched()
      },
      get listened() {
        return isListened()
      },
    }
  }
}

const statusOnly: { finish: (answer: StatusResult) => StatusResult; cancelled: StatusResult } = {
  finish: answer => answer,
  cancelled: { status: 'CANCELLED' },
}
