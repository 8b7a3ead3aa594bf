/** SERVER_TO_CLIENT_NOTIFICATION (MS-SMB2 2.2.44): what a server says unasked to clients with `Capability.notifications`. */
import { fixed, reserved, struct, u16, u32 } from '@holdfast/wire'
import type { Infer } from '@holdfast/wire'

/** NotificationType (2.2.44.1). */
export const NotificationType = { sessionClosed: 0 } as const

/** SERVER_TO_CLIENT_NOTIFICATION (2.2.44.1) with SMB2_NOTIFY_SESSION_CLOSED (2.2.44.2). */
export const ServerToClientNotification = struct('SMB2 SERVER_TO_CLIENT_NOTIFICATION', {
  structureSize: fixed(u16, 4),
  reserved: reserved(u16),
  /** `NotificationType`. */
  notificationType: u32,
  notification: reserved(u32),
})
export type ServerToClientNotification = Infer<typeof ServerToClientNotification>
