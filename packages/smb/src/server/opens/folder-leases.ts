import type { FolderChange } from './notify/types.ts'
import { foldPath } from './paths.ts'
import type { PartitionState } from './partition-state.ts'

/**
 * Something changed in a folder's listing: leases on the folder lose their read caching, and with it all (MS-FSA 2.1.4.12, PARENT_OBJECT;
 * MS-SMB2 3.3.4.7). The lease stays that the change was made under: whose key is its ParentLeaseKey. Keys alone are compared, as
 * MS-FSA 2.1.4.12.2 does; they are 128 random bits. Nobody waits for the acknowledgement.
 */
export const breakFolderLeases = (state: PartitionState, { folder, parentKey }: FolderChange): void => {
  for (const file of state.filesAt(foldPath(folder))) {
    if (!file.isFolder) continue
    for (const holder of file.streams.get('')?.caching ?? []) if (holder.key !== parentKey) state.breakTo(holder, 0)
  }
}
