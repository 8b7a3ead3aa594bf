/**
 * The store: keys with revisions, after etcd's model. One interface for memory, SQLite and (by a client) etcd, and therefore asynchronous
 * everywhere: what rejects with `unavailable` may have happened.
 */

/**
 * A key with what is known of it. Keys are strings ordered by their UTF-8 bytes; values are bytes. Don't change the bytes of a value you were
 * given, nor of one you gave before the call is answered.
 */
export interface Entry {
  readonly key: string
  readonly value: Uint8Array
  /** The revision that made the key. */
  readonly createRevision: number
  /** The revision that changed it last. */
  readonly modRevision: number
  /** 1 when made, one more with every put. */
  readonly version: number
  /** The lease the key vanishes with; 0 for none. */
  readonly lease: number
}

/** One key, all with a prefix (`''`: all there are), or those at or after `from` and before `to` (undefined: to the end). */
export type KeyRange = { readonly key: string } | { readonly prefix: string } | { readonly from: string; readonly to?: string | undefined }

/** A condition on a key. A key that does not exist has the revisions and version 0, and no value. */
export type Compare =
  | { readonly key: string; readonly modRevision: number }
  | { readonly key: string; readonly createRevision: number }
  | { readonly key: string; readonly version: number }
  | { readonly key: string; readonly value: Uint8Array }
  | { readonly key: string; readonly absent: boolean }

/** What a transaction does: put a key (which moves it to `lease`, or to none), delete keys, read keys. */
export type Operation =
  | { readonly type: 'put'; readonly key: string; readonly value: Uint8Array; readonly lease?: number | undefined }
  | ({ readonly type: 'delete' } & KeyRange)
  | ({ readonly type: 'range'; readonly limit?: number | undefined } & KeyRange)

/** All of `compare` holds: `success` happens, in order and at one revision; otherwise `failure`. No key may be changed twice. */
export interface Txn {
  readonly compare?: readonly Compare[] | undefined
  readonly success?: readonly Operation[] | undefined
  readonly failure?: readonly Operation[] | undefined
}

/** What became of one operation. A range within a transaction sees what the operations before it did. */
export type OperationResult =
  | { readonly type: 'put' }
  | { readonly type: 'delete'; readonly deleted: number }
  | { readonly type: 'range'; readonly entries: readonly Entry[]; readonly more: boolean }

/** The outcome of a transaction. */
export interface TxnResult {
  /** True when all compares held. */
  readonly succeeded: boolean
  /** The store's revision after it: one more than before if it changed anything. */
  readonly revision: number
  /** One for each operation of `success` or `failure`. */
  readonly results: readonly OperationResult[]
}

/** How to read a range. */
export interface RangeOptions {
  /** At most so many entries; all where undefined. */
  readonly limit?: number | undefined
  /** As of this revision; as of now where undefined. */
  readonly revision?: number | undefined
}

/** Entries in the order of their keys. */
export interface RangeResult {
  /** The store's revision when it was read. */
  readonly revision: number
  readonly entries: readonly Entry[]
  /** There are more than the limit allowed. */
  readonly more: boolean
}

/** A change of a key. `previous` is what it was before, undefined where there was no such key. */
export type StoreEvent =
  | { readonly type: 'put'; readonly key: string; readonly entry: Entry; readonly previous: Entry | undefined }
  | { readonly type: 'delete'; readonly key: string; readonly entry: undefined; readonly previous: Entry }

/** All that one revision changed within the watched range. */
export interface WatchBatch {
  readonly revision: number
  readonly events: readonly StoreEvent[]
}

/** How to watch. */
export interface WatchOptions {
  /** The first revision of interest; where undefined, that after the store's revision at the time the store hears of the watch. */
  readonly fromRevision?: number | undefined
  /** Ends the watch: the iteration throws the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

/** A lease: its keys vanish together, at one revision, when nobody keeps it alive. */
export interface Lease {
  readonly id: number
  /** Milliseconds it lives from now on; may be more than was asked for. */
  readonly ttlMs: number
}

/** How much history a store keeps for watches and reads of the past: what exceeds one of these is compacted, now and then, by what is written. */
export interface HistoryOptions {
  /** So many revisions (default 10,000). */
  readonly revisions?: number | undefined
  /** So many minutes (default 60). */
  readonly minutes?: number | undefined
  /** So many bytes of keys and values, new and previous ones (default 64 MiB). */
  readonly bytes?: number | undefined
}

/**
 * Keys with revisions, compare-and-swap transactions, watches and leases. All calls are answered in the order in which they were made, or reject with
 * StoreError; each code says whether the thing happened (`storeErrorCodes`). Limits of a transaction are in `storeLimits`.
 */
export interface Store extends AsyncDisposable {
  /** The newest revision that this client has heard of; 0 where it has not heard of any. */
  readonly revision: number

  /**
   * Carries out a transaction; resolves when it is on disk (where there is one). Rejects with `too-many-operations`, `too-large`,
   * `duplicate-key`, `invalid-key`, `lease-not-found`, `no-space`, `unavailable`, `closed`.
   */
  txn(txn: Txn): Promise<TxnResult>

  /** Reads a range. Rejects with `compacted`, `future-revision`, `invalid-key`, `unavailable`, `closed`. */
  range(range: KeyRange, options?: RangeOptions): Promise<RangeResult>

  /**
   * Changes of a range, one batch for each revision that has any, in order and none left out. Begins when it is called, not when it is first
   * iterated; ends when its iteration is left. Throws `compacted` when it wants history that is gone (or falls so far behind): range
   * anew, then watch from the range's revision + 1. Throws `unavailable`, `closed`, `invalid-key`, and the signal's reason.
   */
  watch(range: KeyRange, options?: WatchOptions): AsyncIterableIterator<WatchBatch, undefined>

  /** Makes a lease that lives `ttlMs` milliseconds, and as long again from every `keepAlive`. */
  grantLease(ttlMs: number): Promise<Lease>

  /** Renews a lease once. Rejects with `lease-not-found` when it has run out: its keys are gone. */
  keepAlive(lease: number): Promise<Lease>

  /** Ends a lease; its keys vanish at one revision. Rejects with `lease-not-found`. */
  revoke(lease: number): Promise<{ readonly revision: number }>

  /** Forgets what changed at this revision and before; `compacted` when that is gone already, `future-revision` when it is yet to come. */
  compact(revision: number): Promise<void>

  /** Waits for what is under way, then lets go of everything. Calls made later reject with `closed`. */
  close(): Promise<void>
}
