/**
 * What the open table is asked and what it answers: plain data that a worker can post to another one and a
 * store can keep. Nothing here refers to a session.
 */

/** A result at hand, or one that will come (another worker owns the partition). */
export type MaybePromise<T> = T | Promise<T>

/** NTSTATUS names without `STATUS_`, as the open table gives them; the edge maps them to numbers (MS-ERREF 2.3). */
export type OpenStatus =
  | 'SUCCESS'
  | 'SHARING_VIOLATION'
  | 'DELETE_PENDING'
  | 'ACCESS_DENIED'
  | 'INVALID_PARAMETER'
  | 'INVALID_OPLOCK_PROTOCOL'
  | 'INVALID_DEVICE_STATE'
  | 'OBJECT_NAME_NOT_FOUND'
  | 'UNSUCCESSFUL'
  | 'REQUEST_NOT_ACCEPTED'
  | 'LOCK_NOT_GRANTED'
  | 'RANGE_NOT_LOCKED'
  | 'INVALID_LOCK_RANGE'
  | 'CANCELLED'
  | 'FILE_CLOSED'
  | 'FILE_NOT_AVAILABLE'
  | 'FILE_FORCED_CLOSED'
  | 'DUPLICATE_OBJECTID'
  | 'INSUFFICIENT_RESOURCES'

/** OplockLevel (MS-SMB2 2.2.13, 2.2.23). */
export const oplockLevels = { none: 0x00, levelII: 0x01, exclusive: 0x08, batch: 0x09, lease: 0xff } as const

/** Lease state bits (MS-SMB2 2.2.13.2.8). */
export const leaseStates = { none: 0, read: 1, handle: 2, write: 4 } as const

/** FILE_SHARE_* bits (MS-SMB2 2.2.13). */
export const shareAccessBits = { read: 1, write: 2, delete: 4 } as const

/** SMB2_LOCK_ELEMENT flags (MS-SMB2 2.2.26.1). */
export const lockFlags = { shared: 0x01, exclusive: 0x02, unlock: 0x04, failImmediately: 0x10 } as const

/** A file in its partition: what share modes, leases and delete-pending are keyed by. */
export interface FileIdentity {
  readonly volumeId: bigint
  readonly fileId: bigint
}

/** SMB2_CREATE_REQUEST_LEASE and _V2 (MS-SMB2 2.2.13.2.8, 2.2.13.2.10). */
export interface LeaseRequest {
  readonly version: 1 | 2
  /** 16 bytes as 32 lower-case hex digits. */
  readonly key: string
  /** Requested `leaseStates` bits. */
  readonly state: number
  /** Epoch of a v2 request, 0 in v1. */
  readonly epoch: number
  /** ParentLeaseKey where SMB2_LEASE_FLAG_PARENT_LEASE_KEY_SET came with it. */
  readonly parentKey?: string
}

/** Where a session has an open, for whoever goes on with the session. */
export interface Seat {
  /** SessionId. */
  readonly session: bigint
  readonly treeId: number
  readonly volatileId: bigint
}

/** That an open is to outlive its connection (MS-SMB2 2.2.13.2.3, 2.2.13.2.11). */
export interface DurableRequest {
  /** Of the create context. */
  readonly version: 1 | 2
  /** SMB2_DHANDLE_FLAG_PERSISTENT on a continuously available share: whatever the client may cache. */
  readonly persistent: boolean
  /** Made so by FSCTL_LMR_REQUEST_RESILIENCY: whatever the client may cache, while the process lives. */
  readonly resilient?: boolean
  /** How long the open waits for its client to come back, in milliseconds. */
  readonly timeoutMs: number
  /** SID of the one user who may come back to it (DurableOwner). */
  readonly owner: string
  /** What its worker needs to serve it again; plain data. */
  readonly face: unknown
  readonly seat?: Seat
}

/** SMB2_CREATE_APP_INSTANCE_ID and SMB2_CREATE_APP_INSTANCE_VERSION (MS-SMB2 2.2.13.2.13, 2.2.13.2.15). */
export interface AppInstance {
  /** 32 hex digits. */
  readonly id: string
  /** High and low half as one number. */
  readonly version?: bigint
}

/** FSCTL_LMR_REQUEST_RESILIENCY (MS-SMB2 3.3.5.15.9). */
export type ResiliencyRequest = Pick<DurableRequest, 'timeoutMs' | 'owner' | 'face' | 'seat'>

/** A client comes back to an open (MS-SMB2 3.3.5.9.7, 3.3.5.9.12). */
export interface ReconnectRequest {
  /** Undefined: the open of the CREATE with this CreateGuid, which is replayed (MS-SMB2 3.3.5.9.10). */
  readonly openId: bigint | undefined
  /** Of the create context. */
  readonly version: 1 | 2
  readonly persistent: boolean
  /** Version 2: 32 hex digits. */
  readonly createGuid: string | undefined
  readonly clientGuid: string
  /** Where a lease context came with it. */
  readonly leaseKey: string | undefined
  /** SID of the user. */
  readonly owner: string
  /** As the CREATE names it. */
  readonly path: string
  /** Where it will be. */
  readonly seat?: Seat
}

