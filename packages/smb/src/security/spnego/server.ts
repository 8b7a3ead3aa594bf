import type { Authenticated, MechanismEntry } from '../mechanism.ts'

export type SpnegoStep = { readonly done: false; readonly output: Buffer } | ({ readonly done: true; readonly output: Buffer } & Authenticated)

export interface SpnegoServerOptions {
  /** In the order of preference. */
  readonly mechanisms: readonly MechanismEntry[]
}

/** The acceptor of one authentication (one SESSION_SETUP exchange). */
export class SpnegoServer {
  readonly #options: SpnegoServerOptions
  constructor(options: SpnegoServerOptions) {
    this.#options = options
  }
  /** The token for the NEGOTIATE response. */
  initialToken(): Buffer {
    throw new Error(`not yet ${this.#options.mechanisms.length}`)
  }
  /** Takes one token from the client. Throws AuthError. */
  step(_token: Buffer): Promise<SpnegoStep> {
    throw new Error('not yet')
  }
}
