import { Admission } from './admission.ts'
import { LocalOpens } from './local-opens.ts'
import type { FolderWatcher } from './notify/external-changes.ts'
import type { OpenStore } from './journal.ts'
import { openIdsOf } from './open-ids.ts'
import { OpenTable } from './open-table.ts'
import type { Opens } from './opens.ts'
import { OwnedOpens } from './owned-opens.ts'
import { clientObject, OwnerService, type OpensNode } from './owner-service.ts'
import type { TableMessage } from './partition-state.ts'
import { RemoteOpens } from './remote-opens.ts'
import { createScheduler, type Scheduler } from './scheduler.ts'
import type { OpenTableEvents } from './types.ts'

export interface OpenTableClientOptions {
  readonly node: OpensNode
  /** Name of the share. */
  readonly partition: string
  /** From `createPartitionMemory`, the same on all workers. Without it every read and write on another worker's partition is asked for. */
  readonly memory?: SharedArrayBuffer
  /** Which worker arbitrates; the same answer on all workers. */
  readonly ownerOf?: (partition: string, workers: number) => number
  readonly events: OpenTableEvents
  readonly scheduler?: Scheduler
  /** `defaultBreakTimeoutMs` unless given. */
  readonly breakTimeoutMs?: number
  /** How long a new owner waits for the other workers to bring what they hold; 1 s unless given. */
  readonly graceMs?: number
  /** Where persistent opens are kept; without it there are none. Asked on the owner only. */
  readonly store?: OpenStore | undefined
  /** Changes made behind the server's back: usually `FileSystem.watch`. Called on the owner only. */
  readonly watchFolder?: FolderWatcher | undefined
}

/** The open table of a partition, wherever it is. */
export interface OpenTableClient extends Opens, Disposable {
  /** On the owner. */
  readonly owned?: OwnedOpens
}

/** Spreads partitions over the workers by a hash of their name (FNV-1a). */
export const hashOwner = (partition: string, workers: number): number => {
  let hash = 0x811c9dc5
  for (let i = 0; i < partition.length; i++) hash = Math.imul(hash ^ partition.charCodeAt(i), 0x01000193)
  return (hash >>> 0) % workers
}

/**
 * The open table of a partition on this worker: its owner when `ownerOf` says so, else a client of the owner.
 * Call it once per partition on every worker, at its start: a new owner waits for the clients of the old one.
 *
 *     const opens = createOpenTableClient({ node, partition: 'docs', memory, events })
 *     const answer = opens.open(request)
 *     const result = answer instanceof Pending ? await answer.promise : answer
 */
export const createOpenTableClient = (options: OpenTableClientOptions): OpenTableClient => {
  const { node, partition } = options
  const owner = (options.ownerOf ?? hashOwner)(partition, node.workers)
  const scheduler = options.scheduler ?? createScheduler(node)
  if (owner === node.index) return createOwner(options, scheduler)
  return new RemoteOpens({ node, partition, owner, memory: options.memory, scheduler, events: options.events })
}

const createOwner = (options: OpenTableClientOptions, scheduler: Scheduler): OpenTableClient => {
  const { node, partition, events } = options
  const admission = new Admission(scheduler, events)
  const deliver = deliverOutside(admission, scheduler)
  const remote = clientObject(partition)
  const table = new OpenTable({
    partition,
    nextOpenId: openIdsOf(node),
    send: (worker, message) => (worker === node.index ? deliver(message) : node.post(worker, remote, 'tell', message)),
    orphaned: order => events.onOrphanedDelete?.(order),
    scheduler,
    incarnation: node.incarnation,
    ...(options.memory === undefined ? {} : { memory: options.memory }),
    ...(options.breakTimeoutMs === undefined ? {} : { breakTimeoutMs: options.breakTimeoutMs }),
    watchFolder: attentive(node, options.watchFolder),
    store: options.store,
  })
  // Shared memory that had an owner before tells that this one is a successor.
  const service = new OwnerService({
    node,
    table,
    scheduler,
    recovering: table.generation > 1,
    graceMs: options.graceMs ?? 1_000,
    onError: error => events.onStoreError?.(error),
  })
  const opens = new LocalOpens({ worker: node.index, table, service, admission })
  return Object.assign(opens, { owned: new OwnedOpens(table, service), [Symbol.dispose]: () => service[Symbol.dispose]() })
}

/**
 * Delivers after the call that caused it: a callback may use the table. The break of a folder's lease comes after the answer to what was done in
 * the folder, as with Samba: a client that hears of its own doing first could not tell it from somebody else's.
 */
const deliverOutside = (admission: Admission, scheduler: Scheduler): ((message: TableMessage) => void) => {
  const outbox: TableMessage[] = []
  return message => {
    if (message.type === 'caching' || message.type === 'delete-pending') return
    if (message.type === 'lease-break' && message.notice.isFolder) return scheduler.defer(() => admission.deliver(message))
    outbox.push(message)
    if (outbox.length > 1) return
    queueMicrotask(() => {
      for (const each of outbox.splice(0)) admission.deliver(each)
    })
  }
}

/** The filesystem's reports come through the event loop: the worker must look there as long as it watches. */
const attentive = (node: OpensNode, watchFolder: FolderWatcher | undefined): FolderWatcher | undefined => {
  if (watchFolder === undefined) return undefined
  const holding = (handle: Disposable | undefined): Disposable | undefined => {
    if (handle === undefined) return undefined
    node.beginAsync()
    return {
      [Symbol.dispose]() {
        node.endAsync()
        handle[Symbol.dispose]()
      },
    }
  }
  return (path, options, listener) => {
    const watching = watchFolder(path, options, listener)
    return watching instanceof Promise ? watching.then(holding) : holding(watching)
  }
}