/** An open to be arbitrated: the file exists (or was just created), the caller's access to it is already decided. */
export interface OpenRequest extends FileIdentity {
  /** Path in the share, `/` between components, no leading slash; `''` is the root. */
  readonly path: string
  /** Stream name without `:$DATA`; `''` is the unnamed data stream (or the folder itself). */
  readonly stream: string
  readonly isFolder: boolean
  /** Granted access mask, generic and maximum-allowed bits already mapped. */
  readonly access: number
  readonly shareAccess: number
  /** The disposition replaces the content of what was there: OVERWRITE, OVERWRITE_IF, SUPERSEDE. */
  readonly overwrite?: boolean
  /** This request created the file or stream. */
  readonly created?: boolean
  /** The file has several names: of these, `path` is its own for deletion and renames. */
  readonly hasLinks?: boolean
  /** FILE_DELETE_ON_CLOSE: takes effect when this very open is closed. */
  readonly deleteOnClose?: boolean
  /** Requested `oplockLevels`; `lease` asks for `lease` below. */
  readonly oplockLevel: number
  readonly lease?: LeaseRequest
  /** Client's GUID, 32 hex digits: lease keys are unique per client only. */
  readonly clientGuid: string
  /** Kept in the record for replay and durable handles (32 hex digits). */
  readonly createGuid?: string
  readonly durable?: DurableRequest
  readonly appInstance?: AppInstance
  /** The user may read the file: the same instance of the application gives up what it has open elsewhere. */
  readonly endsFormerInstance?: boolean
  /** By a client of the SMB 3.x dialect family: it does not get at what waits for another client after a failure (MS-SMB2 3.3.5.9). */
  readonly respectsPersistent?: boolean
}

/** What identifies a granted open to the fast paths, kept by the session with its open. */
export interface OpenReference {
  /** Persistent id, unique in the node (FileId.Persistent). Never 0 nor all ones. */
  readonly openId: bigint
}

/** SMB2_CREATE_RESPONSE_LEASE and _V2 (MS-SMB2 2.2.14.2.10, 2.2.14.2.11). */
export interface LeaseGrant {
  /** Version to answer with: that of the lease, which may differ from this request's. */
  readonly version: 1 | 2
  readonly key: string
  readonly state: number
  /** SMB2_LEASE_FLAG_BREAK_IN_PROGRESS. */
  readonly breakInProgress: boolean
  /** 0 for version 1. */
  readonly epoch: number
  readonly parentKey?: string
}

/** A granted open. The object itself is the reference that the other calls take. */
export interface OpenGrant extends OpenReference {
  readonly status: 'SUCCESS'
  /** Granted `oplockLevels`; `lease` when `lease` says more. */
  readonly oplockLevel: number
  readonly lease?: LeaseGrant
  /** It outlives its connection, as was asked. */
  readonly durable?: boolean
  /** It outlives the process. */
  readonly persistent?: boolean
  /** How long it waits for its client, in milliseconds; where it is durable. */
  readonly timeoutMs?: number
}

/** Anything but a grant. */
export interface Refusal {
  readonly status: Exclude<OpenStatus, 'SUCCESS'>
}

export type OpenResult = OpenGrant | Refusal

/** What a client finds again: the open as it is now. */
export interface Reconnected extends OpenGrant {
  readonly record: OpenRecord
}

/** An open, and the session that says that it is its own. */
export type Claim = Pick<ReconnectRequest, 'clientGuid' | 'owner'> & OpenReference & Pick<Seat, 'session'>

/** Whose opens are meant. */
export interface SessionReference {
  readonly id: bigint
  readonly clientGuid: string
}

export type ReconnectResult = Reconnected | Refusal

/** An outcome without further content. */
export interface StatusResult {
  readonly status: OpenStatus
}

/** A file or stream that is to be removed from the filesystem now. */
export interface DeleteOrder extends FileIdentity {
  /** Say `deleteFinished` when it is gone (or could not be removed); until then its opens get DELETE_PENDING. */
  readonly ticket: number
  readonly path: string
  readonly stream: string
  readonly isFolder: boolean
  /** The open that it ends is in a store until then: who is told of the end is told afterwards. */
  readonly isStored?: boolean
  /** ParentLeaseKey under which it goes: where the open that marked it and the last one have the same. */
  readonly parentKey?: string
}

export interface CloseResult {
  readonly status: 'SUCCESS' | 'FILE_CLOSED'
  readonly deleteNow?: DeleteOrder
}

