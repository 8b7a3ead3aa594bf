import { AuthError, authStatus } from '../errors.ts'
import type { Authenticated, ContextIntegrity, Mechanism, MechanismEntry } from '../mechanism.ts'
import { verifyMechListMic } from './server.ts'
import type { SpnegoStep } from './server.ts'
import { decodeNegToken, encodeMechTypes, encodeNegTokenInit, encodeNegTokenResp, negState } from './tokens.ts'
import type { NegTokenResp } from './tokens.ts'

/** What a `SpnegoClient` authenticates by. */
export interface SpnegoClientOptions {
  /** In the order of preference. */
  readonly mechanisms: readonly MechanismEntry[]
}

/**
 * The initiator of one authentication (RFC 4178, MS-SPNG 3.2). Sends mechListMIC whenever the mechanism can make one, and insists on
 * the server's when its first choice was not taken.
 *
 * Rejects with AuthError (`no_common_mechanism`, `rejected_by_server`, `mech_list_mic`, `spnego_unexpected`) and MalformedError.
 *
 * @example
 * const server = new SpnegoServer({ mechanisms: [ntlmMechanism({ netbiosName: 'HOLDFAST', lookup: () => ({ ntHash: ntHash('secret') }) })] })
 * const client = new SpnegoClient({ mechanisms: [ntlmClientMechanism({ user: 'alice', password: 'secret' })] })
 * let request = await client.step(server.initialToken()) // what NEGOTIATE's response carries
 * let response = await server.step(request.output) // a SESSION_SETUP
 * while (!request.done) {
 *   request = await client.step(response.output)
 *   if (!response.done) response = await server.step(request.output)
 * }
 * request.sessionKey.length // => 16
 */
export class SpnegoClient {
  #mechanisms: readonly MechanismEntry[]
  #started = false
  #mechanism: Mechanism | undefined
  #chosenOid = ''
  #mechTypesDer: Buffer = Buffer.alloc(0)
  #micRequired = false
  #complete: { authenticated: Authenticated; integrity: ContextIntegrity | undefined } | undefined
  #sentMic = false
  #verified = false
  #over = false

  constructor(options: SpnegoClientOptions) {
    this.#mechanisms = options.mechanisms
  }

  /**
   * Takes the server's token: first that of the NEGOTIATE response (or nothing), then those of the SESSION_SETUP responses.
   * Once done, `output` is empty: the server said that it is content.
   */
  async step(token: Buffer): Promise<SpnegoStep> {
    if (this.#over) throw new AuthError('spnego_unexpected', authStatus.invalidParameter)
    this.#over = true
    const result = this.#started ? await this.#continue(token) : await this.#start(token)
    this.#over = result.done
    return result
  }

  /** What the mechanism established, as soon as it has; undefined before. Not to be trusted before `step` says done. */
  get sessionKey(): Buffer | undefined {
    return this.#complete?.authenticated.sessionKey
  }

  async #start(token: Buffer): Promise<SpnegoStep> {
    this.#started = true
    if (token.length > 0) {
      const hint = decodeNegToken(token)
      if (hint.kind !== 'init') throw new AuthError('spnego_unexpected', authStatus.invalidParameter)
      this.#mechanisms = this.#mechanisms.filter(({ oid }) => hint.mechTypes.includes(oid))
    }
    const [first] = this.#mechanisms
    if (first === undefined) throw new AuthError('no_common_mechanism', authStatus.notSupported)
    this.#mechTypesDer = encodeMechTypes(this.#mechanisms.map(({ oid }) => oid))
    this.#use(first)
    const mechToken = await this.#stepMechanism(Buffer.alloc(0))
    return { done: false, output: encodeNegTokenInit({ mechTypesDer: this.#mechTypesDer, mechToken }) }
  }

  async #continue(token: Buffer): Promise<SpnegoStep> {
    // A server may be content without saying so.
    const response: NegTokenResp =
      token.length === 0 && this.#complete ? { kind: 'response', negState: negState.acceptCompleted } : decodeResponse(token)
    if (response.negState === negState.reject) throw new AuthError('rejected_by_server', authStatus.logonFailure)
    if (response.supportedMech !== undefined && response.supportedMech !== this.#chosenOid) this.#switchTo(response.supportedMech)
    if (response.negState === negState.requestMic) this.#micRequired = true

    if (this.#complete === undefined) {
      // A server that takes another mechanism than the first sends no token: the new one begins with ours.
      const output = await this.#stepMechanism(response.responseToken ?? Buffer.alloc(0))
      this.#verify(response)
      // The server cannot be content with what it has not seen.
      if (output.length > 0 && response.negState === negState.acceptCompleted) throw new AuthError('spnego_unexpected', authStatus.invalidParameter)
      if (output.length > 0) return { done: false, output: encodeNegTokenResp({ responseToken: output, ...this.#ownMic() }) }
    } else this.#verify(response)
    const finished = this.#finished(response)
    if (finished) return finished
    if (this.#sentMic || this.#complete === undefined) throw new AuthError('spnego_unexpected', authStatus.invalidParameter)
    return { done: false, output: encodeNegTokenResp(this.#ownMic()) }
  }

  /** The end, when the server says so and everything that must be there is. */
  #finished(response: NegTokenResp): SpnegoStep | undefined {
    if (response.negState !== negState.acceptCompleted) return undefined
    if (this.#complete === undefined) throw new AuthError('spnego_unexpected', authStatus.invalidParameter)
    const { authenticated, integrity } = this.#complete
    if (this.#micRequired && !this.#verified) throw new AuthError('mech_list_mic', authStatus.accessDenied)
    integrity?.negotiationDone?.()
    return { done: true, output: Buffer.alloc(0), ...authenticated }
  }

  #verify(response: NegTokenResp): void {
    if (response.mechListMic === undefined) return
    verifyMechListMic(this.#complete?.integrity, this.#mechTypesDer, response.mechListMic)
    this.#verified = true
  }

  #ownMic(): { mechListMic?: Buffer } {
    const integrity = this.#complete?.integrity
    if (integrity === undefined) return {}
    this.#sentMic = true
    return { mechListMic: integrity.getMic(this.#mechTypesDer) }
  }

  #use(entry: MechanismEntry): void {
    this.#mechanism = entry.create()
    this.#chosenOid = entry.oid
  }

  #switchTo(oid: string): void {
    const entry = this.#mechanisms.find(mechanism => mechanism.oid === oid)
    if (entry === undefined || this.#micRequired) throw new AuthError('no_common_mechanism', authStatus.notSupported)
    this.#micRequired = true
    this.#complete = undefined
    this.#use(entry)
  }

  async #stepMechanism(token: Buffer): Promise<Buffer> {
    const result = await this.#mechanism!.step(token)
    if (result.done) this.#complete = { authenticated: result.authenticated, integrity: result.integrity }
    return result.output
  }
}

function decodeResponse(token: Buffer): NegTokenResp {
  const response = decodeNegToken(token)
  if (response.kind !== 'response') throw new AuthError('spnego_unexpected', authStatus.invalidParameter)
  return response
}
