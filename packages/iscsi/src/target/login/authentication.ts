/** The target's half of authentication (RFC 7143 12.1): None or CHAP, one-way or mutual. */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { chapAlgorithm, chapResponse, formatBinary, parseBinary, parseList, parseNumber, verifyChapResponse } from '../../pdu/index.ts'
import type { ChapChallenge, TextPair } from '../../pdu/index.ts'
import type { Credentials, LoginThrottle } from '../options.ts'
import { LoginRefusal } from './refusal.ts'

const challengeBytes = 32

/** Keys of authentication: everything else is of the operational negotiation. */
export const authenticationKeys: ReadonlySet<string> = new Set(['AuthMethod', 'CHAP_A', 'CHAP_I', 'CHAP_C', 'CHAP_N', 'CHAP_R'])

/** Where the exchange stands. */
type State = 'begin' | 'method' | 'challenged' | 'done'

type Step = (given: ReadonlyMap<string, string>) => TextPair[] | Promise<TextPair[]>

/** Who may come without a login: `required` nobody, `optional` everybody. */
type Requirement = 'required' | 'optional'

/** One exchange, on one connection. */
export class Authentication {
  readonly #credentials: Credentials
  readonly #requirement: () => Requirement
  readonly #mayLogIn: (user: string) => boolean
  readonly #throttle: LoginThrottle | undefined
  readonly #remoteAddress: string
  #state: State = 'begin'
  #asked: ChapChallenge | undefined
  /** Name under which the initiator has logged in; undefined without a login. */
  user: string | undefined
  readonly #steps: { readonly [S in Exclude<State, 'done'>]: Step } = {
    begin: given => this.#chooseMethod(given),
    method: given => this.#challenge(given),
    challenged: given => this.#verify(given),
  }

  constructor(of: {
    credentials: Credentials
    requirement: () => Requirement
    mayLogIn: (user: string) => boolean
    throttle: LoginThrottle | undefined
    remoteAddress: string
  }) {
    this.#throttle = of.throttle
    this.#remoteAddress = of.remoteAddress
    this.#credentials = of.credentials
    this.#requirement = of.requirement
    this.#mayLogIn = of.mayLogIn
  }

  /** The initiator may leave the stage, or skip it. */
  get isDone(): boolean {
    return this.#state === 'done' || (this.#state === 'begin' && this.#requirement() === 'optional')
  }

  /** Takes the initiator's keys, gives ours. Rejects with `LoginRefusal`. */
  async receive(pairs: ReadonlyMap<string, string>): Promise<TextPair[]> {
    if (pairs.size === 0) return []
    if (this.#state === 'done') throw new LoginRefusal('initiatorError', 'authentication goes on after its end')
    return this.#steps[this.#state](pairs)
  }

  #chooseMethod(given: ReadonlyMap<string, string>): TextPair[] {
    const possible = this.#requirement() === 'optional' ? ['CHAP', 'None'] : ['CHAP']
    // The initiator's order is its preference (RFC 7143 6.2.1): one that can log in sees more.
    const chosen = parseList(given.get('AuthMethod') ?? '').find(method => possible.includes(method))
    if (chosen === 'None') {
      this.#state = 'done'
      return [['AuthMethod', 'None']]
    }
    if (chosen === undefined) throw new LoginRefusal('authenticationFailure', 'the initiator does not offer CHAP, and there is no other way in')
    this.#state = 'method'
    return [['AuthMethod', 'CHAP']]
  }

  #challenge(given: ReadonlyMap<string, string>): TextPair[] {
    const algorithm = parseList(given.get('CHAP_A') ?? '')
      .map(text => chapAlgorithm(parseNumber(text) ?? -1))
      .find(known => known !== undefined)
    if (algorithm === undefined) throw new LoginRefusal('authenticationFailure', 'no algorithm for CHAP in common')
    const [identifier] = randomBytes(1)
    this.#asked = { algorithm, identifier, challenge: randomBytes(challengeBytes) }
    this.#state = 'challenged'
    return [
      ['CHAP_A', String(algorithm.number)],
      ['CHAP_I', String(identifier)],
      ['CHAP_C', formatBinary(this.#asked.challenge)],
    ]
  }

  async #verify(given: ReadonlyMap<string, string>): Promise<TextPair[]> {
    const asked = this.#asked!
    const name = given.get('CHAP_N')
    const response = given.get('CHAP_R')
    if (name === undefined || response === undefined) throw new LoginRefusal('missingParameter', 'CHAP_N or CHAP_R is missing')
    const secret = await this.#credentials.secretOf(name)
    // The same work and the same answer for a name that nobody has.
    const isRight = verifyChapResponse(asked, secret ?? randomBytes(challengeBytes), parseBinary(response))
    const attempt = { remoteAddress: this.#remoteAddress, user: name }
    const isIn = secret !== undefined && isRight && this.#mayLogIn(name)
    if (!isIn) this.#throttle?.failed(attempt)
    // One who guesses right after many wrong ones waits as well, or would know by the time it takes.
    const delayMs = this.#throttle?.delayMs(attempt) ?? 0
    if (delayMs > 0) await sleep(delayMs, undefined, { ref: false })
    if (!isIn) throw new LoginRefusal('authenticationFailure', 'wrong name or secret')
    this.#throttle?.succeeded(attempt)
    const answer = this.#proveOurselves(given, asked)
    this.user = name
    this.#state = 'done'
    return answer
  }

  /** Mutual CHAP, where the initiator asks for it. */
  #proveOurselves(given: ReadonlyMap<string, string>, asked: ChapChallenge): TextPair[] {
    const challengeText = given.get('CHAP_C')
    const identifier = parseNumber(given.get('CHAP_I') ?? '')
    if (challengeText === undefined && identifier === undefined) return []
    const { own } = this.#credentials
    if (own === undefined)
      throw new LoginRefusal('authenticationFailure', 'the initiator wants a proof of the target, which has no secret of its own')
    if (challengeText === undefined || identifier === undefined || identifier > 0xff)
      throw new LoginRefusal('missingParameter', 'half a CHAP challenge')
    const challenge = parseBinary(challengeText)
    // Our own challenge given back would have us compute the initiator's answer to it (RFC 7143 9.2.1).
    if (challenge.equals(asked.challenge)) throw new LoginRefusal('authenticationFailure', 'the challenge is the one that was sent')
    const proof = chapResponse({ algorithm: asked.algorithm, identifier, challenge }, own.secret)
    return [
      ['CHAP_N', own.name],
      ['CHAP_R', formatBinary(proof)],
    ]
  }
}
