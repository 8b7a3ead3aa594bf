/** Whether a connection may become a channel of a session (MS-SMB2 3.3.5.5.2), as a table of reasons against it. */
import { HeaderFlags } from '../../messages/constants.ts'
import { NtStatus } from '../../messages/nt-status.ts'
import type { SmbConnection } from './connection.ts'
import type { SmbRequest } from './request.ts'
import type { Session } from './session.ts'

interface Binding {
  readonly request: SmbRequest
  readonly connection: SmbConnection
  readonly session: Session
}

/** In the order in which Windows looks; the first that holds is answered. */
const reasonsAgainst: readonly (readonly [status: number, holds: (binding: Binding) => boolean])[] = [
  [
    NtStatus.REQUEST_OUT_OF_SEQUENCE,
    ({ session, connection }) => session.signingAlgorithm === 'AES-GMAC' && connection.signingAlgorithm !== 'AES-GMAC',
  ],
  [NtStatus.NOT_SUPPORTED, ({ session, connection }) => connection.signingAlgorithm === 'AES-GMAC' && session.signingAlgorithm !== 'AES-GMAC'],
  [NtStatus.REQUEST_NOT_ACCEPTED, ({ connection }) => connection.dialect < 0x0300 || !connection.server.settings.multiChannel],
  [NtStatus.INVALID_PARAMETER, ({ request }) => (request.flags & HeaderFlags.signed) === 0],
  [NtStatus.INVALID_PARAMETER, ({ session, connection }) => session.dialect !== connection.dialect],
  [NtStatus.INVALID_PARAMETER, ({ session, connection }) => session.cipherAlgorithm !== connection.cipher],
  // Already a channel of it; with its own key by now.
  [NtStatus.REQUEST_NOT_ACCEPTED, ({ session, connection }) => session.channels.get(connection)?.signer !== undefined],
  [NtStatus.NETWORK_SESSION_EXPIRED, ({ session }) => session.state === 'expired'],
  [NtStatus.REQUEST_NOT_ACCEPTED, ({ session }) => session.state === 'in-progress'],
  // Encrypted with the session's key will do as well.
  [
    NtStatus.ACCESS_DENIED,
    ({ session, request }) =>
      !request.isSigned && request.chain.encryptedBy !== session && session.signer?.verify(request.message, 'client') !== true,
  ],
]

/** The status that a binding is refused with; SUCCESS when there is nothing against it. */
export function bindingRefusal(request: SmbRequest, session: Session): number {
  const binding: Binding = { request, session, connection: request.connection }
  return reasonsAgainst.find(([, holds]) => holds(binding))?.[0] ?? NtStatus.SUCCESS
}
