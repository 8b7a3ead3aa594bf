/** Whether a response comes from the server: its signature or encryption (MS-SMB2 3.2.5.1.1, 3.2.5.1.3). */
import { MalformedError } from '@holdfast/wire'
import { HeaderFlags, NtStatus } from '../messages/index.ts'
import type { Header } from '../messages/index.ts'
import type { Cipher } from '../security/index.ts'
import { SmbError } from './errors.ts'
import type { Protection } from './protection.ts'
import type { AnyRecord } from './requests.ts'

/** Statuses that a server may have to send unsigned: it has no key any more (MS-SMB2 3.3.4.1.1). */
const unsignedStatuses: readonly number[] = [NtStatus.USER_SESSION_DELETED, NtStatus.NETWORK_SESSION_EXPIRED]

/** Throws SmbError `SIGNATURE_INVALID` for a response that the record's scope does not allow: it comes from somebody else. */
export function checkResponse(
  { scope, operation, mustSign }: AnyRecord,
  message: Buffer,
  how: { readonly header: Header; readonly decryptedBy: Protection | undefined; readonly isInterim: boolean },
): void {
  const { header, decryptedBy, isInterim } = how
  const { protection } = scope
  const wrong = (what: string): SmbError => new SmbError('SIGNATURE_INVALID', `the answer to ${operation.name} ${what}`)
  if (protection === undefined) return
  if (header.sessionId !== scope.sessionId) throw wrong('belongs to another session')
  if (decryptedBy !== undefined) {
    if (decryptedBy !== protection) throw wrong("is encrypted by another session's key")
    return
  }
  if (unsignedStatuses.includes(header.status)) return
  if (scope.encrypts) throw wrong('is not encrypted')
  if (isInterim) return
  const isSigned = (header.flags & HeaderFlags.signed) !== 0
  if (!isSigned && (protection.signs || mustSign === true)) throw wrong('is not signed')
  if (isSigned && !protection.signer.verify(message, 'server')) throw wrong('has a wrong signature')
}

/** Throws SmbError `SIGNATURE_INVALID` for what was not encrypted by the server, MalformedError for what isn't encrypted at all. */
export function decrypt(cipher: Cipher, bytes: Buffer): Buffer {
  try {
    return cipher.decrypt(bytes)
  } catch (cause) {
    if (!(cause instanceof MalformedError) || cause.code !== 'transform_signature') throw cause
    throw new SmbError('SIGNATURE_INVALID', 'a message is not encrypted by the server', { cause })
  }
}
