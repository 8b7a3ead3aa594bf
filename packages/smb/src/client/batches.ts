/** Requests on their way: who waits for which, where they are now, and who answers for them. */
import { NtStatus } from '../messages/index.ts'

import { SmbError, statusError } from './errors.ts'
import type { AnyRecord, Reply } from './requests.ts'

/** How a single call may be influenced. */
export interface CallOptions {
  /** Sends CANCEL and rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

/** A request that was sent, or waits for credits or for a connection. */
export interface Pending {
  readonly record: AnyRecord
  readonly charge: number
  /** Undefined: the connection's own. */
  readonly batch: Batch | undefined
  messageId: number
  sentAtMs: number
  /** Known once the server said that it takes longer (MS-SMB2 3.2.5.1.5). */
  asyncId: bigint | undefined
  isAsync: boolean
  /** Nobody waits for it any more. */
  abandoned: boolean
  /** It was answered or rejected. */
  isDone: boolean
  readonly resolve: (reply: Reply<unknown>) => void
  readonly reject: (error: unknown) => void
}

/** Who has a batch at the moment. */
export interface Keeper {
  /** The caller does not wait any more. */
  abandon(batch: Batch, pending: Pending, reason: unknown): void
}

/** What is sent in one frame. */
export interface Batch {
  readonly pendings: readonly Pending[]
  readonly charge: number
  keeper: Keeper
  /** It was sent, on this connection or one before. */
  isSent: boolean
  /** It is sent with SMB2_FLAGS_REPLAY_OPERATION (MS-SMB2 3.2.4.1.10). */
  isReplay: boolean
  /** The server may still ask so many times that it be sent again later (FILE_NOT_AVAILABLE). */
  postponements: number
}

/** What outlives a connection. */
export interface Rescuer extends Keeper {
  /** Takes what a connection left behind when it was lost; false: nothing is taken. */
  rescue(error: SmbError, batches: readonly Batch[]): boolean
  /** Takes what is asked of a connection that is lost; false: it is rejected. */
  hold(batch: Batch): boolean
  /** The server owes an answer and is silent, or is not silent any more. */
  suspected(isSuspect: boolean): void
}

/** A reply is what the record asked for. */
export const statusAllowed = (record: AnyRecord, status: number): boolean =>
  status === NtStatus.SUCCESS ||
  record.allows?.includes(status) === true ||
  (record.operation.partial.includes(status) && status !== NtStatus.INVALID_PARAMETER)
/** In a compound whoever asked looks. */
export const anyStatus = (): boolean => true

/** A request that is not sent yet. */
export const pendingOf = (record: AnyRecord, charge: number, how: Pick<Pending, 'batch' | 'resolve' | 'reject'>): Pending => ({
  record,
  charge,
  batch: how.batch,
  messageId: -1,
  sentAtMs: 0,
  asyncId: undefined,
  isAsync: false,
  abandoned: false,
  isDone: false,
  resolve: how.resolve,
  reject: how.reject,
})

/** Records that are not sent yet, and what becomes of each. */
export function makeBatch(
  records: readonly AnyRecord[],
  how: {
    readonly keeper: Keeper
    readonly chargeOf: (record: AnyRecord) => number
    readonly accepts: (record: AnyRecord, status: number) => boolean
  },
): { readonly batch: Batch; readonly promises: Promise<Reply<unknown>>[] } {
  const pendings: Pending[] = []
  const batch = { pendings, charge: 0, keeper: how.keeper, isSent: false, isReplay: false, postponements: 0 }
  const promises = records.map(record => {
    const { promise, resolve, reject } = Promise.withResolvers<Reply<unknown>>()
    const charge = how.chargeOf(record)
    const settle = (reply: Reply<unknown>): void => {
      if (how.accepts(record, reply.status)) resolve(reply)
      else reject(statusError(reply.status, record.operation.name, record.path))
    }
    batch.charge += charge
    pendings.push(pendingOf(record, charge, { batch, resolve: settle, reject }))
    return promise
  })
  return { batch, promises }
}

/** Lets a signal end the wait for a batch, wherever it is then. */
export function listen(batch: Batch, promises: readonly Promise<unknown>[], signal: AbortSignal): void {
  const onAbort = (): void => {
    for (const pending of batch.pendings) batch.keeper.abandon(batch, pending, signal.reason)
  }
  signal.addEventListener('abort', onAbort, { once: true })
  const done = (): void => signal.removeEventListener('abort', onAbort)
  Promise.allSettled(promises).then(done, done)
}

/** Rejects a request in the words of its operation. */
export function rejectPending(pending: Pending, { code, message, cause }: SmbError): void {
  const { operation, path, message: buffer } = pending.record
  if (!pending.isDone) buffer?.release()
  pending.isDone = true
  pending.reject(new SmbError(code, `${operation.name}: ${message}`, { path, cause }))
}

/** Rejects all that is not answered. */
export function rejectBatch({ pendings }: Batch, error: SmbError): void {
  for (const pending of pendings) if (!pending.isDone) rejectPending(pending, error)
}

/** Rejects one with its caller's own reason; it was never sent, or never will be again. */
export function dropPending(pending: Pending, reason: unknown): void {
  if (!pending.isDone) pending.record.message?.release()
  pending.isDone = true
  pending.reject(reason)
}
