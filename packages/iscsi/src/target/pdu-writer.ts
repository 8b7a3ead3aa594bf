import type { Connection, FilePiece, Message } from '@holdfast/engine'
import type { Struct } from '@holdfast/wire'
import { basicHeaderBytes, digestBytes, headerOffset, noDigests, paddedBytes, serialAdd } from '../pdu/index.ts'
import type { Digests } from '../pdu/index.ts'
import { sealSegment } from './digest.ts'
import { ConnectionStage, connectionWords } from './connection-state.ts'
import { Outgoing } from './outgoing.ts'
import type { Detached } from './outgoing.ts'
import { hasStatus } from './retention.ts'
import type { RetainedPdu, Retention } from './retention.ts'

const noData = Buffer.alloc(0)

/** The numbers of a session that every response carries. */
export interface CommandNumbers {
  /** ExpCmdSN */
  readonly expected: number
  /** MaxCmdSN */
  readonly maximum: number
}

/** Before there is a session. */
const noNumbers: CommandNumbers = { expected: 0, maximum: 0 }

/** Writes the PDUs of one connection, numbered, padded and with digests; they go out with the batch. */
export class PduWriter {
  readonly out: Outgoing
  digests: Digests = noDigests
  numbers: CommandNumbers = noNumbers
  /** StatSN of the next response. */
  statSn = 1
  /** The same, behind the last one that is complete. */
  #completeStatSn = 1
  /** From error recovery level 1 on. */
  retention: Retention | undefined
  /** What the next write leads to. */
  stage: ConnectionStage = ConnectionStage.login
  readonly #endOfBatch: () => void

  /** `endOfBatch` is called when something has been finished that may be outside of a batch. */
  constructor(connection: Connection, endOfBatch: () => void) {
    this.#endOfBatch = endOfBatch
    this.out = new Outgoing(connection, () =>
      connectionWords({ stage: this.stage, statSn: this.#completeStatSn, expCmdSn: this.numbers.expected, maxCmdSn: this.numbers.maximum }),
    )
  }

  /** Goes on where another worker's writer was. */
  resume(of: { readonly statSn: number; readonly numbers: CommandNumbers; readonly digests: Digests }): void {
    this.statSn = this.#completeStatSn = of.statSn
    this.numbers = of.numbers
    this.digests = of.digests
    this.stage = ConnectionStage.fullFeature
  }

  /** Takes a StatSN: of a response that ends something. */
  takeStatSn(): number {
    const statSn = this.statSn
    this.statSn = serialAdd(statSn, 1)
    return statSn
  }

  /** StatSN (taken or only told), ExpCmdSN and MaxCmdSN, as the layouts name them. */
  serials(takesStatSn = true): { readonly statSn: number; readonly expCmdSn: number; readonly maxCmdSn: number } {
    const statSn = takesStatSn ? this.takeStatSn() : this.statSn
    return { statSn, expCmdSn: this.numbers.expected, maxCmdSn: this.numbers.maximum }
  }

  /** A whole PDU with its data, which is copied: for what is small. */
  put<In>(layout: Struct<unknown, In>, header: In, data: Buffer = noData): void {
    const start = this.payloadStart
    const region = this.out.reserveSurely(this.wireBytes(data.length))
    layout.encode(header, region, 0)
    data.copy(region, start)
    this.seal(region, 0, data.length)
    this.commit()
  }

  /** What was reserved is complete, with these pieces of files at their places in it. */
  commit(files?: readonly FilePiece[]): void {
    this.out.commit(files)
    this.#completeStatSn = this.statSn
  }

  /** Sends what was detached and is complete now; these messages end with it. */
  send(detached: Detached, finishes: readonly Message[]): void {
    this.out.send(detached, finishes, () => void (this.#completeStatSn = this.statSn))
  }

  /** A message is done with: what answers it has been put, or nothing does. It ends with the write. */
  finish(message: Message): void {
    this.out.finish(message)
    this.#endOfBatch()
  }

  /** Where the data of a PDU begins. */
  get payloadStart(): number {
    return basicHeaderBytes + (this.digests.header ? digestBytes : 0)
  }

  /** Bytes of a PDU with that much data, without additional headers. */
  wireBytes(dataBytes: number): number {
    return this.payloadStart + paddedBytes(dataBytes) + (dataBytes > 0 && this.digests.data ? digestBytes : 0)
  }

  /** Completes a PDU at `at` whose header and data are there: length, padding, digests. */
  seal(region: Buffer, at: number, dataBytes: number): void {
    region.writeUIntBE(dataBytes, at + headerOffset.dataSegmentLength, 3)
    if (this.retention !== undefined) this.retention.keep(region.subarray(at), this.payloadStart, dataBytes)
    this.#seal(region, at, dataBytes)
  }

  #seal(region: Buffer, at: number, dataBytes: number): void {
    const start = at + this.payloadStart
    const end = start + paddedBytes(dataBytes)
    if (end > start + dataBytes) region.fill(0, start + dataBytes, end)
    if (this.digests.header) sealSegment(region, at, at + basicHeaderBytes)
    if (this.digests.data && dataBytes > 0) sealSegment(region, start, end)
  }

  /** A PDU that another connection had sent, with a StatSN of this one where it has one. */
  putElsewhere(pdu: RetainedPdu): void {
    const statSn = hasStatus(pdu.header) ? this.takeStatSn() : this.statSn
    this.putAgain(pdu, statSn)
    const header = Buffer.from(pdu.header)
    header.writeUInt32BE(statSn, headerOffset.statSn)
    this.retention?.keepCopy({ header, data: pdu.data })
  }

  /** A PDU once more, with the session's numbers of now. */
  putAgain({ header, data }: RetainedPdu, statSn: number): void {
    const region = this.out.reserveSurely(this.wireBytes(data.length))
    header.copy(region)
    region.writeUInt32BE(statSn, headerOffset.statSn)
    region.writeUInt32BE(this.numbers.expected, headerOffset.expCmdSn)
    region.writeUInt32BE(this.numbers.maximum, headerOffset.maxCmdSn)
    data.copy(region, this.payloadStart)
    this.#seal(region, 0, data.length)
    this.commit()
  }

  flush(): void {
    this.out.flush()
  }
}
