/** CANCEL (MS-SMB2 2.2.30): has no response of its own; names what it cancels by MessageId or AsyncId of its header. */
import { fixed, reserved, struct, u16 } from '@holdfast/wire'

/** CANCEL request (2.2.30). */
export const CancelRequest = struct('SMB2 CANCEL request', { structureSize: fixed(u16, 4), reserved: reserved(u16) })
