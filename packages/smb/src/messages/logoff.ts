/** LOGOFF (MS-SMB2 2.2.7, 2.2.8). */
import { fixed, reserved, struct, u16 } from '@holdfast/wire'

/** LOGOFF request (2.2.7). */
export const LogoffRequest = struct('SMB2 LOGOFF request', { structureSize: fixed(u16, 4), reserved: reserved(u16) })

/** LOGOFF response (2.2.8). */
export const LogoffResponse = struct('SMB2 LOGOFF response', { structureSize: fixed(u16, 4), reserved: reserved(u16) })
