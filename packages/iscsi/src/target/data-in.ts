/** How the data of a read goes out: cut into Data-In PDUs, the last of which tells the status where it is good (RFC 7143 11.7). */
import type { PduWriter } from './pdu-writer.ts'

/** What a session and a connection have agreed on for data-in. */
export interface DataInParameters {
  /** MaxRecvDataSegmentLength of the initiator. */
  readonly segmentBytes: number
  readonly maxBurstBytes: number
}

/** One Data-In PDU: where it lies, and its part of the data. */
type VisitPdu = (at: number, offset: number, lengthBytes: number, endsBurst: boolean) => void

/** Cuts `lengthBytes` of data into PDUs, one behind the other. */
export function eachDataIn(lengthBytes: number, parameters: DataInParameters, writer: PduWriter, visit: VisitPdu): void {
  let at = 0
  let burst = 0
  for (let offset = 0; offset < lengthBytes;) {
    const piece = Math.min(parameters.segmentBytes, lengthBytes - offset, parameters.maxBurstBytes - burst)
    burst += piece
    const endsBurst = burst === parameters.maxBurstBytes || offset + piece === lengthBytes
    visit(at, offset, piece, endsBurst)
    if (endsBurst) burst = 0
    offset += piece
    at += writer.wireBytes(piece)
  }
}

/** Bytes of all the Data-In PDUs for `lengthBytes` of data. */
export function dataInWireBytes(lengthBytes: number, parameters: DataInParameters, writer: PduWriter): number {
  if (lengthBytes <= Math.min(parameters.segmentBytes, parameters.maxBurstBytes)) return writer.wireBytes(lengthBytes)
  let total = 0
  eachDataIn(lengthBytes, parameters, writer, (at, _offset, piece) => void (total = at + writer.wireBytes(piece)))
  return total
}

/** Where the data goes in those PDUs. */
export function dataInPayloads(region: Buffer, lengthBytes: number, parameters: DataInParameters, writer: PduWriter): readonly Buffer[] {
  const start = writer.payloadStart
  if (lengthBytes <= Math.min(parameters.segmentBytes, parameters.maxBurstBytes)) return [region.subarray(start, start + lengthBytes)]
  const pieces: Buffer[] = []
  eachDataIn(lengthBytes, parameters, writer, (at, _offset, piece) => void pieces.push(region.subarray(at + start, at + start + piece)))
  return pieces
}
