/** The login of one connection (RFC 7143 6.3, 11.12, 11.13): from its first request until the full feature phase. */
import type { Message } from '@holdfast/engine'
import { MalformedError } from '@holdfast/wire'
import {
  currentStageOf,
  dataSegmentBytes,
  dataSegmentStart,
  formatText,
  isName,
  LoginFlags,
  LoginRequest,
  LoginResponse,
  LoginStage,
  loginStages,
  LoginStatus,
  Negotiator,
  nextStageOf,
  noDigests,
  normalizeName,
  Opcode,
  opcodeOf,
  parseText,
  protocolVersion,
  TextAssembler,
} from '../../pdu/index.ts'
import type { TextPair, Wanted } from '../../pdu/index.ts'
import type { IscsiLimits } from '../options.ts'
import type { PduWriter } from '../pdu-writer.ts'
import { authenticationKeys } from './authentication.ts'
import type { Authentication } from './authentication.ts'
import { LoginRefusal } from './refusal.ts'

/** What the first text of a login says of who comes, and where to. */
export interface LoginIdentity {
  readonly initiatorName: string
  readonly isDiscovery: boolean
  /** Undefined in a discovery session. */
  readonly targetName: string | undefined
  readonly isid: Buffer
  readonly tsih: number
  readonly cid: number
  /** CmdSN of the first request. */
  readonly cmdSn: number
}

/** What a login decided: it is not over before `establish` has said under which handle. */
export interface LoginOutcome {
  readonly identity: LoginIdentity
  readonly negotiator: Negotiator
  readonly user: string | undefined
}

/** Who has the connection, and decides. Everything may reject with `LoginRefusal`. */
export interface LoginHost {
  readonly writer: PduWriter
  readonly limits: IscsiLimits
  /** The connection goes on elsewhere: nothing more happens here. */
  moveIfElsewhere(identity: LoginIdentity, message: Message): boolean
  /** What holds for this login, once it is known who comes. */
  admit(identity: LoginIdentity): Promise<Admission>
  /** The login has succeeded. Gives the TSIH of its session. */
  establish(outcome: LoginOutcome): Promise<number>
  /** The full feature phase has begun: the last response has been put. */
  established(): void
  /** The login has failed; the response is on its way. */
  refused(reason: string): void
}

/** What is asked of one who logs in. */
export interface Admission {
  readonly authentication: Authentication
  readonly wanted: Wanted
  /** What the session agreed on, where the connection joins one. */
  readonly agreed?: Negotiator['agreed']
  /** Keys that go with the first response. */
  readonly declarations: readonly TextPair[]
}

/** A login that is going on. */
export class LoginPhase {
  readonly #host: LoginHost
  readonly #text = new TextAssembler()
  #identity: LoginIdentity | undefined
  #admission: Admission | undefined
  #negotiator: Negotiator | undefined
  #stage: LoginStage | undefined
  /** Something has been answered: the connection stays. */
  #hasAnswered = false
  #isBusy = false
  /** The request at work: it ends with its answer. */
  #message: Message | undefined

  constructor(host: LoginHost) {
    this.#host = host
  }

