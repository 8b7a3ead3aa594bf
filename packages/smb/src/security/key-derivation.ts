import { createHmac } from 'node:crypto'
import { UsageError } from '@holdfast/wire'

/** The keys of a session (MS-SMB2 3.2.5.3.1, 3.3.5.5.3). */
export interface SessionKeys {
  /** Signs both directions, 16 bytes. SMB 2.x: the session key itself. */
  readonly signingKey: Buffer
  /** What RPC and other applications get as "the session key", 16 bytes. SMB 2.x: the session key itself. */
  readonly applicationKey: Buffer
  /** Encrypts what the client sends: the client's EncryptionKey, the server's DecryptionKey. 16 or 32 bytes; undefined below SMB 3.0. */
  readonly clientToServerKey: Buffer | undefined
  /** Encrypts what the server sends: the server's EncryptionKey, the client's DecryptionKey. 16 or 32 bytes; undefined below SMB 3.0. */
  readonly serverToClientKey: Buffer | undefined
}

interface Derivation {
  readonly label: Buffer
  /** Undefined: the pre-authentication integrity hash value. */
  readonly context: Buffer | undefined
}

const derivation = (label: string, context?: string): Derivation => ({
  label: Buffer.from(`${label}\0`, 'latin1'),
  context: context === undefined ? undefined : Buffer.from(`${context}\0`, 'latin1'),
})

// MS-SMB2 3.2.5.3.1 and 3.3.5.5.3. "ServerIn " has a trailing space, so that both contexts have ten bytes.
const derivations = {
  smb30: {
    signing: derivation('SMB2AESCMAC', 'SmbSign'),
    application: derivation('SMB2APP', 'SmbRpc'),
    clientToServer: derivation('SMB2AESCCM', 'ServerIn '),
    serverToClient: derivation('SMB2AESCCM', 'ServerOut'),
  },
  smb311: {
    signing: derivation('SMBSigningKey'),
    application: derivation('SMBAppKey'),
    clientToServer: derivation('SMBC2SCipherKey'),
    serverToClient: derivation('SMBS2CCipherKey'),
  },
} as const

/**
 * The key derivation function in counter mode of SP800-108 5.1 with PRF HMAC-SHA256, r = 32 (MS-SMB2 3.1.4.2).
 * One iteration is enough for up to 256 bits: HMAC(Ki, 1 || Label || 0x00 || Context || L).
 */
export function deriveKey(options: { key: Uint8Array; label: Uint8Array; context: Uint8Array; lengthBits: 128 | 256 }): Buffer {
  const { key, label, context, lengthBits } = options
  const fixed = Buffer.allocUnsafe(4 + label.length + 1 + context.length + 4)
  fixed.writeUInt32BE(1, 0)
  fixed.set(label, 4)
  fixed[4 + label.length] = 0
  fixed.set(context, 5 + label.length)
  fixed.writeUInt32BE(lengthBits, 5 + label.length + context.length)
  return createHmac('sha256', key)
    .update(fixed)
    .digest()
    .subarray(0, lengthBits / 8)
}

/**
 * Derives all keys of a session, or of a channel (then only `signingKey` is of use: the others are the session's).
 *
 * `sessionKey` is what the authentication gave: its first 16 bytes (zero-padded when shorter) are Session.SessionKey, the whole is
 * Session.FullSessionKey, which 256-bit encryption keys come from. `preauthHash` (64 bytes) is needed for 3.1.1.
 * Throws UsageError `preauth_missing`.
 *
 * @example
 * const sessionKey = Buffer.alloc(16, 1) // of the authentication
 * const keys = deriveKeys({ dialect: 0x0311, sessionKey, preauthHash: new PreauthHash().value, cipherKeyBits: 128 })
 * const decrypts = createCipher({ algorithm: 'AES-128-GCM', key: keys.clientToServerKey! }) // in the server
 */
export function deriveKeys(options: {
  /** DialectRevision (MS-SMB2 2.2.4), e.g. 0x0311. */
  dialect: number
  sessionKey: Uint8Array
  preauthHash?: Uint8Array | undefined
  cipherKeyBits?: 128 | 256 | undefined
}): SessionKeys {
  const { dialect, sessionKey, preauthHash, cipherKeyBits = 128 } = options
  const key = Buffer.alloc(16)
  key.set(sessionKey.subarray(0, 16))
  if (dialect < 0x0300) return { signingKey: key, applicationKey: key, clientToServerKey: undefined, serverToClientKey: undefined }
  if (dialect >= 0x0311 && preauthHash?.length !== 64) {
    throw new UsageError('preauth_missing', 'SMB 3.1.1 keys need the 64 bytes of the pre-authentication integrity hash value')
  }
  const table = dialect >= 0x0311 ? derivations.smb311 : derivations.smb30
  const derive = (from: Uint8Array, { label, context }: Derivation, lengthBits: 128 | 256) =>
    deriveKey({ key: from, label, context: context ?? preauthHash!, lengthBits })
  const cipherBase = cipherKeyBits === 256 ? sessionKey : key
  return {
    signingKey: derive(key, table.signing, 128),
    applicationKey: derive(key, table.application, 128),
    clientToServerKey: derive(cipherBase, table.clientToServer, cipherKeyBits),
    serverToClientKey: derive(cipherBase, table.serverToClient, cipherKeyBits),
  }
}
