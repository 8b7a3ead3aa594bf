/** The open table: arbitration between the opens of a share, owned by one worker, reached from all. */
export type { Notifications, NotifyEntry, NotifyRequest, NotifyResult, FolderChange } from './notify/types.ts'
export { notifyActions, notifyFilters } from './notify/types.ts'
export type { Opens } from './opens.ts'
export { Pending } from './pending.ts'
export type * from './types.ts'
export { leaseStates, lockFlags, oplockLevels, shareAccessBits } from './types.ts'
