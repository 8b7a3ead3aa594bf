/** The login of one connection (RFC 7143 6.3, 11.12, 11.13), without the connection: requests to send, responses to take. */
import { MalformedError } from '@holdfast/wire'
import {
  currentStageOf,
  formatText,
  LoginFlags,
  loginStages,
  LoginStage,
  LoginStatus,
  Negotiator,
  nextStageOf,
  parseTargetAddress,
  parseText,
  splitText,
  TextAnswer,
  TextAssembler,
  textKeys,
  textMap,
} from '../pdu/index.ts'
import type { Agreed, LoginRequest, LoginResponse, TargetAddress, TextPair } from '../pdu/index.ts'
import { authenticationKeys, ChapExchange } from './chap.ts'
import { IscsiError, loginError } from './errors.ts'
import type { PortalSettings } from './options.ts'
import type { Wanted } from '../pdu/index.ts'

/** Who logs in, to what. */
export interface LoginOptions {
  readonly settings: PortalSettings
  /** Undefined for a discovery session. */
  readonly target: string | undefined
  readonly wanted: Wanted
  readonly isid: Buffer
  /** Of the session that the connection joins; 0 for a new one. */
  readonly tsih: number
  readonly cid: number
  readonly cmdSn: number
  readonly initiatorTaskTag: number
  /** What the session agreed on, where the connection joins one. */
  readonly session?: Readonly<Agreed>
}

/** What a Login Request is made of, and its data segment. */
export interface LoginStep {
  readonly header: Pick<LoginRequest, 'flags' | 'isid' | 'tsih' | 'initiatorTaskTag' | 'cid' | 'cmdSn'>
  readonly text: Buffer
}

/** How a login ended. */
export interface LoginOutcome {
  readonly tsih: number
  readonly agreed: Readonly<Agreed>
  /** MaxRecvDataSegmentLength of the target. */
  readonly sendBytesMax: number
  readonly targetAlias: string | undefined
  readonly portalGroupTag: number | undefined
}

/** What a response leads to. */
export type LoginProgress =
  | { readonly kind: 'send'; readonly steps: readonly LoginStep[] }
  | { readonly kind: 'redirect'; readonly address: TargetAddress; readonly isPermanent: boolean }
  | { readonly kind: 'done'; readonly outcome: LoginOutcome }

/** Bytes of a login PDU's data segment: nobody has declared anything yet. */
const segmentBytes: number = textKeys.MaxRecvDataSegmentLength.default

const refusals: ReadonlySet<string> = new Set([TextAnswer.reject, TextAnswer.notUnderstood, TextAnswer.irrelevant])

/** One login that is going on. */
export class Login {
  readonly #options: LoginOptions
  readonly #chap: ChapExchange | undefined
  readonly #negotiator: Negotiator
  readonly #assembler = new TextAssembler()
  /** Pieces of a text that wait for the target to ask for the next. */
  #unsent: LoginStep[] = []
  #stage: number
  #hasOffered = false

