/** ECHO (MS-SMB2 2.2.28, 2.2.29). */
import { fixed, reserved, struct, u16 } from '@holdfast/wire'

/** ECHO request (2.2.28). */
export const EchoRequest = struct('SMB2 ECHO request', { structureSize: fixed(u16, 4), reserved: reserved(u16) })

/** ECHO response (2.2.29). */
export const EchoResponse = struct('SMB2 ECHO response', { structureSize: fixed(u16, 4), reserved: reserved(u16) })
