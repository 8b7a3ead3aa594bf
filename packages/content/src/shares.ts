/** What content is served from, and to whom: what the product gives to `createContentProtocol`. */

import type { FileSystem } from '@holdfast/storage'

/** Somebody who reads: the same object as long as the same is known of the user. */
export interface Reader {
  /** `''` for a client that has not said who it is. */
  readonly name: string
}

/** A share that is read over HTTP. */
export interface ContentShare {
  readonly name: string
  readonly comment: string
  readonly fileSystem: FileSystem
  /** Whoever does not say who they are may read what every user may. */
  readonly isPublic: boolean
  /** Its pages may run scripts, and an index.html stands for its folder. */
  readonly hasActiveContent: boolean
  /** Listings have what the reader may read (access-based enumeration). */
  readonly hidesUnreadable: boolean
  admits(reader: Reader): boolean
  /** Whether a file may be read, or a folder listed, that has this security descriptor stored. */
  mayRead(reader: Reader, security: Uint8Array | undefined): boolean
  /** Whether it is in a listing, where the share hides what is not readable. */
  mayList(reader: Reader, security: Uint8Array | undefined): boolean
}

/** The shares of a worker; they come and go while it runs. */
export interface ContentShares {
  /** Without regard to case. */
  find(name: string): ContentShare | undefined
  list(): readonly ContentShare[]
}

/** Who may read. */
export interface ContentAccounts {
  /** Undefined for a wrong password and for nobody, which takes as long. */
  verify(user: string, password: string): Reader | undefined
  /** A client that has not said who it is. */
  readonly nobody: Reader
}

/** Slows the guessing of passwords down. */
export interface ContentThrottle {
  delayMs(attempt: { readonly remoteAddress: string; readonly user: string }): number
  failed(attempt: { readonly remoteAddress: string; readonly user: string }): number
  succeeded(attempt: { readonly remoteAddress: string; readonly user: string }): void
}
