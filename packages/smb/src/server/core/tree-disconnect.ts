/** TREE_DISCONNECT (MS-SMB2 3.3.5.8). */
import { replyEmpty } from './echo.ts'
import type { Outcome } from './handler-api.ts'
import type { SmbRequest } from './request.ts'

export async function treeDisconnect(request: SmbRequest): Promise<Outcome> {
  const { session, tree, connection } = request
  session.trees.delete(tree.id)
  connection.server.gauges.trees.add(-1)
  for (const channel of session.channels.values()) channel.connection.running.cancelWhere(other => other.tree === tree && other !== request)
  await session.closeOpens('tree-disconnect', tree)
  session.checkpoint()
  return replyEmpty(request)
}
