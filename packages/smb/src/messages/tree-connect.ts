/** TREE_CONNECT (MS-SMB2 2.2.9, 2.2.10). */
import { data, fixed, lengthOf, MalformedError, offsetOf, reserved, struct, u16, u32, u8, utf16, withDefault, bytes } from '@holdfast/wire'
import type { Infer } from '@holdfast/wire'
import { body, headerSize } from './header.ts'
import { TreeConnectFlags } from './constants.ts'

/** TREE_CONNECT request (2.2.9) as all dialects have it; with the flag EXTENSION_PRESENT read it by `decodeTreeConnectRequest`. */
export const TreeConnectRequest = struct(
  'SMB2 TREE_CONNECT request',
  {
    structureSize: fixed(u16, 9),
    /** `TreeConnectFlags` in 3.1.1, reserved before. */
    flags: withDefault(u16, 0),
    pathOffset: offsetOf('path', u16),
    pathLength: lengthOf('path', u16),
    /** `\\server\share`. */
    path: utf16(),
  },
  body,
)
export type TreeConnectRequest = Infer<typeof TreeConnectRequest>

/** SMB2 TREE_CONNECT Request Extension (2.2.9.1): stands at the beginning of the Buffer. */
const Extension = struct('SMB2 TREE_CONNECT request extension', {
  treeConnectContextOffset: u32,
  treeConnectContextCount: u16,
  reserved: reserved(bytes(10)),
})

/** SMB2_TREE_CONNECT_CONTEXT (2.2.9.2). */
export const TreeConnectContext = struct('SMB2 TREE_CONNECT context', {
  /** 1: SMB2_REMOTED_IDENTITY_TREE_CONNECT_CONTEXT_ID. */
  contextType: u16,
  dataLength: lengthOf('data', u16),
  reserved: reserved(u32),
  data: data(),
})
export type TreeConnectContext = Infer<typeof TreeConnectContext>

const maxTreeConnectContexts = 64

/**
 * Reads a TREE_CONNECT request at byte `at` with its contexts, if it has the extension (2.2.9.1). PathOffset counts from the
 * header as ever; the contexts' offset counts from the start of the request, `at`.
 */
export function decodeTreeConnectRequest(
  message: Buffer,
  at: number = headerSize,
  end: number = message.length,
): TreeConnectRequest & { readonly contexts: readonly TreeConnectContext[] } {
  const request = TreeConnectRequest.decode(message, at, end)
  if ((request.flags & TreeConnectFlags.extensionPresent) === 0) return { ...request, contexts: [] }
  const extension = Extension.decode(message, at + TreeConnectRequest.fixedSize, end)
  const { treeConnectContextCount: count, treeConnectContextOffset: offset } = extension
  if (count > maxTreeConnectContexts) throw new MalformedError('too-many-contexts', `${count} TREE_CONNECT contexts`)
  const contexts: TreeConnectContext[] = []
  for (let i = 0, position = at + offset; i < count; i++) {
    const context = TreeConnectContext.decode(message, position, end)
    contexts.push(context)
    position += (TreeConnectContext.fixedSize + context.data.length + 7) & -8
  }
  return { ...request, contexts }
}

/** TREE_CONNECT response (2.2.10). */
export const TreeConnectResponse = struct('SMB2 TREE_CONNECT response', {
  structureSize: fixed(u16, 16),
  /** `ShareType`. */
  shareType: u8,
  reserved: reserved(u8),
  /** `ShareFlags`. */
  shareFlags: withDefault(u32, 0),
  /** `ShareCapability`. */
  capabilities: withDefault(u32, 0),
  /** Access mask the user may have at most. */
  maximalAccess: u32,
})
export type TreeConnectResponse = Infer<typeof TreeConnectResponse>
