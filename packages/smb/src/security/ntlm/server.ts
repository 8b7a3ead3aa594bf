import type { MaybePromise, Mechanism, MechanismEntry, MechanismStep } from '../mechanism.ts'

/** What the server knows of a user. */
export interface NtlmAccount {
  /** 16 bytes: `ntHash(password)`. */
  readonly ntHash: Uint8Array
}

export interface NtlmServerOptions {
  /** NetBIOS name of this server, e.g. `HOLDFAST`. */
  readonly netbiosName: string
  /** NetBIOS name of the domain; a stand-alone server's is its own name. */
  readonly netbiosDomain?: string
  readonly dnsName?: string
  readonly dnsDomain?: string
  readonly dnsTree?: string
  /** Finds the account; undefined when there is none. Must take the same time either way. */
  readonly lookup: (user: string, domain: string) => MaybePromise<NtlmAccount | undefined>
  /** What an anonymous client gets: ACCESS_DENIED, or a result with `anonymous: true` that the server gives no rights. */
  readonly anonymous?: 'refuse' | 'report'
  /** Milliseconds since 1970. */
  readonly clock?: () => number
  readonly random?: (lengthBytes: number) => Buffer
}

/** NTLMv2 acceptor (MS-NLMP 3.2). */
export class NtlmServer implements Mechanism {
  readonly #options: NtlmServerOptions
  constructor(options: NtlmServerOptions) {
    this.#options = options
  }
  step(_token: Buffer): MaybePromise<MechanismStep> {
    throw new Error(`not yet ${this.#options.netbiosName}`)
  }
}

export const ntlmOid = '1.3.6.1.4.1.311.2.2.10'

/** NTLM as an entry of SPNEGO's table. */
export const ntlmMechanism = (options: NtlmServerOptions): MechanismEntry => ({ oid: ntlmOid, create: () => new NtlmServer(options) })
