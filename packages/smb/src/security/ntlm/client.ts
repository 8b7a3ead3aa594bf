import { randomBytes } from 'node:crypto'
import { AuthError, authStatus } from '../errors.ts'
import type { Mechanism, MechanismEntry, MechanismStep } from '../mechanism.ts'
import { avFlags, avFlagsOf, avId, decodeAvPairs, encodeAvPairs, findAvPair } from './av-pairs.ts'
import type { AvPair } from './av-pairs.ts'
import { hasFlag, ntlmFlags } from './flags.ts'
import { decodeChallenge, encodeAuthenticate, encodeNegotiate, micOf } from './messages.ts'
import { encodeClientChallenge, exchangeKey, fileTime, lmV2Response, messageIntegrityCode, ntHash, prove, responseKey } from './ntlmv2.ts'
import { ntlmOid } from './server.ts'
import { NtlmSessionSecurity } from './session-security.ts'

/** Who logs on by NTLMv2, and to what. One of `password` and `ntHash` is needed. */
export interface NtlmClientOptions {
  readonly user: string
  /** May be empty: a stand-alone server does not need it. */
  readonly domain?: string
  /** The password, or `ntHash` of it. */
  readonly password?: string
  readonly ntHash?: Uint8Array
  readonly workstation?: string
  /** The service principal name the client believes it talks to, e.g. `cifs/server`. */
  readonly targetName?: string
  /** MD5 of the channel bindings, 16 bytes (MS-NLMP 2.2.2.1); zeros when there are none. */
  readonly channelBindings?: Buffer
  /** Asks for confidentiality as well (DCE/RPC). */
  readonly seal?: boolean
  /** Milliseconds since 1970. */
  readonly clock?: () => number
  readonly random?: (lengthBytes: number) => Buffer
}

const offeredFlags =
  ntlmFlags.unicode |
  ntlmFlags.requestTarget |
  ntlmFlags.sign |
  ntlmFlags.ntlm |
  ntlmFlags.alwaysSign |
  ntlmFlags.extendedSessionSecurity |
  ntlmFlags.version |
  ntlmFlags.key128 |
  ntlmFlags.keyExchange

// Without these there is no NTLMv2 worth the name; a man in the middle may have taken them away.
const requiredFlags = ntlmFlags.unicode | ntlmFlags.extendedSessionSecurity

/** NTLM as an entry of SPNEGO's table. */
export const ntlmClientMechanism = (options: NtlmClientOptions): MechanismEntry => ({ oid: ntlmOid, create: () => new NtlmClient(options) })

/**
 * The client's side of one NTLMv2 authentication (MS-NLMP 3.1). It always exchanges keys, and always sends a MIC to servers that give their time
 * (all since Windows Vista). Throws AuthError `ntlm_downgrade` (NOT_SUPPORTED), `unexpected_token`; MalformedError of the decoders.
 *
 * @example
 * const server = new NtlmServer({ netbiosName: 'HOLDFAST', lookup: () => ({ ntHash: ntHash('secret') }) })
 * const client = new NtlmClient({ user: 'alice', password: 'secret' })
 * const { output: negotiate } = client.step(Buffer.alloc(0))
 * const { output: challenge } = await server.step(negotiate)
 * const { output: authenticate } = client.step(challenge)
 * const result = await server.step(authenticate)
 * result.done // => true
 */
export class NtlmClient implements Mechanism {
  readonly #options: NtlmClientOptions
  readonly #flags: number
  #negotiate: Buffer | undefined
  #done = false

  constructor(options: NtlmClientOptions) {
    this.#options = options
    this.#flags = offeredFlags | (options.seal ? ntlmFlags.seal : 0)
  }

  step(token: Buffer): MechanismStep {
    if (this.#done) throw new AuthError('unexpected_token', authStatus.invalidParameter)
    if (this.#negotiate === undefined) {
      this.#negotiate = encodeNegotiate({ flags: this.#flags })
      return { done: false, output: this.#negotiate }
    }
    this.#done = true
    return this.#authenticate(Buffer.from(token), this.#negotiate)
  }

  #authenticate(challengeToken: Buffer, negotiate: Buffer): MechanismStep {
    const { user, domain = '', workstation = '', clock = Date.now, random = randomBytes } = this.#options
    const challenge = decodeChallenge(challengeToken)
    const flags = (challenge.flags & this.#flags) | ntlmFlags.targetInfo
    if (!hasFlag(flags, requiredFlags)) throw new AuthError('ntlm_downgrade', authStatus.notSupported)
    const serverPairs = decodeAvPairs(challenge.targetInfo)
    const timestamp = findAvPair(serverPairs, avId.timestamp)
    const withMic = timestamp?.length === 8
    const clientChallenge = encodeClientChallenge({
      time: withMic ? timestamp : fileTime(clock()),
      challenge: random(8),
      targetInfo: encodeAvPairs(this.#pairs(serverPairs, withMic)),
    })
    const { serverChallenge } = challenge
    const key = responseKey({ ntHash: this.#options.ntHash ?? ntHash(this.#options.password ?? ''), user, domain })
    const { proof, sessionBaseKey } = prove({ responseKey: key, serverChallenge, clientChallenge })
    const exchanges = hasFlag(flags, ntlmFlags.keyExchange)
    const sessionKey = exchanges ? random(16) : sessionBaseKey
    const authenticate = encodeAuthenticate({
      flags,
      user,
      domain,
      workstation,
      lmResponse: withMic ? Buffer.alloc(24) : lmV2Response({ responseKey: key, serverChallenge, challenge: random(8) }),
      ntResponse: Buffer.concat([proof, clientChallenge]),
      encryptedSessionKey: exchanges ? exchangeKey(sessionBaseKey, sessionKey) : Buffer.alloc(0),
    })
    if (withMic) micOf(authenticate).set(messageIntegrityCode(sessionKey, { negotiate, challenge: challengeToken, authenticate }))
    return {
      done: true,
      output: authenticate,
      authenticated: { user, domain, workstation, anonymous: false, sessionKey },
      integrity: new NtlmSessionSecurity({ sessionKey, flags, role: 'client' }),
    }
  }

  /** The server's pairs go back to it, so that the proof covers who it says it is (MS-NLMP 3.1.5.1.2). */
  #pairs(serverPairs: readonly AvPair[], withMic: boolean): AvPair[] {
    const ours: readonly number[] = [avId.flags, avId.targetName, avId.channelBindings]
    const pairs = serverPairs.filter(({ id }) => !ours.includes(id))
    const flags = Buffer.alloc(4)
    flags.writeUInt32LE((avFlagsOf(serverPairs) | (withMic ? avFlags.micProvided : 0)) >>> 0)
    pairs.push({ id: avId.flags, value: flags })
    pairs.push({ id: avId.channelBindings, value: this.#options.channelBindings ?? Buffer.alloc(16) })
    pairs.push({ id: avId.targetName, value: Buffer.from(this.#options.targetName ?? '', 'utf16le') })
    return pairs
  }
}
