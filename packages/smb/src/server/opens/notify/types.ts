import type { Pending } from '../pending.ts'

/** CompletionFilter bits (MS-SMB2 2.2.35). */
export const notifyFilters = {
  fileName: 0x001,
  dirName: 0x002,
  attributes: 0x004,
  size: 0x008,
  lastWrite: 0x010,
  lastAccess: 0x020,
  creation: 0x040,
  ea: 0x080,
  security: 0x100,
  streamName: 0x200,
  streamSize: 0x400,
  streamWrite: 0x800,
} as const

/** FILE_ACTION_* (MS-FSCC 2.7.1). */
export const notifyActions = {
  added: 1,
  removed: 2,
  modified: 3,
  renamedOldName: 4,
  renamedNewName: 5,
  addedStream: 6,
  removedStream: 7,
  modifiedStream: 8,
} as const

/** Something that happened to an entry of a folder. */
export interface FolderChange {
  /** Path of the folder in the share, `/` between components. */
  readonly folder: string
  readonly name: string
  /** `notifyActions`. */
  readonly action: number
  /** `notifyFilters` bits this change satisfies. 0 tells nobody and only keeps the filesystem's own report of it from being told. */
  readonly filter: number
  /** It shows in the folder's listing: leases on the folder break. */
  readonly listing?: boolean
  /** ParentLeaseKey of the open that made the change: the lease with this key is not broken by it. */
  readonly parentKey?: string | undefined
}

/** One FILE_NOTIFY_INFORMATION to encode. */
export interface NotifyEntry {
  readonly action: number
  /** Relative to the watched folder, `\` between components. */
  readonly name: string
}

export interface NotifyRequest {
  readonly openId: bigint
  /** SMB2_WATCH_TREE. Counts on the first request of an open only, like `filter` (MS-FSA 2.1.5.11). */
  readonly recursive: boolean
  readonly filter: number
  /** OutputBufferLength: more than fits gives NOTIFY_ENUM_DIR. */
  readonly maxBytes: number
}

export interface NotifyResult {
  readonly status: 'SUCCESS' | 'NOTIFY_ENUM_DIR' | 'NOTIFY_CLEANUP' | 'DELETE_PENDING' | 'CANCELLED' | 'FILE_CLOSED' | 'INVALID_PARAMETER'
  readonly entries: readonly NotifyEntry[]
}

/** A rename or move, for the watchers of both folders. */
export interface RenameNotice {
  readonly from: { readonly folder: string; readonly name: string }
  readonly to: { readonly folder: string; readonly name: string }
  readonly isFolder: boolean
  /** As in `FolderChange`. */
  readonly parentKey?: string | undefined
}

/** Change notification of one partition (MS-SMB2 3.3.5.19). */
export interface Notifications {
  /** Waits for changes in the folder of an open; from the first request on, changes are collected between requests. */
  next(request: NotifyRequest): NotifyResult | Pending<NotifyResult>
  /** Tells the watchers of what the server did, and breaks the leases on the folder. Costs one atomic load when there are none in the share. */
  publish(change: FolderChange): void
  /** Tells of a rename: old and new name within a folder, removed and added across folders. */
  publishRename(rename: RenameNotice): void
  /** True when somebody watches the share: what costs more than a call to find out need not be found out otherwise. */
  readonly watched: boolean
  /** The same for changes that show in a folder's listing: somebody watches, or has a lease on a folder. */
  readonly listened: boolean
}
