import { foldPath, parentOf } from '../paths.ts'
import type { PartitionMemory } from '../partition-memory.ts'
import type { Pending } from '../pending.ts'
import type { Scheduler } from '../scheduler.ts'
import { changesOfRename } from './changes.ts'
import { ExternalChanges, type FolderWatcher } from './external-changes.ts'
import type { FolderChange, NotifyEntry, NotifyRequest, NotifyResult, RenameNotice } from './types.ts'
import { Watch } from './watch.ts'

/** A watch as its client keeps it for a successor. */
export interface WatchRecord {
  readonly openId: bigint
  readonly path: string
  readonly recursive: boolean
  readonly filter: number
  readonly maxBytes: number
}

/** Who watches what in a partition (MS-SMB2 3.3.5.19, MS-FSA 2.1.5.11). */
export class NotifyRegistry {
  readonly #memory: PartitionMemory
  readonly #watches = new Map<bigint, Watch>()
  readonly #byFolder = new Map<string, Set<Watch>>()
  readonly #external: ExternalChanges
  readonly #breakLeases: (change: FolderChange) => void
  #recursive = 0

  constructor(options: {
    readonly memory: PartitionMemory
    readonly scheduler: Scheduler
    readonly watchFolder?: FolderWatcher | undefined
    /** Told of changes in a folder's listing. */
    readonly breakLeases?: (change: FolderChange) => void
  }) {
    this.#memory = options.memory
    this.#breakLeases = options.breakLeases ?? (() => undefined)
    this.#external = new ExternalChanges({
      scheduler: options.scheduler,
      watchFolder: options.watchFolder,
      publish: changes => {
        for (const change of changes) this.#breakLeases(change)
        this.#tell(changes)
      },
    })
  }

  get watched(): boolean {
    return this.#watches.size > 0
  }

  get listened(): boolean {
    return this.#memory.listeners > 0
  }

  /** CHANGE_NOTIFY on an open folder; `path` is where the folder is now. */
  next(path: string, request: NotifyRequest): NotifyResult | Pending<NotifyResult> {
    const watch = this.#watches.get(request.openId) ?? this.#add(new Watch(request, path))
    return watch.next(request.maxBytes)
  }

  /** A watch of a former owner: what happened meanwhile is unknown, so its client is told to look itself. */
  reclaim(record: WatchRecord): void {
    if (!this.#watches.has(record.openId)) this.#add(new Watch(record, record.path)).overflow()
  }

  #add(watch: Watch): Watch {
    this.#watches.set(watch.openId, watch)
    this.#index(watch)
    this.#memory.addWatches(1)
    if (watch.recursive) this.#recursive++
    return watch
  }

  #index(watch: Watch): void {
    const there = this.#byFolder.get(watch.folded)
    if (there === undefined) this.#byFolder.set(watch.folded, new Set([watch]))
    else there.add(watch)
    this.#external.follow(watch.path, watch.recursive)
  }

  #unindex(watch: Watch): void {
    const there = this.#byFolder.get(watch.folded)
    there?.delete(watch)
    if (there?.size === 0) this.#byFolder.delete(watch.folded)
    this.#external.unfollow(watch.path, watch.recursive)
  }

  publish(change: FolderChange): void {
    if (!this.listened) return
    if (change.listing === true) this.#breakLeases(change)
    if (this.#watches.size === 0) return
    this.#external.expectEcho(change)
    if (change.filter !== 0) this.#tell([change])
  }

  publishRename(rename: RenameNotice): void {
    if (!this.listened) return
    const changes = changesOfRename(rename)
    for (const change of changes) if (change.listing === true) this.#breakLeases(change)
    if (this.#watches.size === 0) return
    for (const change of changes) this.#external.expectEcho(change)
    this.#tell(changes)
  }

  /** Adds to all watches concerned, then answers: both names of a rename come in one answer. */
  #tell(changes: readonly FolderChange[]): void {
    const touched = new Set<Watch>()
    for (const change of changes) {
      const folded = foldPath(change.folder)
      for (const watch of this.#byFolder.get(folded) ?? []) this.#offer(watch, change, change.name, touched)
      if (this.#recursive === 0) continue
      for (let above = parentOf(folded); above !== undefined; above = parentOf(above)) {
        const there = this.#byFolder.get(above)
        if (there === undefined) continue
        const name = `${change.folder.slice(above === '' ? 0 : above.length + 1).replaceAll('/', '\\')}\\${change.name}`
        for (const watch of there) if (watch.recursive) this.#offer(watch, change, name, touched)
      }
    }
    for (const watch of touched) watch.answer()
  }

  #offer(watch: Watch, change: FolderChange, name: string, touched: Set<Watch>): void {
    if ((watch.filter & change.filter) === 0) return
    const entry: NotifyEntry = { action: change.action, name }
    watch.add(entry)
    touched.add(watch)
  }

  /** The folder is marked for deletion: who waits for changes in it is told so. */
  folderGoing(openIds: readonly bigint[]): void {
    for (const openId of openIds) this.#watches.get(openId)?.end('DELETE_PENDING')
  }

  moved(openId: bigint, path: string): void {
    const watch = this.#watches.get(openId)
    if (watch === undefined) return
    this.#unindex(watch)
    watch.path = path
    watch.folded = foldPath(path)
    this.#index(watch)
  }

  closed(openId: bigint): void {
    const watch = this.#watches.get(openId)
    if (watch === undefined) return
    this.#watches.delete(openId)
    this.#unindex(watch)
    this.#memory.addWatches(-1)
    if (watch.recursive) this.#recursive--
    watch.end('NOTIFY_CLEANUP')
  }
}
