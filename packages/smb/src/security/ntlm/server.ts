import { randomBytes, timingSafeEqual } from 'node:crypto'
import { AuthError, authStatus } from '../errors.ts'
import type { Authenticated, MaybePromise, Mechanism, MechanismEntry, MechanismStep } from '../mechanism.ts'
import { avFlags, avFlagsOf, avId, encodeAvPairs, findAvPair } from './av-pairs.ts'
import type { AvPair } from './av-pairs.ts'
import { hasFlag, ntlmFlags } from './flags.ts'
import { decodeAuthenticate, decodeNegotiate, encodeChallenge, micOf, withoutMic } from './messages.ts'
import type { AuthenticateMessage } from './messages.ts'
import { decodeNtlmV2Response, exchangeKey, fileTime, isNtlmV1Response, messageIntegrityCode, prove, responseKey, upperCase } from './ntlmv2.ts'
import type { NtlmV2Response } from './ntlmv2.ts'
import { NtlmSessionSecurity } from './session-security.ts'

/** What the server knows of a user. */
export interface NtlmAccount {
  /** 16 bytes: `ntHash(password)`. */
  readonly ntHash: Uint8Array
}

/** What an NTLM server calls itself (MS-NLMP 2.2.2.1), and where its accounts are. */
export interface NtlmServerOptions {
  /** NetBIOS name of this server, e.g. `HOLDFAST`; clients show it as the domain of local users. */
  readonly netbiosName: string
  /** NetBIOS name of the domain; a stand-alone server's is its own name. */
  readonly netbiosDomain?: string
  readonly dnsName?: string
  readonly dnsDomain?: string
  readonly dnsTree?: string
  /** Finds the account; undefined when there is none. Should take the same time either way. */
  readonly lookup: (user: string, domain: string) => MaybePromise<NtlmAccount | undefined>
  /** What an anonymous client gets: ACCESS_DENIED (default), or a result with `anonymous: true` that the server gives no rights. */
  readonly anonymous?: 'refuse' | 'report'
  /** Milliseconds since 1970. */
  readonly clock?: () => number
  readonly random?: (lengthBytes: number) => Buffer
}

/** 1.3.6.1.4.1.311.2.2.10 */
export const ntlmOid = '1.3.6.1.4.1.311.2.2.10'

/** NTLM as an entry of SPNEGO's table. */
export const ntlmMechanism = (options: NtlmServerOptions): MechanismEntry => ({ oid: ntlmOid, create: () => new NtlmServer(options) })

// Of what the client offers, what the server agrees to.
const acceptedFlags =
  ntlmFlags.unicode |
  ntlmFlags.oem |
  ntlmFlags.sign |
  ntlmFlags.seal |
  ntlmFlags.alwaysSign |
  ntlmFlags.extendedSessionSecurity |
  ntlmFlags.version |
  ntlmFlags.key128 |
  ntlmFlags.keyExchange |
  ntlmFlags.key56

// Unknown users are checked against this, so that they take the time that known ones take.
const nobodysHash = randomBytes(16)

/**
 * The server's side of one NTLMv2 authentication (MS-NLMP 3.2). NTLMv1 and LM are refused; the MIC is verified when the client says that it sent one.
 *
 * Errors: AuthError `wrong_password`, `unknown_user`, `ntlmv1_refused` (LOGON_FAILURE); `anonymous_refused` (ACCESS_DENIED);
 * `mic_mismatch`, `session_key_length`, `unexpected_token` (INVALID_PARAMETER); MalformedError of the decoders.
 *
 * @example
 * const server = new NtlmServer({ netbiosName: 'HOLDFAST', lookup: () => ({ ntHash: ntHash('secret') }) })
 * const client = new NtlmClient({ user: 'alice', password: 'secret' })
 * const { output: negotiate } = client.step(Buffer.alloc(0))
 * const { output: challenge } = await server.step(negotiate)
 * const { output: authenticate } = client.step(challenge)
 * const result = await server.step(authenticate)
 * result.done && result.authenticated.user // => 'alice'
 */
export class NtlmServer implements Mechanism {
  readonly #options: NtlmServerOptions
  #negotiate: Buffer | undefined
  #challenge: Buffer | undefined
  #serverChallenge: Buffer = Buffer.alloc(8)
  #done = false

  constructor(options: NtlmServerOptions) {
    this.#options = options
  }

