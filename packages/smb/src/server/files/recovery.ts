/** A session whose worker has died finds its durable, resilient and persistent opens again where it goes on: its client notices nothing. */
import type { RequestContext, SessionContext, TreeContext } from '../core/handler-api.ts'
import type { Reconnected } from '../opens/index.ts'
import { closeWithoutFile } from './file-open.ts'
import { goOnWith } from './reconnect.ts'
import type { OpenFace } from './reconnect.ts'
import { ShareFiles } from './share-files.ts'

/** A request names an open that is not here: it may have overtaken the reconnect of that open. */
export function isAwaited({ tree, session, connection }: RequestContext, openId: bigint): boolean | Promise<boolean> {
  const { extension } = tree.share
  if (!(extension instanceof ShareFiles)) return false
  return extension.opens.awaits({ openId, clientGuid: connection.clientGuid, owner: session.user.sid, session: session.id })
}

export async function recover(session: SessionContext, trees: ReadonlyMap<number, TreeContext>): Promise<void> {
  const shares = new Set([...trees.values()].map(({ share }) => share.extension).filter(extension => extension instanceof ShareFiles))
  await Promise.all([...shares].map(files => recoverOf(files, session, trees)))
}

async function recoverOf(files: ShareFiles, session: SessionContext, trees: ReadonlyMap<number, TreeContext>): Promise<void> {
  for (const found of await files.opens.takeOver(session)) await seat(files, session, { found, trees })
}

async function seat(
  files: ShareFiles,
  session: SessionContext,
  { found, trees }: { readonly found: Reconnected; readonly trees: ReadonlyMap<number, TreeContext> },
): Promise<void> {
  const { seat: place, face } = found.record.durable!
  const tree = trees.get(place!.treeId)
  if (tree === undefined) return closeWithoutFile(files, found)
  const open = await goOnWith(tree, files, found)
  if (open === undefined) return
  try {
    session.opens.restore(open, place!.volatileId)
  } catch {
    await open.onGone('connection-lost')
    return
  }
  const { createGuid } = found.record
  // The answer to its CREATE may not have been sent, and then that is carried out again.
  if (createGuid === undefined) return
  const { action } = face as OpenFace
  files.replays.finished(session.clientGuid, createGuid, { open, action, info: await open.handle.info(), maximal: open.access })
}