  /** Takes a PDU. */
  async receive(message: Message): Promise<void> {
    const pdu = message.bytes
    if (this.#isBusy) return this.#host.refused('a login request came before the answer to the last one')
    this.#isBusy = true
    this.#message = message
    let request: LoginRequest | undefined
    try {
      if (opcodeOf(pdu) !== Opcode.loginRequest) throw new LoginRefusal('invalidDuringLogin', `opcode ${opcodeOf(pdu)} during the login`)
      request = LoginRequest.decode(pdu.subarray(0, 48))
      await this.#step(request, message)
    } catch (error) {
      this.#refuse(request, error)
    } finally {
      this.#isBusy = false
    }
  }

  async #step(request: LoginRequest, message: Message): Promise<void> {
    const pdu = message.bytes
    if (request.versionMin > protocolVersion)
      throw new LoginRefusal('unsupportedVersion', `version ${request.versionMin} is the least the initiator takes`)
    this.#checkStage(request)
    const dataBytes = dataSegmentBytes(pdu)
    const start = dataSegmentStart(pdu, 0, noDigests)
    const continues = (request.flags & LoginFlags.continue) !== 0
    const text = this.#text.add(pdu.subarray(start, start + dataBytes), continues)
    // Decoded from memory that the connection uses again.
    const isid = Buffer.from(request.isid)
    if (text === undefined) return this.#answer(request, isid, { pairs: [], isTransit: false })
    const pairs = parseText(text)
    this.#identity ??= identityOf(request, isid, pairs)
    if (!this.#hasAnswered && this.#host.moveIfElsewhere(this.#identity, message)) return
    const isFirst = this.#admission === undefined
    this.#admission ??= await this.#host.admit(this.#identity)
    const answers = await this.#negotiate(pairs)
    if (isFirst) answers.unshift(...this.#admission.declarations)
    await this.#advance(request, isid, answers)
  }

  /** A stage is never gone back to (6.3.1). */
  #checkStage({ flags }: LoginRequest): void {
    const stage = currentStageOf(flags)
    const isKnown = stage === LoginStage.security || stage === LoginStage.operational
    if (!isKnown || (this.#stage !== undefined && stage !== this.#stage)) throw new LoginRefusal('initiatorError', `stage ${stage} does not follow`)
    this.#stage ??= stage
  }

  async #negotiate(pairs: readonly TextPair[]): Promise<TextPair[]> {
    const { authentication, wanted, agreed } = this.#admission!
    const ofAuthentication = pairs.filter(([key]) => authenticationKeys.has(key))
    const operational = pairs.filter(([key]) => !authenticationKeys.has(key))
    if (ofAuthentication.length > 0 && this.#stage !== LoginStage.security)
      throw new LoginRefusal('initiatorError', 'authentication outside of its stage')
    const answers = await authentication.receive(new Map(ofAuthentication))
    if (this.#stage === LoginStage.operational && !authentication.isDone) {
      throw new LoginRefusal('authenticationFailure', 'the initiator does not log in, and must')
    }
    this.#negotiator ??= new Negotiator({
      role: 'target',
      wanted,
      isDiscovery: this.#identity!.isDiscovery,
      receiveBytesMax: this.#host.limits.dataSegmentBytes,
      ...(agreed && { session: agreed }),
    })
    return [...answers, ...this.#negotiator.receive(operational)]
  }

  async #advance(request: LoginRequest, isid: Buffer, pairs: TextPair[]): Promise<void> {
    const next = nextStageOf(request.flags)
    const wantsTransit = (request.flags & LoginFlags.transit) !== 0
    const isTransit = wantsTransit && (this.#stage !== LoginStage.security || this.#admission!.authentication.isDone)
    if (!isTransit) return this.#answer(request, isid, { pairs, isTransit })
    if (next <= this.#stage! || (next !== LoginStage.operational && next !== LoginStage.fullFeature)) {
      throw new LoginRefusal('initiatorError', `stage ${next} does not follow stage ${this.#stage}`)
    }
    if (next !== LoginStage.fullFeature) {
      this.#answer(request, isid, { pairs, isTransit })
      this.#stage = LoginStage.operational
      return
    }
    const outcome: LoginOutcome = { identity: this.#identity!, negotiator: this.#negotiator!, user: this.#admission!.authentication.user }
    const tsih = await this.#host.establish(outcome)
    this.#answer(request, isid, { pairs, isTransit, tsih })
    this.#host.established()
  }

  #answer(request: LoginRequest, isid: Buffer, of: { pairs: readonly TextPair[]; isTransit: boolean; tsih?: number; status?: LoginStatus }): void {
    this.#hasAnswered = true
    const { writer } = this.#host
    const stage = currentStageOf(request.flags)
    const flags = of.isTransit ? LoginFlags.transit | loginStages(stage, nextStageOf(request.flags)) : loginStages(stage)
    const isSuccess = (of.status ?? LoginStatus.success) === LoginStatus.success
    const { statSn } = writer.serials(isSuccess)
    // With the last response the connection is the session's, whose numbers may be far from those of this login (4.2.2.1).
    const { expected, maximum } = of.tsih === undefined ? { expected: request.cmdSn, maximum: request.cmdSn } : writer.numbers
    writer.put(
      LoginResponse,
      {
        flags: isSuccess ? flags : 0,
        isid,
        tsih: of.tsih ?? request.tsih,
        initiatorTaskTag: request.initiatorTaskTag,
        statSn,
        expCmdSn: expected,
        maxCmdSn: maximum,
        status: of.status ?? LoginStatus.success,
      },
      formatText(of.pairs),
    )
    if (this.#message !== undefined) writer.finish(this.#message)
    writer.flush()
  }

  #refuse(request: LoginRequest | undefined, error: unknown): void {
    const refusal = asRefusal(error)
    if (refusal === undefined) throw error
    if (request !== undefined) this.#answer(request, Buffer.from(request.isid), { pairs: refusal.pairs, isTransit: false, status: refusal.status })
    this.#host.refused(refusal.message)
  }
}

function asRefusal(error: unknown): LoginRefusal | undefined {
  if (error instanceof LoginRefusal) return error
  return error instanceof MalformedError ? new LoginRefusal('initiatorError', error.message) : undefined
}

/** What must be in the first text (6.3: InitiatorName, SessionType, TargetName). */
function identityOf(request: LoginRequest, isid: Buffer, pairs: readonly TextPair[]): LoginIdentity {
  const given = new Map(pairs)
  const initiatorName = given.get('InitiatorName')
  if (initiatorName === undefined) throw new LoginRefusal('missingParameter', 'the initiator does not give its name')
  if (!isName(initiatorName)) throw new LoginRefusal('initiatorError', `not an iSCSI name: ${JSON.stringify(initiatorName)}`)
  const sessionType = given.get('SessionType') ?? 'Normal'
  if (sessionType !== 'Normal' && sessionType !== 'Discovery') throw new LoginRefusal('sessionTypeNotSupported', `session type ${sessionType}`)
  const isDiscovery = sessionType === 'Discovery'
  const targetName = given.get('TargetName')
  if (!isDiscovery && targetName === undefined) throw new LoginRefusal('missingParameter', 'the initiator does not name a target')
  return {
    initiatorName: normalizeName(initiatorName),
    isDiscovery,
    targetName: isDiscovery || targetName === undefined ? undefined : normalizeName(targetName),
    isid,
    tsih: request.tsih,
    cid: request.cid,
    cmdSn: request.cmdSn,
  }
}
