/** What the suites of the SMB client run against. */
import { createHash } from 'node:crypto'
import { SmbError } from '@holdfast/smb/client'
import type { SmbClient, SmbClientOptions, SmbShare } from '@holdfast/smb/client'

/** A server to be tested against. */
export interface Target extends AsyncDisposable {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  /** A share the user may write to. */
  readonly share: string
  /** One that may only be read. */
  readonly readOnlyShare: string
  /** One that demands encryption; undefined where the target has none. */
  readonly encryptedShare?: string
}

/** Bytes. */
export const mebibyte = 1024 * 1024
/** For comparing content. */
export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
/** For assert.rejects: an SmbError with one of these codes; anything else is thrown on. */
export const code =
  (...expected: string[]) =>
  (error: unknown): boolean => {
    if (error instanceof SmbError && expected.includes(error.code)) return true
    throw error
  }

/** What a test has at hand. */
export interface Context {
  readonly target: Target
  /** Logged in, for all tests. */
  readonly client: SmbClient
  readonly share: SmbShare
  /** Another connection. */
  readonly connect: (more?: Partial<SmbClientOptions>) => Promise<SmbClient>
}
