/** Text requests in full feature phase: SendTargets, and what is declared anew (RFC 7143 11.10, 11.11; Appendix C). */
import { MalformedError } from '@holdfast/wire'
import {
  formatTargets,
  formatText,
  negotiate,
  parseText,
  reservedTag,
  splitText,
  TextAnswer,
  TextAssembler,
  TextFlags,
  TextRequest,
  TextResponse,
  textKeyOf,
} from '../pdu/index.ts'
import type { FoundTarget, TextPair } from '../pdu/index.ts'
import type { PduWriter } from './pdu-writer.ts'

/** What a text exchange needs of its connection. */
export interface TextHost {
  readonly writer: PduWriter
  /** MaxRecvDataSegmentLength of the initiator. */
  segmentBytes: number
  /** Targets that may be told, by the argument of SendTargets: all, one, or that of the session. */
  targets(which: string): readonly FoundTarget[]
  close(reason: string): void
}

/** Transfer tag of an answer that goes on: one exchange at a time. */
const continuation = 1

/** The text exchanges of a connection. */
export class TextExchange {
  readonly #host: TextHost
  readonly #assembler = new TextAssembler()
  /** The initiator's text goes on. */
  #isGathering = false
  /** Pieces of an answer that have not been asked for yet. */
  #rest: Buffer[] = []

  constructor(host: TextHost) {
    this.#host = host
  }

  /** Takes a Text Request. A request with a fresh tag ends what was going on. */
  receive(pdu: Buffer, data: Buffer): void {
    const request = TextRequest.decode(pdu)
    const goesOn = request.targetTransferTag !== reservedTag
    if (goesOn && this.#rest.length > 0) return this.#put(request, this.#rest)
    // It was begun with a worker that died: what it was about is lost (11.10.4).
    if (goesOn && !this.#isGathering) throw new MalformedError('bad-tag', 'no text exchange has this transfer tag')
    const text = this.#assemble(data, (request.flags & TextFlags.continue) !== 0)
    this.#isGathering = text === undefined
    if (text === undefined) return this.#put(request, [Buffer.alloc(0)], true)
    const answers = parseText(text).flatMap(pair => this.#answer(pair))
    this.#put(request, splitText(formatText(answers), this.#host.segmentBytes))
  }

  #assemble(data: Buffer, continues: boolean): Buffer | undefined {
    try {
      return this.#assembler.add(data, continues)
    } catch (error) {
      if (error instanceof MalformedError) this.#host.close(error.message)
      throw error
    }
  }

  #answer([key, value]: TextPair): TextPair[] {
    if (key === 'SendTargets') return formatTargets(this.#host.targets(value))
    if (textKeyOf(key)?.use !== 'ALL') return [[key, textKeyOf(key) === undefined ? TextAnswer.notUnderstood : TextAnswer.reject]]
    const { value: declared } = negotiate(key, value)
    if (key === 'MaxRecvDataSegmentLength') this.#host.segmentBytes = Number(declared)
    return []
  }

  /** The next piece; the initiator asks for those that follow. `wantsMore`: it is the initiator who has not ended. */
  #put(request: TextRequest, pieces: Buffer[], wantsMore = false): void {
    const { writer } = this.#host
    const [piece, ...rest] = pieces
    this.#rest = rest
    const isLast = rest.length === 0
    const { lun, initiatorTaskTag } = request
    writer.put(
      TextResponse,
      {
        flags: !isLast ? TextFlags.continue : wantsMore ? 0 : TextFlags.final,
        lun,
        initiatorTaskTag,
        targetTransferTag: isLast && !wantsMore ? reservedTag : continuation,
        ...writer.serials(),
      },
      piece,
    )
  }
}
