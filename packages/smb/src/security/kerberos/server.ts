import { GssAcceptor } from '@holdfast/posix/gssapi'
import { AuthError, authStatus } from '../errors.ts'
import type { ContextIntegrity, MaybePromise, Mechanism, MechanismEntry, MechanismStep } from '../mechanism.ts'
import { mechanismOid, oidOfInitialToken } from '../spnego/tokens.ts'
import { isFileService, isSameName, parsePrincipal } from './principal.ts'
import { kerberosProblems, problemOf, refused } from './refusal.ts'
import type { KerberosProblem, KerberosRefusal } from './refusal.ts'

/** A client whose ticket and authenticator were good. */
export interface KerberosClient {
  /** The token for it; may be empty. */
  readonly output: Buffer
  /** `alice@REALM` */
  readonly client: string
  /** The principal its ticket is for, `cifs/server@REALM`. */
  readonly service: string
  /** Infinity when it does not end. */
  readonly lifetimeSeconds: number
  readonly sessionKey: Buffer
}

/** One login as the GSS library sees it. What it throws has a `code`. */
export interface KerberosContext extends Disposable {
  accept(token: Buffer): KerberosClient
  getMic(bytes: Buffer): Buffer
  verifyMic(bytes: Buffer, mic: Buffer): boolean
}

/** The server's keys: a `GssAcceptor`, or what a test takes for one. */
export interface KerberosAcceptor {
  begin(): KerberosContext
}

/** Opens the keys in a keytab. Throws GssUnavailableError (`GSSAPI_UNAVAILABLE`) without MIT's library, GssError for what it refuses. */
export const openKerberosAcceptor = (options: { readonly keytab: string; readonly replayCache: string }): KerberosAcceptor & Disposable =>
  new GssAcceptor(options)

/** Who may log in by Kerberos. */
export interface KerberosServerOptions {
  readonly acceptor: KerberosAcceptor
  /** Those whose principals are users here. */
  readonly realms: readonly string[]
  /** The name of the local account that a principal's first part names; undefined when there is none. */
  readonly lookup: (name: string) => MaybePromise<string | undefined>
  /** Told why somebody was refused. */
  readonly onRefused?: (refusal: KerberosRefusal) => void
  /** Milliseconds since 1970. */
  readonly clock?: () => number
}

/** Kerberos as entries of SPNEGO's table: under the name that Windows gives it, and under its own. */
export function kerberosMechanisms(options: KerberosServerOptions): MechanismEntry[] {
  return [mechanismOid.kerberosMicrosoft, mechanismOid.kerberos].map(oid => ({ oid, create: () => new KerberosServer(options) }))
}

/**
 * The server's side of one Kerberos login (RFC 4121, MS-KILE). A principal of one of the realms is the local user of the same name; `/` and
 * special characters make it nobody.
 *
 * Errors: AuthError with one of `kerberosProblems` (LOGON_FAILURE), `unexpected_token` (INVALID_PARAMETER).
 */
export class KerberosServer implements Mechanism {
  readonly #options: KerberosServerOptions
  #done = false

  constructor(options: KerberosServerOptions) {
    this.#options = options
  }

  /** The client has one token, and gets one. */
  async step(token: Buffer): Promise<MechanismStep> {
    if (this.#done) throw new AuthError('unexpected_token', authStatus.invalidParameter)
    this.#done = true
    // The library knows further mechanisms and forms of tokens: only this one gets there.
    if (!isKerberosToken(token)) throw this.#refuse('kerberos_token', {})
    using resources = new DisposableStack()
    const context = resources.use(this.#options.acceptor.begin())
    const client = this.#accept(context, token)
    const authenticated = this.#authenticated(client, await this.#userOf(client))
    // It was good: the context lives until the negotiation is over.
    resources.move()
    return { done: true, output: client.output, authenticated, integrity: integrityOf(context) }
  }

  #accept(context: KerberosContext, token: Buffer): KerberosClient {
    try {
      return context.accept(token)
    } catch (error) {
      throw this.#refuse(problemOf(error), { detail: error instanceof Error ? error.message : String(error) }, error)
    }
  }

  async #userOf({ client, service }: KerberosClient): Promise<string> {
    const target = parsePrincipal(service)
    if (target === undefined || !isFileService(target)) throw this.#refuse('kerberos_service', { principal: client, detail: service })
    const principal = parsePrincipal(client)
    if (principal === undefined || principal.instance !== undefined) throw this.#refuse('kerberos_principal', { principal: client })
    if (!this.#options.realms.includes(principal.realm)) throw this.#refuse('kerberos_realm', { principal: client })
    const user = await this.#options.lookup(principal.primary)
    if (user === undefined || !isSameName(user, principal.primary)) throw this.#refuse('kerberos_unknown_user', { principal: client })
    return user
  }

  #authenticated({ client, service, lifetimeSeconds, sessionKey }: KerberosClient, user: string) {
    const { clock = Date.now } = this.#options
    return {
      user,
      domain: parsePrincipal(client)?.realm ?? '',
      workstation: '',
      anonymous: false,
      targetName: service.slice(0, service.lastIndexOf('@')),
      sessionKey,
      ...(Number.isFinite(lifetimeSeconds) && { expiresAtMs: clock() + lifetimeSeconds * 1000 }),
    }
  }

  #refuse(code: KerberosProblem, facts: Pick<KerberosRefusal, 'detail' | 'principal'>, cause?: unknown): AuthError {
    this.#options.onRefused?.({ code, message: kerberosProblems[code], ...facts })
    return refused(code, cause)
  }
}

const isKerberosToken = (token: Buffer): boolean => {
  const oid = oidOfInitialToken(token)
  return oid === mechanismOid.kerberos || oid === mechanismOid.kerberosMicrosoft
}

/** The context is needed until the negotiation is over, and not afterwards: SMB protects its messages itself. */
const integrityOf = (context: KerberosContext): ContextIntegrity => ({
  getMic: bytes => context.getMic(bytes),
  verifyMic(bytes, mic) {
    const good = context.verifyMic(bytes, mic)
    if (!good) context[Symbol.dispose]()
    return good
  },
  negotiationDone: () => context[Symbol.dispose](),
})
