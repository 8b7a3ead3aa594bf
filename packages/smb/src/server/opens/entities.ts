import type { BreakPhase, BreakState } from './break-machine.ts'
import { ByteRangeLocks } from './byte-range-locks.ts'
import type { LockWaiter, Waiter } from './waiters.ts'
import { foldPath } from './paths.ts'
import type { AppInstance, DeleteOrder, DurableRequest, OpenRequest } from './types.ts'

/** A file or folder with opens (or whose removal is under way). */
export class File {
  readonly key: string
  readonly volumeId: bigint
  readonly fileId: bigint
  readonly isFolder: boolean
  path: string
  folded: string
  /** Number of opens by another name than `path`: a hard link. */
  linkOpens = 0
  /** Names marked for deletion, as in `Open.link`; all streams go with the last name. */
  readonly goingLinks = new Set<string | undefined>()
  /** Ordered to be removed and not yet reported gone. */
  readonly removals = new Set<DeleteOrder>()
  readonly streams = new Map<string, Stream>()
  opens = 0
  /** ParentLeaseKey of the open that marked it for deletion. */
  deletionKey: string | undefined

  constructor(key: string, request: OpenRequest, folded: string) {
    this.key = key
    this.volumeId = request.volumeId
    this.fileId = request.fileId
    this.isFolder = request.isFolder
    this.path = request.path
    this.folded = folded
  }

  /** The name of a request or record, if it is another than `path` (a hard link). */
  linkOf(request: Pick<OpenRequest, 'path' | 'hasLinks'>): string | undefined {
    return request.hasLinks === true && foldPath(request.path) !== this.folded ? request.path : undefined
  }

  get deletePending(): boolean {
    return this.goingLinks.size > 0
  }

  /** Marked, or being removed. */
  get isGoing(): boolean {
    return this.goingLinks.size > 0 || this.removals.size > 0
  }

  /** The same for one of its names: a path. */
  isGoingAs(path: string): boolean {
    if (!this.isGoing) return false
    const name = foldPath(path)
    for (const link of this.goingLinks) if (foldPath(link ?? this.path) === name) return true
    for (const removal of this.removals) if (foldPath(removal.path) === name) return true
    return false
  }
}

/** A data stream (or the folder itself): what share modes, caching and locks are about. */
export class Stream {
  readonly file: File
  name: string
  folded: string
  readonly slot: number
  deletePending = false
  deleting: DeleteOrder | undefined
  readonly opens = new Set<Open>()
  readonly caching = new Set<Caching>()
  /** How many of these cache reads. */
  readers = 0
  readonly locks = new ByteRangeLocks()
  /** In the order of arrival. */
  readonly lockWaiters: LockWaiter[] = []

  constructor(file: File, name: string, folded: string, slot: number) {
    this.file = file
    this.name = name
    this.folded = folded
    this.slot = slot
  }

  get isMarkedForDeletion(): boolean {
    return this.deletePending || this.deleting !== undefined || this.file.isGoing
  }
}

/** Nobody serves it: its client is gone and may come back. */
export const noWorker = -1

export class Open {
  readonly id: bigint
  /** Who serves it, or `noWorker`. */
  worker: number
  /** While nobody serves it: who keeps its file open, if anybody does. */
  keeper = noWorker
  /** Since when it waits for its client, in milliseconds since 1970. */
  parkedAt: number | undefined
  /** Set where it outlives its connection. */
  durable: DurableRequest | undefined
  readonly stream: Stream
  readonly access: number
  readonly shareAccess: number
  readonly clientGuid: string
  readonly createGuid: string | undefined
  readonly appInstance: AppInstance | undefined
  readonly deleteOnClose: boolean
  /** The name it was opened by, if it is another than the file's `path` (a hard link); follows renames. */
  link: string | undefined
  /** As in its record. */
  otherPath: string | undefined
  /** As the request said. */
  readonly hasLinks: boolean
  caching: Caching | undefined
  /** LOCK sequence numbers by index - 1, 0xff where none is valid. */
  lockSequences: Uint8Array | undefined
  closed = false

  constructor(id: bigint, worker: number, stream: Stream, request: OpenRequest) {
    this.id = id
    this.worker = worker
    this.stream = stream
    this.access = request.access
    this.shareAccess = request.shareAccess
    this.clientGuid = request.clientGuid
    this.createGuid = request.createGuid
    this.appInstance = request.appInstance
    this.deleteOnClose = request.deleteOnClose === true
    this.hasLinks = request.hasLinks === true
    this.link = stream.file.linkOf(request)
  }

  /** Who is to know what becomes of it, or `noWorker`. */
  get holder(): number {
    return this.worker === noWorker ? this.keeper : this.worker
  }

  /** Path in the share as of now. */
  get path(): string {
    return this.link ?? this.stream.file.path
  }

  /** What it is open on is marked for deletion or being removed: of a file with several names, its own. */
  get isGoing(): boolean {
    const { stream } = this
    return stream.deletePending || stream.deleting !== undefined || stream.file.isGoingAs(this.path)
  }
}

/** Who holds caching rights on a stream: an open by its oplock, or all opens of a client's lease. */
export class Caching implements BreakState {
  phase: BreakPhase = 'held'
  breakingTo = 0
  required = 0
  state: number
  readonly kind: 'oplock' | 'lease'
  readonly stream: Stream
  readonly clientGuid: string
  /** Lease key, `''` for an oplock. */
  readonly key: string
  readonly version: 1 | 2
  epoch: number
  readonly parentKey: string | undefined
  readonly opens = new Set<Open>()
  /** Who waits for the end of the break under way. */
  readonly waiters = new Set<Waiter>()
  stopTimer: (() => void) | undefined

  constructor(options: {
    kind: 'oplock' | 'lease'
    stream: Stream
    clientGuid: string
    key: string
    version: 1 | 2
    state: number
    epoch: number
    parentKey: string | undefined
  }) {
    this.kind = options.kind
    this.stream = options.stream
    this.clientGuid = options.clientGuid
    this.key = options.key
    this.version = options.version
    this.state = options.state
    this.epoch = options.epoch
    this.parentKey = options.parentKey
  }
}

/** Key of a lease in its partition: lease keys are unique per client. */
export const leaseId = (clientGuid: string, key: string): string => `${clientGuid}/${key}`

/** Key of a file in its partition. */
export const fileKey = (volumeId: bigint, fileId: bigint): string => `${volumeId}:${fileId}`
