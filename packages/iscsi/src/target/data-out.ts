/** How the data of a write comes in: with the command, unsolicited behind it, or asked for with R2T (RFC 7143 4.2.5.3, 11.7, 11.8). */
import { reservedTag } from '../pdu/index.ts'

/** What a session has agreed on for data-out (RFC 7143 13.10 to 13.17). */
export interface DataOutParameters {
  readonly initialR2T: boolean
  readonly immediateData: boolean
  readonly firstBurstBytes: number
  readonly maxBurstBytes: number
  readonly maxOutstandingR2T: number
}

/** An R2T to be sent: `sn` counts within the command. */
export interface Solicitation {
  readonly tag: number
  readonly sn: number
  readonly offset: number
  readonly lengthBytes: number
}

interface Sequence {
  readonly tag: number
  readonly end: number
  next: number
  dataSn: number
}

/** What is wrong with a Data-Out. */
export type DataOutProblem = 'unexpected' | 'out-of-order' | 'too-much'

/** One piece of data-out, as its PDU describes it. */
export interface Piece {
  readonly transferTag: number
  readonly dataSn: number
  readonly offset: number
  readonly bytes: Buffer
  readonly isFinal: boolean
}

/** The data-out of one command. Sequences and PDUs come in order (DataSequenceInOrder, DataPDUInOrder). */
export class DataOutTransfer {
  /** What the command needs; what the initiator brings beyond it is dropped. */
  readonly wantedBytes: number
  readonly #expectedBytes: number
  readonly #parameters: DataOutParameters
  readonly #buffers: Buffer[] = []
  readonly #sequences: Sequence[] = []
  #receivedBytes = 0
  #solicitedBytes = 0
  #nextSn = 0
  #isUnsolicitedOver: boolean
  /** What the budget for solicited data calls when it may ask; undefined before it has applied. */
  admission: (() => void) | undefined
  isAdmitted = false
  /** When something came of it, by the target's clock. */
  heardAt = 0

  /** `expectedBytes`: what the initiator would bring. */
  constructor(of: { wantedBytes: number; expectedBytes: number; isFinal: boolean; parameters: DataOutParameters }) {
    this.wantedBytes = of.wantedBytes
    this.#expectedBytes = of.expectedBytes
    this.#parameters = of.parameters
    this.#isUnsolicitedOver = of.isFinal
    if (!of.isFinal) this.#sequences.push({ tag: reservedTag, end: Math.min(of.parameters.firstBurstBytes, of.expectedBytes), next: 0, dataSn: 0 })
  }

  get buffers(): readonly Buffer[] {
    return this.#buffers
  }

  /** Bytes of `buffers`: no more than are wanted. */
  get lengthBytes(): number {
    return Math.min(this.#receivedBytes, this.wantedBytes)
  }

  get isComplete(): boolean {
    return this.#isUnsolicitedOver && this.#sequences.length === 0 && this.#receivedBytes >= this.wantedBytes
  }

  /** Nothing is on its way, and more is needed: it takes R2Ts. */
  get needsSolicitation(): boolean {
    return this.#isUnsolicitedOver && this.#sequences.length < this.#parameters.maxOutstandingR2T && this.#solicitationStart < this.wantedBytes
  }

  /** Where the next R2T begins. */
  get #solicitationStart(): number {
    return Math.max(this.#solicitedBytes, this.#receivedBytes)
  }

  /** Data in the command's own PDU. */
  immediate(bytes: Buffer): DataOutProblem | undefined {
    if (bytes.length === 0) return undefined
    if (!this.#parameters.immediateData) return 'unexpected'
    if (bytes.length > Math.min(this.#parameters.firstBurstBytes, this.#expectedBytes)) return 'too-much'
    this.#add(bytes)
    const [first] = this.#sequences
    if (first !== undefined) first.next = bytes.length
    return undefined
  }

  /** The next R2T; `tag` is a transfer tag of its own. */
  solicit(tag: number): Solicitation {
    const offset = this.#solicitationStart
    const lengthBytes = Math.min(this.#parameters.maxBurstBytes, this.wantedBytes - offset)
    this.#solicitedBytes = offset + lengthBytes
    this.#sequences.push({ tag, end: offset + lengthBytes, next: offset, dataSn: 0 })
    return { tag, sn: this.#nextSn++, offset, lengthBytes }
  }

  /** Something was lost on the way (RFC 7143 7.4, 7.8): what is missing is asked for again, and what is still on its way is not taken. */
  recover(): void {
    this.#sequences.length = 0
    this.#isUnsolicitedOver = true
    this.#solicitedBytes = 0
  }

  /** A Data-Out has come. */
  receive(piece: Piece): DataOutProblem | undefined {
    const [sequence] = this.#sequences
    if (sequence?.tag !== piece.transferTag) return 'unexpected'
    if (piece.dataSn !== sequence.dataSn || piece.offset !== sequence.next) return 'out-of-order'
    const end = piece.offset + piece.bytes.length
    if (end > sequence.end) return 'too-much'
    const isSolicited = sequence.tag !== reservedTag
    // A solicited sequence is as long as was asked for (11.8.4).
    if (isSolicited && piece.isFinal !== (end === sequence.end)) return 'out-of-order'
    this.#add(piece.bytes)
    sequence.next = end
    sequence.dataSn++
    if (piece.isFinal) {
      this.#sequences.shift()
      if (!isSolicited) this.#isUnsolicitedOver = true
    }
    return undefined
  }

  #add(bytes: Buffer): void {
    const room = this.wantedBytes - this.#receivedBytes
    if (room > 0 && bytes.length > 0) this.#buffers.push(bytes.length <= room ? bytes : bytes.subarray(0, room))
    this.#receivedBytes += bytes.length
  }
}
