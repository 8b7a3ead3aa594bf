import { MalformedError } from '@holdfast/wire'
import { AuthError, authStatus } from '../errors.ts'
import type { Authenticated, ContextIntegrity, Mechanism, MechanismEntry, MechanismStep } from '../mechanism.ts'
import { isNtlmMessage } from '../ntlm/messages.ts'
import { decodeNegToken, encodeMechTypes, encodeNegTokenInit, encodeNegTokenResp, mechanismOid, negState, oidOfInitialToken } from './tokens.ts'
import type { NegTokenInit, NegTokenResp } from './tokens.ts'

/** What a step of a negotiation gives: a token for the peer, and at the end who it is. */
export type SpnegoStep = { readonly done: false; readonly output: Buffer } | ({ readonly done: true; readonly output: Buffer } & Authenticated)

/** What a `SpnegoServer` authenticates by. */
export interface SpnegoServerOptions {
  /** In the order in which they are offered; the client's order decides. */
  readonly mechanisms: readonly MechanismEntry[]
}

type State =
  | 'start' // nothing received
  | 'mechanism' // a mechanism is chosen and has more tokens to come
  | 'mic' // the mechanism is done, the client's mechListMIC is to come
  | 'raw' // a mechanism without SPNEGO
  | 'over' // done, or failed

/** Longer than any token but one with a monstrous Kerberos ticket; SESSION_SETUP's field has 16 bits anyway. */
const tokenLengthBytesMax = 65_535

/**
 * The acceptor of one authentication: one SESSION_SETUP exchange (RFC 4178, MS-SPNG 3.3). Tokens of NTLM and Kerberos without SPNEGO are
 * taken as well, and answered in kind.
 *
 * `step` rejects with AuthError only. Whatever is not a token gets INVALID_PARAMETER, a wrong password LOGON_FAILURE, a wrong mechListMIC ACCESS_DENIED.
 *
 * @example
 * const server = new SpnegoServer({ mechanisms: [ntlmMechanism({ netbiosName: 'HOLDFAST', lookup: () => ({ ntHash: ntHash('secret') }) })] })
 * const client = new SpnegoClient({ mechanisms: [ntlmClientMechanism({ user: 'alice', password: 'secret' })] })
 * let request = await client.step(server.initialToken()) // what NEGOTIATE's response carries
 * let response = await server.step(request.output) // a SESSION_SETUP
 * while (!response.done) {
 *   request = await client.step(response.output)
 *   response = await server.step(request.output)
 * }
 * response.user // => 'alice'
 */
export class SpnegoServer {
  readonly #mechanisms: readonly MechanismEntry[]
  #state: State = 'start'
  #mechanism: Mechanism | undefined
  #mechTypesDer: Buffer = Buffer.alloc(0)
  /** Named in the first response only. */
  #supportedMech: string | undefined
  /** The client's first choice was not taken: only mechListMIC shows that nobody else made it so. */
  #micRequired = false
  #awaiting: { integrity: ContextIntegrity; authenticated: Authenticated } | undefined

  constructor(options: SpnegoServerOptions) {
    this.#mechanisms = options.mechanisms
  }

