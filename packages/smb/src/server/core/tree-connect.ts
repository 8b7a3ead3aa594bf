/** TREE_CONNECT (MS-SMB2 3.3.5.7). */
import { ShareCapability, ShareFlags, ShareType } from '../../messages/constants.ts'
import { headerSize } from '../../messages/header.ts'
import { NtStatus } from '../../messages/nt-status.ts'
import { wellKnownSids } from '../../messages/sid.ts'
import { decodeTreeConnectRequest, TreeConnectResponse } from '../../messages/tree-connect.ts'
import type { Outcome } from './handler-api.ts'
import type { SmbRequest } from './request.ts'
import { Tree } from './tree.ts'
import type { Share } from './tree.ts'

const cachingFlags = {
  manual: ShareFlags.manualCaching,
  auto: ShareFlags.autoCaching,
  vdo: ShareFlags.vdoCaching,
  none: ShareFlags.noCaching,
} as const

export async function treeConnect(request: SmbRequest): Promise<Outcome> {
  const { connection, session, message } = request
  const { server } = connection
  if (connection.dialect >= 0x0311 && !session.isAnonymous && !request.isSigned && !request.isEncrypted) {
    connection.close('TREE_CONNECT neither signed nor encrypted')
    return request.fail(NtStatus.ACCESS_DENIED)
  }
  const { path } = decodeTreeConnectRequest(message, headerSize)
  const name = shareNameOf(path)
  const share = name === undefined ? undefined : server.shares.get(name)
  // Nobody in particular gets at pipes only, and is not told which other shares there are.
  if (session.user.sid === wellKnownSids.anonymous && share?.type !== 'pipe') return request.fail(NtStatus.ACCESS_DENIED)
  if (share === undefined) return request.fail(NtStatus.BAD_NETWORK_NAME)
  if (!share.admits(session.user.name)) return request.fail(NtStatus.ACCESS_DENIED)
  // A folder that has been removed under the server is no share until it is back.
  if ((await share.fileSystem?.available?.()) === false) return request.fail(NtStatus.BAD_NETWORK_NAME)
  // Nor one that has been deleted while it was looked for.
  if (server.shares.get(share.name)?.extension !== share.extension) return request.fail(NtStatus.BAD_NETWORK_NAME)
  // (3.3.5.7) a client that can't encrypt never gets at an encrypted share.
  if (share.encrypt && session.encryptor === undefined) return request.fail(NtStatus.ACCESS_DENIED)
  if (session.trees.size >= server.settings.limits.treesPerSession) return request.fail(NtStatus.INSUFFICIENT_RESOURCES)
  const tree = session.addTree(id => new Tree(id, session, share))
  server.gauges.trees.add(1)
  session.checkpoint()
  request.chain.tree = tree
  request.responseTreeId = tree.id
  return request.reply(TreeConnectResponse.encode(responseOf(tree, share), request.reserve(TreeConnectResponse.fixedSize)))
}

const responseOf = (tree: Tree, share: Share) => ({
  shareType: share.type === 'pipe' ? ShareType.pipe : ShareType.disk,
  shareFlags:
    cachingFlags[share.type === 'pipe' ? 'none' : (share.config.caching ?? 'manual')] |
    (share.encrypt ? ShareFlags.encryptData : 0) |
    (share.config.accessBasedEnumeration === true ? ShareFlags.accessBasedDirectoryEnum : 0),
  capabilities: share.continuouslyAvailable ? ShareCapability.continuousAvailability : 0,
  maximalAccess: tree.maximalAccess,
})

/** `share` of `\\host\share`: the host is whatever the client calls us. Longer names than Windows allows are none. */
function shareNameOf(path: string): string | undefined {
  const match = /^\\{2}[^\\]+\\([^\\]{1,80})\\?$/.exec(path)
  return match?.[1]
}
