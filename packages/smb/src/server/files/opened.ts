/** What the handlers of this room ask of a request before they start. */
import { NtStatus } from '../../messages/nt-status.ts'
import { StatusError } from '../core/handler-api.ts'
import type { RequestContext } from '../core/handler-api.ts'
import type { OpenStatus } from '../opens/index.ts'
import type { Pending } from '../opens/index.ts'
import { FileOpen } from './file-open.ts'

/** The request's open of a file or folder; a pipe has none of what files have. */
export function fileOpen(request: RequestContext): FileOpen {
  const { open } = request
  if (open instanceof FileOpen) {
    open.used()
    return open
  }
  throw new StatusError(open === undefined ? NtStatus.FILE_CLOSED : NtStatus.INVALID_DEVICE_REQUEST)
}

/** Refuses when none of the rights in `mask` was granted to the open (MS-SMB2 3.3.5.*). */
export function needAccess(open: FileOpen, mask: number): void {
  if (!open.may(mask)) throw new StatusError(NtStatus.ACCESS_DENIED)
}

/** A share that is read-only refuses every change, whatever the open was granted. */
export function needWritable(open: FileOpen): void {
  if (open.files.options.readOnly) throw new StatusError(NtStatus.ACCESS_DENIED)
}

/** An arbitration's refusal as NT_STATUS. */
export function statusOf(status: OpenStatus): number {
  return NtStatus[status]
}

/** Throws what the open table refused. */
export function must(result: { readonly status: OpenStatus }): void {
  if (result.status !== 'SUCCESS') throw new StatusError(statusOf(result.status))
}

/** Waits for the open table: the client hears PENDING when it takes its time, and may cancel. `endsWithOpen`: closing the open ends it as well. `onWaiting` is called when it is known to wait. */
export function settled<T extends { readonly status: string }>(
  request: RequestContext,
  pending: Pending<T>,
  options: { readonly endsWithOpen?: boolean; readonly onWaiting?: () => void } = {},
): Promise<T> {
  let refused: unknown
  pending.onWaiting(() => {
    options.onWaiting?.()
    try {
      request.goAsync({ idle: true })
    } catch (error) {
      // Whoever tells that it waits is not to blame that the request must not (MS-SMB2 3.3.5.2.7.2).
      refused = error
      pending.cancel()
    }
  })
  request.onCancel(reason => {
    if (reason === 'cancelled' || options.endsWithOpen !== true) pending.cancel()
  })
  return pending.promise.then(answer => {
    if (refused !== undefined && answer.status !== 'SUCCESS') throw refused
    return answer
  })
}

/** True for a promise; results at hand are not awaited, so that a fast path stays one. */
export function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return value instanceof Promise
}
