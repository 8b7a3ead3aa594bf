/** LOGOFF (MS-SMB2 3.3.5.6). */
import { replyEmpty } from './echo.ts'
import type { Outcome } from './handler-api.ts'
import type { SmbRequest } from './request.ts'

/** Ends the session on all its channels; its opens are closed when the answer goes out. */
export async function logoff(request: SmbRequest): Promise<Outcome> {
  await request.connection.server.closeSession(request.session, { reason: 'logoff', except: request })
  return replyEmpty(request)
}
