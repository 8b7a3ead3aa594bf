/** The requests of a connection that have not been answered yet (MS-SMB2 3.3.1.7 Connection.RequestList, AsyncCommandList). */
import type { CancelReason, ServerOpen } from './handler-api.ts'
import type { SmbRequest } from './request.ts'

/** Only requests whose handler has returned a promise come in here: what is answered at once is never looked up. */
export class RunningRequests {
  readonly #byMessageId = new Map<number, SmbRequest>()
  readonly #byAsyncId = new Map<number, SmbRequest>()

  get size(): number {
    return this.#byMessageId.size
  }

  get asyncSize(): number {
    return this.#byAsyncId.size
  }

  add(request: SmbRequest): void {
    this.#byMessageId.set(request.messageId, request)
    if (request.asyncId !== 0) this.#byAsyncId.set(request.asyncId, request)
  }

  addAsync(request: SmbRequest): void {
    this.#byAsyncId.set(request.asyncId, request)
  }

  remove(request: SmbRequest): void {
    this.#byMessageId.delete(request.messageId)
    if (request.asyncId !== 0) this.#byAsyncId.delete(request.asyncId)
  }

  byMessageId(id: number): SmbRequest | undefined {
    return this.#byMessageId.get(id)
  }

  byAsyncId(id: number): SmbRequest | undefined {
    return this.#byAsyncId.get(id)
  }

  values(): Iterable<SmbRequest> {
    return this.#byMessageId.values()
  }

  /** The end of what is being done with an open; not of what waits for others (locks, changes), which may be ended by closing it. */
  workOn(open: ServerOpen): Promise<void>[] {
    const work: Promise<void>[] = []
    for (const request of this.#byMessageId.values()) {
      if (request.open === open && !request.isWaiting && request.outcome !== undefined) work.push(request.ownWork(request.outcome))
    }
    return work
  }

  /** Tells the handlers of these requests to give up: what they are about has gone. */
  cancelWhere(concerned: (request: SmbRequest) => boolean, reason: CancelReason = 'closed'): void {
    for (const request of this.#byMessageId.values()) if (concerned(request)) request.cancel(reason)
  }
}