  /** The token for the NEGOTIATE response: NegTokenInit2 with the mechanisms on offer. */
  initialToken(): Buffer {
    return encodeNegTokenInit({ mechTypesDer: encodeMechTypes(this.#mechanisms.map(({ oid }) => oid)), hint: true })
  }

  /** Takes one token from the client, and copies it at once. Rejects with AuthError; the negotiation is over then. */
  async step(token: Buffer): Promise<SpnegoStep> {
    const state = this.#state
    this.#state = 'over'
    try {
      if (token.length > tokenLengthBytesMax) throw new MalformedError('spnego_token')
      return await this.#steps[state](Buffer.from(token))
    } catch (error) {
      this.#state = 'over'
      if (error instanceof MalformedError) throw new AuthError(error.code, authStatus.invalidParameter, error.message, { cause: error })
      throw error
    }
  }

  readonly #steps: Readonly<Record<State, (token: Buffer) => Promise<SpnegoStep> | SpnegoStep>> = {
    start: token => {
      const rawOid = isNtlmMessage(token) ? mechanismOid.ntlm : oidOfInitialToken(token)
      if (rawOid !== undefined && rawOid !== mechanismOid.spnego) return this.#startRaw(rawOid, token)
      const init = decodeNegToken(token)
      if (init.kind !== 'init') throw new AuthError('spnego_unexpected', authStatus.invalidParameter)
      return this.#start(init)
    },
    mechanism: async token => {
      const response = decodeResponse(token)
      if (response.responseToken === undefined) throw new AuthError('spnego_no_token', authStatus.invalidParameter)
      return this.#answer(await this.#mechanism!.step(response.responseToken), response.mechListMic)
    },
    mic: token => {
      const { integrity, authenticated } = this.#awaiting!
      verifyMechListMic(integrity, this.#mechTypesDer, decodeResponse(token).mechListMic)
      integrity.negotiationDone?.()
      return { done: true, output: encodeNegTokenResp({ negState: negState.acceptCompleted }), ...authenticated }
    },
    raw: token => this.#stepRaw(token),
    over: () => {
      throw new AuthError('spnego_unexpected', authStatus.invalidParameter)
    },
  }

  #startRaw(rawOid: string, token: Buffer): Promise<SpnegoStep> {
    this.#mechanism = this.#mechanisms.find(({ oid }) => oid === rawOid)?.create()
    if (this.#mechanism === undefined) throw new AuthError('no_common_mechanism', authStatus.invalidParameter)
    return this.#stepRaw(token)
  }

  async #stepRaw(token: Buffer): Promise<SpnegoStep> {
    const result = await this.#mechanism!.step(token)
    if (result.done) {
      result.integrity?.negotiationDone?.()
      return { done: true, output: result.output, ...result.authenticated }
    }
    this.#state = 'raw'
    return result
  }

  async #start(init: NegTokenInit): Promise<SpnegoStep> {
    const chosen = init.mechTypes.findIndex(oid => this.#mechanisms.some(mechanism => mechanism.oid === oid))
    if (chosen < 0) throw new AuthError('no_common_mechanism', authStatus.invalidParameter)
    const oid = init.mechTypes[chosen]
    this.#mechanism = this.#mechanisms.find(mechanism => mechanism.oid === oid)!.create()
    this.#mechTypesDer = init.mechTypesDer
    this.#supportedMech = oid
    // The optimistic token is for the client's first choice; ours is another one, so it is dropped (RFC 4178 5, MS-SPNG 3.3.5.1).
    this.#micRequired = chosen > 0
    if (chosen === 0 && init.mechToken !== undefined) return this.#answer(await this.#mechanism.step(init.mechToken), undefined)
    return this.#incomplete(chosen > 0 ? negState.requestMic : negState.acceptIncomplete, {})
  }

  #answer(result: MechanismStep, mechListMic: Buffer | undefined): SpnegoStep {
    if (!result.done) return this.#incomplete(negState.acceptIncomplete, { responseToken: result.output })
    const { integrity, authenticated, output } = result
    const mechanismOutput = output.length > 0 ? { responseToken: output } : {}
    const ourMic = () => ({ mechListMic: integrity!.getMic(this.#mechTypesDer) })
    if (mechListMic === undefined && this.#micRequired) {
      // The client sends its MIC with its last token; only when ours is the last one it comes after (RFC 4178 5).
      if (integrity === undefined || output.length === 0) throw new AuthError('mech_list_mic_missing', authStatus.invalidParameter)
      this.#awaiting = { integrity, authenticated }
      return this.#incomplete(negState.acceptIncomplete, { ...mechanismOutput, ...ourMic() }, 'mic')
    }
    let mic: { mechListMic?: Buffer } = {}
    if (mechListMic !== undefined) {
      verifyMechListMic(integrity, this.#mechTypesDer, mechListMic)
      mic = ourMic()
    }
    integrity?.negotiationDone?.()
    const response = encodeNegTokenResp({ negState: negState.acceptCompleted, ...this.#namesMechanism(), ...mechanismOutput, ...mic })
    return { done: true, output: response, ...authenticated }
  }

  #incomplete(state: number, parts: Pick<NegTokenResp, 'responseToken' | 'mechListMic'>, next: State = 'mechanism'): SpnegoStep {
    this.#state = next
    return { done: false, output: encodeNegTokenResp({ negState: state, ...this.#namesMechanism(), ...parts }) }
  }

  #namesMechanism(): { supportedMech?: string } {
    const supportedMech = this.#supportedMech
    this.#supportedMech = undefined
    return supportedMech === undefined ? {} : { supportedMech }
  }
}

function decodeResponse(token: Buffer): NegTokenResp {
  const response = decodeNegToken(token)
  if (response.kind !== 'response') throw new AuthError('spnego_unexpected', authStatus.invalidParameter)
  if (response.negState === negState.reject) throw new AuthError('rejected_by_client', authStatus.logonFailure)
  return response
}

/** Throws AuthError `mech_list_mic`, also when there is no MIC, or nothing to verify it with. */
export function verifyMechListMic(integrity: ContextIntegrity | undefined, mechTypesDer: Buffer, mic: Buffer | undefined): void {
  if (integrity === undefined || mic === undefined || !integrity.verifyMic(mechTypesDer, mic)) {
    throw new AuthError('mech_list_mic', authStatus.accessDenied)
  }
}
