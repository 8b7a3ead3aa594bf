/** The disk shares of a worker, which come, change and go while it runs: each with its files and its open table. */
import type { WorkerNode } from '@holdfast/engine'
import type { FileSystem } from '@holdfast/storage'
import { wellKnownSids } from '../messages/sid.ts'
import type { Logger, ShareConfig, SmbServer } from './core/index.ts'
import { breakEvents, publishRemoval, removeByPath, ShareFiles } from './files/index.ts'
import { createOpenTableClient } from './opens/index.ts'
import type { OpenStore, OpenTableClient } from './opens/index.ts'

/** A disk share on this worker. */
export interface ServedShare extends ShareConfig {
  readonly fileSystem: FileSystem
  /** From `createPartitionMemory`, the same on all workers. */
  readonly partitionMemory?: SharedArrayBuffer
  /** Worker that arbitrates between the share's opens; the same answer on all workers. Default 0. */
  readonly owner?: number
  /** Keeps the persistent opens of a share that is continuously available; without it the share is none. Used on the worker that arbitrates. */
  readonly openStore?: OpenStore
}

/** What of a share counts for the next tree connect; the rest is what the share is. */
export type ShareSettings = Pick<ServedShare, 'comment' | 'encrypt' | 'accessBasedEnumeration' | 'delayedWriteTimes' | 'caching' | 'users'>

/** A share, and what this worker has for it. */
export interface ShareOnWorker {
  share: ServedShare
  readonly files: ShareFiles
  readonly opens: OpenTableClient
}

/** What they have in common. */
export interface SharesOnWorkerOptions {
  readonly node: WorkerNode
  /** SID that local accounts' SIDs begin with. */
  readonly machineSid: string
  readonly log?: Logger | undefined
}

/** What a client is told to survive has to be kept somewhere. */
const isContinuouslyAvailable = (share: ServedShare): boolean => share.continuouslyAvailable === true && share.openStore !== undefined

/** As the core knows it. */
export function withoutObjects(share: ServedShare): ShareConfig {
  const { fileSystem: _fileSystem, partitionMemory: _memory, owner: _owner, openStore: _store, ...config } = share
  return { ...config, continuouslyAvailable: isContinuouslyAvailable(share) }
}

const keyOf = (name: string): string => name.toUpperCase()

/** By name, without regard to case. */
export class SharesOnWorker {
  readonly #options: SharesOnWorkerOptions
  readonly #shares = new Map<string, ShareOnWorker>()

  constructor(options: SharesOnWorkerOptions) {
    this.#options = options
  }

  get(name: string): ShareOnWorker | undefined {
    return this.#shares.get(keyOf(name))
  }

  values(): IterableIterator<ShareOnWorker> {
    return this.#shares.values()
  }

  /** Before the core serves it. There must be none of that name. */
  add(share: ServedShare): void {
    if (this.get(share.name) !== undefined) throw new Error(`there is a share ${share.name} already`)
    this.#shares.set(keyOf(share.name), { share, ...openShare(share, this.#options) })
  }

  /** Before the core serves it as it is now. */
  change(name: string, settings: ShareSettings): ServedShare {
    const known = this.get(name)
    if (known === undefined) throw new Error(`there is no share ${name}`)
    // What is left out is not as it was, but as it is by default.
    const { comment: _comment, users: _users, caching: _caching, ...rest } = known.share
    known.share = { ...rest, ...settings }
    known.files.change(filesSettingsOf(known.share))
    return known.share
  }

  /** Nothing is connected to it any more, on any worker: ends what waits for clients, where that is arbitrated. */
  async endWaiting(name: string): Promise<void> {
    await this.get(name)?.opens.owned?.forceCloseWaiting()
  }

  /** After that. */
  remove(name: string): void {
    const known = this.get(name)
    if (known === undefined) return
    this.#shares.delete(keyOf(name))
    // Those that waited here, where nobody lived to end them.
    for (const open of Array.from(known.files.byId.values())) open.letGo()
    known.opens[Symbol.dispose]()
  }
}

const filesSettingsOf = (share: ServedShare): Pick<ShareFiles['options'], 'accessBasedEnumeration' | 'delayedWriteTimes'> => ({
  accessBasedEnumeration: share.accessBasedEnumeration ?? false,
  delayedWriteTimes: share.delayedWriteTimes ?? true,
})

function openShare(share: ServedShare, { node, machineSid, log }: SharesOnWorkerOptions): Pick<ShareOnWorker, 'files' | 'opens'> {
  const { fileSystem } = share
  const opens = createOpenTableClient({
    node,
    partition: share.name,
    ...(share.partitionMemory === undefined ? {} : { memory: share.partitionMemory }),
    ownerOf: (_partition, workers) => (share.owner ?? 0) % workers,
    events: {
      ...breakEvents(() => files),
      onStoreError: error => log?.error({ error, share: share.name }, 'the persistent opens of a share cannot be read; it is tried again'),
      onOrphanedDelete: order => {
        removeByPath(files, order)
          .then(() => publishRemoval(files, order))
          .catch((error: unknown) => log?.warn({ error, path: order.path }, 'a file marked for deletion could not be removed'))
          .finally(() => void opens.deleteFinished(order))
      },
    },
    store: isContinuouslyAvailable(share) ? share.openStore : undefined,
    watchFolder: fileSystem.watch === undefined ? undefined : (path, how, listener) => fileSystem.watch!(path, how, listener),
  })
  const files: ShareFiles = new ShareFiles({
    fileSystem,
    opens,
    owner: `${machineSid}-500`,
    group: wellKnownSids.users,
    readOnly: share.readOnly ?? fileSystem.features.readOnly,
    writeThrough: isContinuouslyAvailable(share),
    ...filesSettingsOf(share),
  })
  return { files, opens }
}

/** Shares on a worker while it runs. All workers do the same, one step after the other: whoever calls sees to that. */
export class ShareControl {
  readonly #server: SmbServer
  readonly #shares: SharesOnWorker

  constructor(server: SmbServer, shares: SharesOnWorker) {
    this.#server = server
    this.#shares = shares
  }

  /** Serves one more share. */
  add(share: ServedShare): void {
    this.#shares.add(share)
    this.#server.addShare(withoutObjects(share))
  }

  /** From here on tree connects find it so; those that are there keep what they were told. */
  change(name: string, settings: ShareSettings): void {
    this.#server.addShare(withoutObjects(this.#shares.change(name, settings)))
  }

  /** First step of its end: what is connected to it on this worker ends with all opens, durable ones too. Resolves when they are closed. */
  withdraw(name: string): Promise<void> {
    return this.#server.removeShare(name)
  }

  /** Second step, when all workers have done the first: what waits for clients is closed. */
  endWaiting(name: string): Promise<void> {
    return this.#shares.endWaiting(name)
  }

  /** Last step, when all workers have done the second. A share of the same name may follow. */
  remove(name: string): void {
    this.#shares.remove(name)
  }
}
