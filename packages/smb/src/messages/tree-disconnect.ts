/** TREE_DISCONNECT (MS-SMB2 2.2.11, 2.2.12). */
import { fixed, reserved, struct, u16 } from '@holdfast/wire'

/** TREE_DISCONNECT request (2.2.11). */
export const TreeDisconnectRequest = struct('SMB2 TREE_DISCONNECT request', { structureSize: fixed(u16, 4), reserved: reserved(u16) })

/** TREE_DISCONNECT response (2.2.12). */
export const TreeDisconnectResponse = struct('SMB2 TREE_DISCONNECT response', { structureSize: fixed(u16, 4), reserved: reserved(u16) })
