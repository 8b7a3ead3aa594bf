/** The initiator's half of authentication (RFC 7143 12.1): None, or CHAP, one-way or mutual. */
import { randomBytes } from 'node:crypto'
import { MalformedError } from '@holdfast/wire'
import { chapAlgorithms, chapResponse, formatBinary, parseBinary, parseNumber, verifyChapResponse } from '../pdu/index.ts'
import type { ChapAlgorithm, ChapChallenge, TextPair } from '../pdu/index.ts'
import { IscsiError } from './errors.ts'
import type { PortalSettings } from './options.ts'

const challengeBytes = 32

/** Keys of authentication: everything else is of the operational negotiation. */
export const authenticationKeys: ReadonlySet<string> = new Set(['AuthMethod', 'CHAP_A', 'CHAP_I', 'CHAP_C', 'CHAP_N', 'CHAP_R'])

/** What it is about. */
export type ChapSettings = Pick<PortalSettings, 'user' | 'password' | 'targetCredentials' | 'chapHashes'>

type Given = ReadonlyMap<string, string>
type Step = (given: Given) => TextPair[]

/** One exchange, on one connection. */
export class ChapExchange {
  readonly #settings: ChapSettings
  readonly #offered: readonly ChapAlgorithm[]
  /** What to do with the target's next answer; undefined when there is nothing left. */
  #step: Step | undefined = given => this.#offerAlgorithms(given)
  /** What we asked the target for. */
  #asked: ChapChallenge | undefined

  constructor(settings: ChapSettings) {
    this.#settings = settings
    this.#offered = settings.chapHashes.flatMap(hash => chapAlgorithms.filter(known => known.hash === hash))
  }

  /** What the exchange begins with. */
  begin(): TextPair[] {
    return [['AuthMethod', 'CHAP']]
  }

  /** True when the target has proved what it had to. */
  get isDone(): boolean {
    return this.#step === undefined
  }

  /** True when our last word has been said: the stage may be left with it. */
  get isLastWord(): boolean {
    return this.#hasAnswered
  }
  #hasAnswered = false

  /** Takes the target's keys, gives ours. Throws IscsiError `AUTHENTICATION_FAILED` or `TARGET_NOT_AUTHENTIC`, MalformedError `bad-login`. */
  receive(given: Given): TextPair[] {
    // An empty answer asks to go on with a text that is not whole.
    return given.size === 0 && !this.#hasAnswered ? [] : (this.#step?.(given) ?? [])
  }

  #offerAlgorithms(given: Given): TextPair[] {
    const method = given.get('AuthMethod')
    if (method !== 'CHAP') throw new IscsiError('AUTHENTICATION_FAILED', `the target does not log in by CHAP, but by ${method ?? 'nothing'}`)
    this.#step = next => this.#respond(next)
    return [['CHAP_A', this.#offered.map(({ number }) => number).join(',')]]
  }

  #respond(given: Given): TextPair[] {
    const chosen = parseNumber(given.get('CHAP_A') ?? '')
    const algorithm = this.#offered.find(({ number }) => number === chosen)
    const identifier = parseNumber(given.get('CHAP_I') ?? '')
    if (algorithm === undefined) throw new IscsiError('AUTHENTICATION_FAILED', `no algorithm for CHAP in common: ${given.get('CHAP_A') ?? 'none'}`)
    if (identifier === undefined || identifier > 255) throw new MalformedError('bad-login', 'CHAP_I is not a byte')
    const challenge = parseBinary(given.get('CHAP_C') ?? '')
    const response = chapResponse({ algorithm, identifier, challenge }, this.#settings.password)
    const answer: TextPair[] = [
      ['CHAP_N', this.#settings.user ?? ''],
      ['CHAP_R', formatBinary(response)],
    ]
    this.#hasAnswered = true
    if (this.#settings.targetCredentials === undefined) {
      this.#step = undefined
      return answer
    }
    const [ownIdentifier] = randomBytes(1)
    this.#asked = { algorithm, identifier: ownIdentifier, challenge: randomBytes(challengeBytes) }
    this.#step = next => this.#verify(next)
    return [...answer, ['CHAP_I', String(ownIdentifier)], ['CHAP_C', formatBinary(this.#asked.challenge)]]
  }

  #verify(given: Given): TextPair[] {
    const { user, password } = this.#settings.targetCredentials!
    const name = given.get('CHAP_N')
    const response = given.get('CHAP_R')
    const isRightName = user === undefined || name === user
    if (response === undefined || !isRightName || !verifyChapResponse(this.#asked!, password, parseBinary(response)))
      throw new IscsiError('TARGET_NOT_AUTHENTIC', 'the target does not prove that it knows its secret')
    this.#step = undefined
    return []
  }
}