  step(token: Buffer): MaybePromise<MechanismStep> {
    if (this.#done) throw new AuthError('unexpected_token', authStatus.invalidParameter)
    if (this.#challenge === undefined) return this.#challengeFor(token)
    this.#done = true
    return this.#authenticate(Buffer.from(token))
  }

  #challengeFor(token: Buffer): MechanismStep {
    const offered = decodeNegotiate(token).flags
    const { netbiosName, netbiosDomain = netbiosName, clock = Date.now, random = randomBytes } = this.#options
    let flags = (offered & acceptedFlags) | ntlmFlags.requestTarget | ntlmFlags.ntlm | ntlmFlags.targetInfo | ntlmFlags.targetTypeServer
    if (hasFlag(flags, ntlmFlags.unicode)) flags &= ~ntlmFlags.oem
    const names: readonly (readonly [number, string | undefined])[] = [
      [avId.nbDomainName, netbiosDomain],
      [avId.nbComputerName, netbiosName],
      [avId.dnsDomainName, this.#options.dnsDomain ?? ''],
      [avId.dnsComputerName, this.#options.dnsName ?? netbiosName.toLowerCase()],
      [avId.dnsTreeName, this.#options.dnsTree],
    ]
    const pairs: AvPair[] = []
    for (const [id, name] of names) if (name !== undefined) pairs.push({ id, value: Buffer.from(name, 'utf16le') })
    // The time asks the client for a MIC (MS-NLMP 3.1.5.1.2).
    pairs.push({ id: avId.timestamp, value: fileTime(clock()) })
    this.#serverChallenge = random(8)
    this.#negotiate = Buffer.from(token)
    this.#challenge = encodeChallenge({ flags, targetName: netbiosDomain, serverChallenge: this.#serverChallenge, targetInfo: encodeAvPairs(pairs) })
    return { done: false, output: this.#challenge }
  }

  #authenticate(token: Buffer): MaybePromise<MechanismStep> {
    const message = decodeAuthenticate(token)
    // MS-NLMP 3.2.5.1.2: no user, no NT response, and an LM response that is empty or one zero byte.
    if (message.user === '' && message.ntResponse.length === 0 && message.lmResponse.length <= 1) return this.#anonymous(message)
    if (isNtlmV1Response(message.ntResponse)) throw new AuthError('ntlmv1_refused', authStatus.logonFailure)
    // A response that cannot be read is refused before anything is looked up.
    const response = decodeNtlmV2Response(message.ntResponse)
    const micProvided = (avFlagsOf(response.avPairs) & avFlags.micProvided) !== 0
    if (micProvided) micOf(token)
    const found = this.#options.lookup(message.user, message.domain)
    const check = (account: NtlmAccount | undefined) => this.#verify({ token, message, response, micProvided, account })
    return found instanceof Promise ? found.then(check) : check(found)
  }

  #verify(options: {
    token: Buffer
    message: AuthenticateMessage
    response: NtlmV2Response
    micProvided: boolean
    account: NtlmAccount | undefined
  }): MechanismStep {
    const { token, message, response, account } = options
    let sessionBaseKey: Buffer | undefined
    // Clients disagree on the domain they hash: as sent (Windows), upper-cased, none. All are tried, always.
    for (const domain of [message.domain, upperCase(message.domain), '']) {
      const key = responseKey({ ntHash: account?.ntHash ?? nobodysHash, user: message.user, domain })
      const expected = prove({ responseKey: key, serverChallenge: this.#serverChallenge, clientChallenge: response.clientChallenge })
      if (timingSafeEqual(expected.proof, response.proof)) sessionBaseKey = expected.sessionBaseKey
    }
    if (account === undefined) throw new AuthError('unknown_user', authStatus.logonFailure)
    if (sessionBaseKey === undefined) throw new AuthError('wrong_password', authStatus.logonFailure)
    const sessionKey = exportedSessionKey(message, sessionBaseKey)
    if (options.micProvided) {
      const messages = { negotiate: this.#negotiate!, challenge: this.#challenge!, authenticate: withoutMic(token) }
      const expected = messageIntegrityCode(sessionKey, messages)
      if (!timingSafeEqual(expected, micOf(token))) throw new AuthError('mic_mismatch', authStatus.invalidParameter)
    }
    const targetName = findAvPair(response.avPairs, avId.targetName)?.toString('utf16le')
    return this.#finish(message, sessionKey, { anonymous: false, ...(targetName === undefined ? {} : { targetName }) })
  }

  #anonymous(message: AuthenticateMessage): MechanismStep {
    if (this.#options.anonymous !== 'report') throw new AuthError('anonymous_refused', authStatus.accessDenied)
    // MS-NLMP 3.2.5.1.2: the SessionBaseKey of anonymous is zero.
    return this.#finish(message, exportedSessionKey(message, Buffer.alloc(16)), { anonymous: true })
  }

  #finish(message: AuthenticateMessage, sessionKey: Buffer, facts: Pick<Authenticated, 'anonymous' | 'targetName'>): MechanismStep {
    const { user, domain, workstation, flags } = message
    return {
      done: true,
      output: Buffer.alloc(0),
      authenticated: { user, domain, workstation, sessionKey, ...facts },
      ...(hasFlag(flags, ntlmFlags.extendedSessionSecurity) ? { integrity: new NtlmSessionSecurity({ sessionKey, flags, role: 'server' }) } : {}),
    }
  }
}

function exportedSessionKey(message: AuthenticateMessage, keyExchangeKey: Buffer): Buffer {
  const { flags, encryptedSessionKey } = message
  if (!hasFlag(flags, ntlmFlags.keyExchange)) return keyExchangeKey
  if (encryptedSessionKey.length === 16) return exchangeKey(keyExchangeKey, encryptedSessionKey)
  // Without signing and sealing there is nothing to exchange a key for (MS-NLMP 3.1.5.1.2).
  const needed = hasFlag(flags, ntlmFlags.sign) || hasFlag(flags, ntlmFlags.seal)
  if (needed || encryptedSessionKey.length > 0) throw new AuthError('session_key_length', authStatus.invalidParameter)
  return keyExchangeKey
}
