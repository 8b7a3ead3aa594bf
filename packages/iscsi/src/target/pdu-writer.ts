import type { Connection } from '@holdfast/engine'
import type { Struct } from '@holdfast/wire'
import { basicHeaderBytes, digestBytes, headerOffset, noDigests, paddedBytes, serialAdd } from '../pdu/index.ts'
import type { Digests } from '../pdu/index.ts'
import { sealSegment } from './digest.ts'
import { Outgoing } from './outgoing.ts'
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
  /** From error recovery level 1 on. */
  retention: Retention | undefined

  constructor(connection: Connection) {
    this.out = new Outgoing(connection)
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
    const region = this.out.reserve(this.wireBytes(data.length))
    layout.encode(header, region, 0)
    data.copy(region, start)
    this.seal(region, 0, data.length)
    this.out.commit()
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
    const region = this.out.reserve(this.wireBytes(data.length))
    header.copy(region)
    region.writeUInt32BE(statSn, headerOffset.statSn)
    region.writeUInt32BE(this.numbers.expected, headerOffset.expCmdSn)
    region.writeUInt32BE(this.numbers.maximum, headerOffset.maxCmdSn)
    data.copy(region, this.payloadStart)
    this.#seal(region, 0, data.length)
    this.out.commit()
  }

  flush(): void {
    this.out.flush()
  }
}
