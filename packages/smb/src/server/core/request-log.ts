/** What the log says of requests: every line that one causes carries its id. */
import { commandName } from '../../messages/constants.ts'
import { ntStatusName } from '../../messages/nt-status.ts'
import type { SmbRequest } from './request.ts'

/** `smb/3/17` is the request with MessageId 17 on connection 3: what grep finds all its lines by. */
export const requestId = ({ connection, messageId }: SmbRequest): string => `smb/${connection.id}/${messageId}`

/** The fields of a line about a request. */
export const causeOf = (request: SmbRequest): { readonly request: string; readonly connection: number; readonly command: string } => ({
  request: requestId(request),
  connection: request.connection.id,
  command: commandName(request.command),
})

/** Says how a request has ended. Names of files are their owners' business: they are not said. */
export function logCompletion(request: SmbRequest, status: number, seconds: number): void {
  const { session, tree, transferredBytes } = request
  request.connection.server.log.debug(
    {
      ...causeOf(request),
      status: ntStatusName(status),
      durationMs: Math.round(seconds * 1e6) / 1000,
      ...(transferredBytes > 0 && { bytes: transferredBytes }),
      ...(session !== undefined && { session: session.number, user: session.user.name }),
      ...(tree !== undefined && { share: tree.share.name }),
    },
    'request done',
  )
}