export interface OplockAcknowledgement {
  readonly status: OpenStatus
  /** Level the open has from here on. */
  readonly oplockLevel: number
}

export interface LeaseAcknowledgement {
  readonly status: OpenStatus
  /** State the lease has from here on. */
  readonly state: number
}

/** One SMB2_LOCK_ELEMENT. */
export interface LockElement {
  readonly offset: bigint
  readonly length: bigint
  readonly flags: number
}

/** LockSequenceNumber and LockSequenceIndex of a LOCK request (MS-SMB2 2.2.26, 3.3.5.14). */
export interface LockSequence {
  /** 1 … 64; others are ignored. */
  readonly index: number
  /** 0 … 15. */
  readonly number: number
}

/** A byte-range lock as held. */
export interface HeldLock {
  readonly openId: bigint
  readonly offset: bigint
  readonly length: bigint
  readonly exclusive: boolean
}

/** What an open is about to do to a file, for the read caching of others (MS-FSA 2.1.4.12). */
export type ContendKind = 'write' | 'setEof' | 'setAllocation' | 'zeroData' | 'lock'

/** Where an open is to be renamed (or linked) to. */
export interface RenameTarget {
  readonly path: string
  /** Stream rename: the new stream name; left out when the file moves. */
  readonly stream?: string
  /** The object that is there now, when the operation may replace it. */
  readonly replaces?: FileIdentity
  /** A further hard link instead of a rename: only the target's rules apply. */
  readonly link?: boolean
}

/** Caching rights as kept in a record: an oplock is a lease that belongs to one open. */
export interface CachingRecord {
  readonly kind: 'oplock' | 'lease'
  readonly state: number
  /** Lease key (hex) or '' for an oplock. */
  readonly key: string
  readonly version: 1 | 2
  readonly epoch: number
  readonly parentKey?: string
  /** Set while a break waits for its acknowledgement: the state it was asked to break to. */
  readonly breakingTo?: number
}

/** What is marked for deletion: nothing, the open's named stream, or the whole file. */
export type DeletePending = 'none' | 'stream' | 'file'

/** All a successor (or a store) needs to know of an open. Structured-cloneable. */
export interface OpenRecord extends FileIdentity {
  readonly openId: bigint
  /** Worker of the node that serves its session. */
  readonly worker: number
  readonly path: string
  /** Its path before its last rename, or after one that may have been done: nobody has said yet. */
  readonly otherPath?: string
  readonly hasLinks?: boolean
  readonly stream: string
  readonly isFolder: boolean
  readonly access: number
  readonly shareAccess: number
  readonly deleteOnClose: boolean
  readonly deletePending: DeletePending
  readonly clientGuid: string
  readonly createGuid?: string
  readonly caching?: CachingRecord
  readonly locks: readonly HeldLock[]
  /** 64 entries, 0xff where none is valid; absent when never used. */
  readonly lockSequences?: Uint8Array
  readonly durable?: DurableRequest
  readonly appInstance?: AppInstance
  /** It waits for its client to come back; `worker` keeps its file. */
  readonly parked?: boolean
  /** Since when, in milliseconds since 1970. */
  readonly parkedAt?: number
}

/** Who owns a partition (a share): changes of state compare the epoch. */
export interface PartitionRecord {
  readonly partition: string
  readonly incarnation: number
  readonly epoch: number
}

/** An oplock break notification to send (MS-SMB2 2.2.23.1). */
export interface OplockBreak {
  readonly openId: bigint
  readonly newLevel: number
  readonly acknowledgementRequired: boolean
}

/** A lease break notification to send, on any connection of the client (MS-SMB2 2.2.23.2). */
export interface LeaseBreak {
  readonly clientGuid: string
  readonly leaseKey: string
  /** Opens of this worker under the lease: any of their connections will do. */
  readonly openIds: readonly bigint[]
  readonly currentState: number
  readonly newState: number
  readonly acknowledgementRequired: boolean
  /** NewEpoch: 0 for version 1. */
  readonly epoch: number
  /** A lease on a folder, which breaks for changes that are done already. */
  readonly isFolder: boolean
}

/** What the open table tells the worker that serves an open. Called outside of any call into the table. */
export interface OpenTableEvents {
  onOplockBreak(notice: OplockBreak): void
  onLeaseBreak(notice: LeaseBreak): void
  /** An open of this worker was taken over by another one, or was ended by somebody else: its file is to be closed. */
  onLetGo?(openId: bigint): void
  /** The open's file or a folder above it was renamed (also by this worker). */
  onPathChanged?(change: { readonly openId: bigint; readonly path: string; readonly stream: string }): void
  /** Persistent opens could not be read at the start: that is tried again, and nothing can be opened until it succeeds. */
  onStoreError?(error: unknown): void
  /** Something to remove for a worker that died before it could (delete-on-close); then `deleteFinished`. */
  onOrphanedDelete?(order: DeleteOrder): void
}
