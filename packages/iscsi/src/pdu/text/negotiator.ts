/** The negotiation of one login, as either side has it (RFC 7143 6.2, 6.3). */
import { MalformedError } from '@holdfast/wire'
import { defaultAgreed, textKeyOf } from './keys.ts'
import type { Agreed, OperationalKey, TextKeyName, Wanted } from './keys.ts'
import { formatWanted, negotiate, readAnswer } from './negotiation.ts'
import type { WantedValue } from './negotiation.ts'
import type { TextPair } from './text.ts'

/** What a side begins a negotiation with. */
export interface NegotiatorOptions {
  readonly role: 'initiator' | 'target'
  readonly wanted: Wanted
  readonly isDiscovery?: boolean
  /** What the session's first connection agreed on; keys of a session (LO) must not come again then. */
  readonly session?: Readonly<Agreed>
  /** Bytes of a data segment that we take (MaxRecvDataSegmentLength). */
  readonly receiveBytesMax: number
}

/**
 * Says what to send and keeps what was agreed on. Authentication's keys are not its business: take them out of the pairs before.
 *
 * @example
 * const target = new Negotiator({ role: 'target', wanted: { ImmediateData: true }, receiveBytesMax: 262144 })
 * target.receive([['ImmediateData', 'No']]) // => [['ImmediateData', 'No'], ['MaxRecvDataSegmentLength', '262144']]
 * target.agreed.ImmediateData // => false
 */
export class Negotiator {
  readonly #options: NegotiatorOptions
  readonly #agreed: Agreed
  readonly #offered = new Map<string, WantedValue>()
  readonly #settled = new Set<string>()
  readonly #declared = new Map<string, string | number>()
  #hasDeclaredLength = false

  constructor(options: NegotiatorOptions) {
    this.#options = options
    this.#agreed = { ...(options.session ?? defaultAgreed) }
    if (options.session !== undefined) {
      this.#agreed.HeaderDigest = defaultAgreed.HeaderDigest
      this.#agreed.DataDigest = defaultAgreed.DataDigest
    }
  }

  /** What holds now. FirstBurstLength is never more than MaxBurstLength (13.14). */
  get agreed(): Readonly<Agreed> {
    return { ...this.#agreed, FirstBurstLength: Math.min(this.#agreed.FirstBurstLength, this.#agreed.MaxBurstLength) }
  }

  /** Bytes of a data segment that the other side takes. */
  get sendBytesMax(): number {
    return Number(this.#declared.get('MaxRecvDataSegmentLength') ?? 8192)
  }

  /** What the other side declared: `InitiatorName`, `TargetAlias`, … */
  declared(key: TextKeyName): string | number | undefined {
    return this.#declared.get(key)
  }

  /** True when every offer of ours has its answer. */
  get isSettled(): boolean {
    return this.#offered.size === 0
  }

  /** Offers of all keys that we would like and that were not spoken of. */
  offers(): TextPair[] {
    const pairs: TextPair[] = this.#declareLength()
    for (const [name, value] of Object.entries(this.#options.wanted) as [OperationalKey, WantedValue][]) {
      if (this.#settled.has(name) || this.#isOfSession(name) || this.#isIrrelevant(name)) continue
      this.#settled.add(name)
      this.#offered.set(name, value)
      pairs.push([name, formatWanted(value)])
    }
    return pairs
  }

  /**
   * Takes the other side's pairs; gives what to answer, with our own MaxRecvDataSegmentLength the first time. Throws MalformedError
   * `duplicate-key`, `bad-sender`, `bad-time`, `bad-value` or `bad-answer`.
   */
  receive(pairs: Iterable<TextPair>): TextPair[] {
    const answers: TextPair[] = []
    for (const [name, text] of pairs) {
      const offered = this.#offered.get(name)
      if (offered !== undefined) {
        this.#offered.delete(name)
        this.#agree(name, readAnswer(name, offered, text))
        continue
      }
      const answer = this.#answerTo(name, text)
      if (answer !== undefined) answers.push([name, answer])
    }
    return answers.length > 0 ? [...answers, ...this.#declareLength()] : answers
  }

  #answerTo(name: string, text: string): string | undefined {
    const key = textKeyOf(name)
    // The same said again changes nothing: some initiators name themselves in each request.
    if (key?.rule === 'declaration' && String(this.#declared.get(name)) === text) return undefined
    if (this.#settled.has(name)) throw new MalformedError('duplicate-key', `${name} was negotiated already`)
    if (key?.senders === this.#options.role) throw new MalformedError('bad-sender', `${name} does not come from a ${this.#otherRole}`)
    if (key?.use === 'FFPO' || this.#isOfSession(name)) throw new MalformedError('bad-time', `${name} does not come here`)
    this.#settled.add(name)
    const ours = this.#options.wanted[name as OperationalKey]
    const { answer, value } = negotiate(name, text, ours, { isDiscovery: this.#options.isDiscovery ?? false })
    if (key?.rule === 'declaration') this.#declared.set(name, value as string | number)
    else this.#agree(name, value)
    return answer
  }

  #agree(name: string, value: boolean | number | string | undefined): void {
    if (value !== undefined) Object.assign(this.#agreed, { [name]: value })
  }

  /** Session-wide keys are for the first connection's login only (13: LO). Declarations of names come with each. */
  #isOfSession(name: string): boolean {
    return this.#options.session !== undefined && textKeyOf(name)?.use === 'LO' && textKeyOf(name)?.rule !== 'declaration'
  }

  #isIrrelevant(name: string): boolean {
    return this.#options.isDiscovery === true && textKeyOf(name)?.irrelevantInDiscovery === true
  }

  #declareLength(): TextPair[] {
    if (this.#hasDeclaredLength) return []
    this.#hasDeclaredLength = true
    return [['MaxRecvDataSegmentLength', String(this.#options.receiveBytesMax)]]
  }

  get #otherRole(): string {
    return this.#options.role === 'initiator' ? 'target' : 'initiator'
  }
}
