/** Signing and encryption of a session (MS-SMB2 3.2.4.1.1, 3.2.4.1.8, 3.2.5.1.1, 3.2.5.1.3). */
import type { Cipher, Signer } from '../security/index.ts'

/** The keys of a session at work. */
export interface Protection {
  readonly signer: Signer
  /** What is not encrypted must be signed, both ways. */
  readonly signs: boolean
  /** Encrypts what is sent; undefined where the connection has no cipher. */
  readonly encrypts: Cipher | undefined
  /** Decrypts what is received. */
  readonly decrypts: Cipher | undefined
  close(): void
}
