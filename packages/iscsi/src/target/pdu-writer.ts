import type { Connection } from '@holdfast/engine'
import type { Struct } from '@holdfast/wire'
import { basicHeaderBytes, digestBytes, headerOffset, noDigests, paddedBytes, serialAdd } from '../pdu/index.ts'
import type { Digests } from '../pdu/index.ts'
import { sealSegment } from './digest.ts'
import { Outgoing } from './outgoing.ts'

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
    const start = at + this.payloadStart
    const end = start + paddedBytes(dataBytes)
    if (end > start + dataBytes) region.fill(0, start + dataBytes, end)
    if (this.digests.header) sealSegment(region, at, at + basicHeaderBytes)
    if (this.digests.data && dataBytes > 0) sealSegment(region, start, end)
  }

  flush(): void {
    this.out.flush()
  }
}
