/** Requests that are early: the open they name waits for its client, which has several requests under way. */
import type { SmbRequest } from './request.ts'

/** How long a request waits for the reconnect of an open, in milliseconds. */
const arrivalMs = 5000

/**
 * Threads of a client that has a new connection do not wait for each other: some send requests with the FileId of before while another one still
 * asks for the open (Linux since 6.8). FILE_CLOSED would be given to the application.
 *
 * Resolves when the open that the FileId at `at` names is in the session, or when it is not to come.
 */
export async function arrivalOf(request: SmbRequest, bytes: Buffer, at: number): Promise<void> {
  const { session, tree, connection } = request
  if (!tree.share.continuouslyAvailable) return
  const { timers, dependencies } = connection.server
  const volatileId = bytes.readBigUInt64LE(at + 8)
  // It may arrive while the open table is asked.
  const arrival = session.opens.arrival(volatileId)
  const timer = timers.set(() => session.opens.stopWaiting(volatileId), arrivalMs)
  try {
    if (await dependencies.fileCommands.isAwaited(request, bytes.readBigUInt64LE(at))) await arrival
    else session.opens.stopWaiting(volatileId)
  } finally {
    timers.clear(timer)
  }
}