  constructor(options: LoginOptions) {
    this.#options = options
    const { settings, wanted, session, target } = options
    this.#chap = settings.user === undefined ? undefined : new ChapExchange(settings)
    this.#stage = this.#chap === undefined ? LoginStage.operational : LoginStage.security
    this.#negotiator = new Negotiator({
      role: 'initiator',
      wanted,
      isDiscovery: target === undefined,
      receiveBytesMax: settings.receiveBytesMax,
      ...(session && { session }),
    })
  }

  /** The first request. */
  begin(): LoginStep {
    const { settings, target } = this.#options
    const identity: TextPair[] = [
      ['InitiatorName', settings.initiatorName],
      ...(target === undefined ? [] : [['TargetName', target] as const]),
      ['SessionType', target === undefined ? 'Discovery' : 'Normal'],
    ]
    return this.#say([...identity, ...(this.#chap === undefined ? this.#offers() : this.#chap.begin())])
  }

  /** Takes a response. Throws IscsiError for a refusal, MalformedError `bad-login` and what else text may be. */
  receive(response: LoginResponse, data: Buffer): LoginProgress {
    const { flags, status } = response
    if (status >> 8 === LoginStatus.targetMovedTemporarily >> 8) return redirection(status, data)
    if (status !== LoginStatus.success) throw loginError(status)
    if (currentStageOf(flags) !== this.#stage)
      throw new MalformedError('bad-login', `an answer for stage ${currentStageOf(flags)} in stage ${this.#stage}`)
    const text = this.#assembler.add(data, (flags & LoginFlags.continue) !== 0)
    // Either side asks the other for the rest of a text by an empty PDU.
    if (text === undefined) return { kind: 'send', steps: [this.#step(Buffer.alloc(0), 0)] }
    const unsent = this.#unsent.shift()
    if (unsent !== undefined) return { kind: 'send', steps: [unsent] }
    const answers = this.#answer(parseText(text))
    if ((flags & LoginFlags.transit) !== 0) return this.#transit(response, answers)
    return { kind: 'send', steps: [this.#say(answers)] }
  }

  #answer(pairs: readonly TextPair[]): TextPair[] {
    const ofAuthentication = textMap(pairs.filter(([key]) => authenticationKeys.has(key)))
    const operational = pairs.filter(([key]) => !authenticationKeys.has(key))
    const answers = this.#stage === LoginStage.security ? (this.#chap?.receive(ofAuthentication) ?? []) : []
    return [...answers, ...this.#negotiator.receive(operational)]
  }

  #transit({ flags, tsih }: LoginResponse, answers: readonly TextPair[]): LoginProgress {
    if (this.#chap?.isDone === false) throw new MalformedError('bad-login', 'the target leaves the security stage too soon')
    this.#stage = nextStageOf(flags)
    if (this.#stage === LoginStage.operational) return { kind: 'send', steps: [this.#say([...answers, ...this.#offers()])] }
    // A key that comes with the end and needs no agreement may be left without an answer.
    const isOpen = answers.some(([, answer]) => !refusals.has(answer))
    if (this.#stage !== LoginStage.fullFeature || isOpen) throw new MalformedError('bad-login', 'the target ends the login too soon')
    this.#checkDigests()
    if (tsih === 0) throw new MalformedError('bad-login', 'the target names no session')
    const alias = this.#negotiator.declared('TargetAlias')
    const tag = this.#negotiator.declared('TargetPortalGroupTag')
    const outcome: LoginOutcome = {
      tsih,
      agreed: this.#negotiator.agreed,
      sendBytesMax: this.#negotiator.sendBytesMax,
      targetAlias: alias === undefined ? undefined : String(alias),
      portalGroupTag: tag === undefined ? undefined : Number(tag),
    }
    return { kind: 'done', outcome }
  }

  /** A digest that was required is there, whatever the target answered. */
  #checkDigests(): void {
    const { wanted } = this.#options
    for (const key of ['HeaderDigest', 'DataDigest'] as const) {
      const agreed = this.#negotiator.agreed[key]
      if (wanted[key] !== undefined && !wanted[key].includes(agreed))
        throw new IscsiError('LOGIN_FAILED', `${key}: the target takes none of ${wanted[key].join(', ')}`)
    }
  }

  #offers(): TextPair[] {
    if (this.#hasOffered) return []
    this.#hasOffered = true
    return this.#negotiator.offers()
  }

  /** A text, in as many requests as it needs: the first is given, the others wait. The last one asks to go on to the next stage. */
  #say(pairs: readonly TextPair[]): LoginStep {
    const pieces = splitText(formatText(pairs), segmentBytes)
    const steps = pieces.map((piece, i) => this.#step(piece, i < pieces.length - 1 ? LoginFlags.continue : this.#transitFlags()))
    const [first, ...rest] = steps
    this.#unsent = rest
    return first
  }

  #transitFlags(): number {
    if (this.#stage === LoginStage.operational) return LoginFlags.transit | LoginStage.fullFeature
    return this.#chap?.isLastWord === true ? LoginFlags.transit | LoginStage.operational : 0
  }

  #step(text: Buffer, flags: number): LoginStep {
    const { isid, tsih, cid, cmdSn, initiatorTaskTag } = this.#options
    return { header: { flags: flags | loginStages(this.#stage), isid, tsih, initiatorTaskTag, cid, cmdSn }, text }
  }
}

function redirection(status: number, data: Buffer): LoginProgress {
  const address = textMap(parseText(data)).get('TargetAddress')
  if (address === undefined) throw new MalformedError('bad-login', 'a redirection to nowhere')
  return { kind: 'redirect', address: parseTargetAddress(address), isPermanent: status === LoginStatus.targetMovedPermanently }
}
