import type { Notifications } from './notify/types.ts'
import type { Pending } from './pending.ts'
import type {
  CachingRecord,
  CloseResult,
  DeleteOrder,
  ContendKind,
  LeaseAcknowledgement,
  LockElement,
  LockSequence,
  MaybePromise,
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

/**
 * All arbitration between the opens of one partition (a share), the same whether this worker owns it or another.
 * Answers come at once where nothing must be waited for.
 */
export interface Opens {
  readonly partition: string
  /** Share modes, delete-pending, oplock and lease breaks, in the order of MS-FSA 2.1.5.1.2 and MS-SMB2 3.3.5.9. */
  open(request: OpenRequest): OpenResult | Pending<OpenResult>
  /** Releases locks and caching, wakes who waits. `deleteNow` when this was the last open of something marked for deletion. */
  close(open: OpenReference): MaybePromise<CloseResult>
  /** The connection of an open is gone: true where it waits for its client now (MS-SMB2 3.3.7.1); else it is to be closed. */
  park(open: OpenReference, isReplayEligible: boolean): MaybePromise<boolean>
  /** Makes an open outlive its connection (MS-SMB2 3.3.5.15.9). */
  makeResilient(open: OpenReference, request: ResiliencyRequest): MaybePromise<StatusResult>
  /** A client comes back to an open that waits for it, wherever it was served before (MS-SMB2 3.3.5.9.7, 3.3.5.9.12). */
  reconnect(ask: ReconnectRequest): MaybePromise<ReconnectResult>
  /** Whether a persistent open waits for the client that claims it. */
  awaits(claim: Claim): MaybePromise<boolean>
  /** A session whose worker has died goes on here: its opens that have outlived that. */
  takeOver(session: SessionReference): MaybePromise<readonly Reconnected[]>
  /** What `deleteNow` ordered is done (or failed). */
  deleteFinished(order: DeleteOrder): MaybePromise<void>
  /** OPLOCK_BREAK acknowledgement (MS-SMB2 3.3.5.22.1). */
  acknowledgeOplockBreak(open: OpenReference, level: number): MaybePromise<OplockAcknowledgement>
  /** Lease break acknowledgement (MS-SMB2 3.3.5.22.2). */
  acknowledgeLeaseBreak(ack: { readonly clientGuid: string; readonly leaseKey: string; readonly state: number }): MaybePromise<LeaseAcknowledgement>
  /** FileDispositionInformation (MS-FSA 2.1.5.14.3): breaks handle caching of others first. Access, read-only and emptiness are the caller's. */
  setDeletePending(open: OpenReference, on: boolean): StatusResult | Pending<StatusResult>
  /** Whether the open's file (or stream) is marked for deletion. */
  isDeletePending(open: OpenReference): MaybePromise<boolean>
  /** Asks whether a rename (or link) may go on (MS-FSA 2.1.5.14.11). Rename in the filesystem, then `commitRename`. */
  prepareRename(open: OpenReference, target: RenameTarget): StatusResult | Pending<StatusResult>
  /** The filesystem has renamed it: all opens of the file, and below a folder, get their new paths. */
  commitRename(open: OpenReference, target: { readonly path: string; readonly stream?: string }): MaybePromise<void>
  /** LOCK: validates the flags, all or nothing (MS-SMB2 3.3.5.14, MS-FSA 2.1.5.7, 2.1.5.8). */
  lock(open: OpenReference, elements: readonly LockElement[], sequence?: LockSequence): StatusResult | Pending<StatusResult>
  /** True when a byte-range lock forbids the access (FILE_LOCK_CONFLICT). One atomic load when the file has no locks. */
  ioConflict(open: OpenReference, offset: number, lengthBytes: number, isWrite: boolean): MaybePromise<boolean>
  /** Takes read caching away from the others before (or while) this open changes the file. One atomic load when there is none. */
  contend(open: OpenReference, kind: ContendKind): void
  /** What the open's client may cache, as far as this worker knows; undefined where it may nothing. */
  cachingOf(open: OpenReference): CachingRecord | undefined
  /** All that is known of one's own open; undefined when it is closed. */
  recordOf(open: OpenReference): OpenRecord | undefined
  /** Current path and stream name of one's own open, undefined when it is closed. */
  pathOf(open: OpenReference): { readonly path: string; readonly stream: string } | undefined
  readonly notify: Notifications
}
