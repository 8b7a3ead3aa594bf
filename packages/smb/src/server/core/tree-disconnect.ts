/** TREE_DISCONNECT (MS-SMB2 3.3.5.8). */
import { replyEmpty } from './echo.ts'
import type { Outcome } from './handler-api.ts'
import type { SmbRequest } from './request.ts'

export async function treeDisconnect(request: SmbRequest): Promise<Outcome> {
  const { session, tree } = request
  await session.endTree(tree, { reason: 'tree-disconnect', except: request })
  return replyEmpty(request)
}
