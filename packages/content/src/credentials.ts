/** Who a request is from (RFC 7617): the passwords of a connection are verified once in a while, and no more is kept of them than while it lasts. */

import { readBasicCredentials } from '@holdfast/http'
import type { ContentAccounts, ContentThrottle, Reader } from './shares.ts'

/** For so long are credentials believed that were right: then a password that was changed, or a user who was disabled, counts. */
const believedMs = 5000

/** What a connection was told, and who that is. */
export class Credentials {
  readonly #accounts: ContentAccounts
  readonly #throttle: ContentThrottle
  readonly #remoteAddress: string
  #told = ''
  #reader: Reader | undefined
  #verifiedAtMs = 0

  constructor(of: { readonly accounts: ContentAccounts; readonly throttle: ContentThrottle; readonly remoteAddress: string }) {
    this.#accounts = of.accounts
    this.#throttle = of.throttle
    this.#remoteAddress = of.remoteAddress
  }

  /** By the Authorization field. */
  readerOf(authorization: string | undefined, nowMs: number): Verdict {
    if (authorization === undefined) return { reader: this.#accounts.nobody, delayMs: 0 }
    if (this.#reader !== undefined && authorization === this.#told && nowMs - this.#verifiedAtMs < believedMs)
      return { reader: this.#reader, delayMs: 0 }
    this.#reader = undefined
    const credentials = readBasicCredentials(authorization)
    if (credentials === undefined) return { reader: undefined, delayMs: 0 }
    const attempt = { remoteAddress: this.#remoteAddress, user: credentials.user }
    const reader = this.#accounts.verify(credentials.user, credentials.password)
    if (reader === undefined) return { reader, delayMs: this.#throttle.failed(attempt) }
    // Who guesses right after many wrong guesses waits as well, or it would show at once that this one was right.
    const delayMs = this.#throttle.delayMs(attempt)
    this.#throttle.succeeded(attempt)
    this.#reader = reader
    this.#told = authorization
    this.#verifiedAtMs = nowMs
    return { reader, delayMs }
  }
}

/** Undefined for wrong credentials. The answer is held back for `delayMs`. */
interface Verdict {
  readonly reader: Reader | undefined
  readonly delayMs: number
}
