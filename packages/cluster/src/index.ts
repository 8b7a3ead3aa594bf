/** The store of a cluster's state (transactions, ranges, watches, leases), and partitions: what has one owner, who alone writes there. */
export { ownerOf } from './partition/ownership.ts'
export type { FoundRecord, OwnershipRecord } from './partition/ownership.ts'
export { claimPartition, PartitionStore } from './partition/partition.ts'
export type { ClaimOptions, PartitionOperation } from './partition/partition.ts'
export { Serial } from './serial.ts'
export { StoreError, storeErrorCodes } from './store/errors.ts'
export type { StoreErrorCode } from './store/errors.ts'
export { interceptedStore } from './store/intercepted.ts'
export type { StoreCall, StoreInterceptor } from './store/intercepted.ts'
export { compareKeys, prefixEnd } from './store/keys.ts'
export { storeLimits } from './store/limits.ts'
export { memoryStore } from './store/memory/memory.ts'
export type { MemoryStoreOptions } from './store/memory/memory.ts'
export { openStorePort } from './store/sqlite/port-store.ts'
export type { StorePort } from './store/sqlite/port-store.ts'
export { sqliteStore } from './store/sqlite/sqlite.ts'
export type { SqliteStore, SqliteStoreOptions } from './store/sqlite/sqlite.ts'
export type {
  Compare,
  Entry,
  HistoryOptions,
  KeyRange,
  Lease,
  Operation,
  OperationResult,
  RangeOptions,
  RangeResult,
  Store,
  StoreEvent,
  Txn,
  TxnResult,
  WatchBatch,
  WatchOptions,
} from './store/store.ts'
export { systemTimers } from './time.ts'
export type { Clock, Timers } from './time.ts'
