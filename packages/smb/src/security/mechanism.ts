/** A value, or the promise of one: what is at hand is given at once. */
export type MaybePromise<T> = T | Promise<T>

/** Protects the negotiation itself: GSS_GetMIC and GSS_VerifyMIC of an established context (RFC 2743 2.3.1, 2.3.2). */
export interface ContextIntegrity {
  getMic(bytes: Buffer): Buffer
  verifyMic(bytes: Buffer, mic: Buffer): boolean
  /** Called when the negotiation is over, so that messages protected from here on start as the peer expects. */
  negotiationDone?(): void
}

/** Who was authenticated. */
export interface Authenticated {
  /** As the client wrote it; empty for anonymous. */
  readonly user: string
  readonly domain: string
  /** What the client says its computer is called; not to be trusted. */
  readonly workstation: string
  /** Nobody in particular: no password was proven. Only with `anonymous: 'report'`. */
  readonly anonymous: boolean
  /** The service principal name that the client meant to talk to, when it said so (MsvAvTargetName). */
  readonly targetName?: string
  /** 16 bytes (NTLM; more with Kerberos): goes into `deriveKeys`. */
  readonly sessionKey: Buffer
  /** When it has to be proven again (a Kerberos ticket's end), in milliseconds since 1970; never, when left out. */
  readonly expiresAtMs?: number
}

/** What a step of a mechanism gives: a token for the peer, and at the end who was authenticated. */
export type MechanismStep =
  | { readonly done: false; readonly output: Buffer }
  | {
      readonly done: true
      /** The last token for the peer; may be empty. */
      readonly output: Buffer
      readonly authenticated: Authenticated
      /** Absent when the context cannot protect anything. */
      readonly integrity?: ContextIntegrity
    }

/** One run of a GSS mechanism, as acceptor or initiator. `step` throws AuthError or MalformedError. */
export interface Mechanism {
  /** `token` is empty for the initiator's first step. */
  step(token: Buffer): MaybePromise<MechanismStep>
}

/** A mechanism that can be negotiated: SPNEGO's table consists of these. */
export interface MechanismEntry {
  /** Dotted object identifier. */
  readonly oid: string
  /** Starts a run. */
  create(): Mechanism
}
