/** Additional header segments of a SCSI Command (RFC 7143 11.2.2): a CDB longer than sixteen bytes, the length of a bidirectional command's read. */
import { codec, MalformedError, u32be } from '@holdfast/wire'
import { basicHeaderBytes, headerSegmentBytes } from './header.ts'
import { headerCdbBytes } from './scsi-command.ts'

/** Types of additional header segments (11.2.2.1). */
export const AdditionalHeaderType = { extendedCdb: 1, bidirectionalReadLength: 2 } as const

/** What additional header segments say. */
export interface AdditionalHeaders {
  /** Bytes 16 and on of the CDB. */
  readonly cdbRest?: Buffer
  /** Expected data transfer length of a bidirectional command's read, in bytes. */
  readonly bidirectionalReadLength?: number
}

/** A segment: AHSLength u16 (bytes behind AHSType), AHSType u8, then one byte that both types reserve, then the content. */
const prefixBytes = 4
const segmentBytes = (contentBytes: number): number => (prefixBytes + contentBytes + 3) & ~3
const readLengthBytes = 4

function putPrefix(into: Buffer, at: number, type: number, contentBytes: number): void {
  into.fill(0, at, at + segmentBytes(contentBytes))
  into.writeUInt16BE(contentBytes + 1, at)
  into[at + 2] = type
}

/** The additional header segments between basic header and header digest. Throws MalformedError `bad-ahs`. */
export const AdditionalHeaders = codec<AdditionalHeaders>({
  name: 'iSCSI AHS',
  decode(pdu, at, end) {
    const found: { cdbRest?: Buffer; bidirectionalReadLength?: number } = {}
    for (let next = at; next < end;) {
      if (end - next < prefixBytes) throw new MalformedError('bad-ahs', 'an additional header segment is cut off')
      const contentBytes = pdu.readUInt16BE(next) - 1
      const content = next + prefixBytes
      if (contentBytes < 0 || content + contentBytes > end)
        throw new MalformedError('bad-ahs', 'an additional header segment is longer than the header')
      const type = pdu[next + 2]
      if (type === AdditionalHeaderType.extendedCdb) {
        if (found.cdbRest !== undefined) throw new MalformedError('bad-ahs', 'two extended CDBs')
        found.cdbRest = pdu.subarray(content, content + contentBytes)
      } else if (type === AdditionalHeaderType.bidirectionalReadLength) {
        if (contentBytes !== readLengthBytes) throw new MalformedError('bad-ahs', 'a read length that is not four bytes')
        found.bidirectionalReadLength = u32be.read(pdu, content)
      } else throw new MalformedError('bad-ahs', `no additional header segment has type ${type}`)
      next += segmentBytes(contentBytes)
    }
    return found
  },
  encodedLength: ({ cdbRest, bidirectionalReadLength }) =>
    (cdbRest === undefined ? 0 : segmentBytes(cdbRest.length)) + (bidirectionalReadLength === undefined ? 0 : segmentBytes(readLengthBytes)),
  encode({ cdbRest, bidirectionalReadLength }, into, at) {
    let next = at
    if (cdbRest !== undefined) {
      putPrefix(into, next, AdditionalHeaderType.extendedCdb, cdbRest.length)
      into.set(cdbRest, next + prefixBytes)
      next += segmentBytes(cdbRest.length)
    }
    if (bidirectionalReadLength !== undefined) {
      putPrefix(into, next, AdditionalHeaderType.bidirectionalReadLength, readLengthBytes)
      u32be.write(into, next + prefixBytes, bidirectionalReadLength)
      next += segmentBytes(readLengthBytes)
    }
    return next
  },
})

/** What the additional header segments of the PDU at `at` say; nothing when it has none. */
export function additionalHeadersOf(pdu: Buffer, at = 0): AdditionalHeaders {
  return AdditionalHeaders.decode(pdu, at + basicHeaderBytes, at + headerSegmentBytes(pdu, at))
}

/** The whole CDB of the SCSI Command at `at`: a view of 16 bytes, or a copy where an additional header segment carries on with it. */
export function cdbOf(pdu: Buffer, at = 0): Buffer {
  const start = pdu.subarray(at + 32, at + 32 + headerCdbBytes)
  if (headerSegmentBytes(pdu, at) === basicHeaderBytes) return start
  const { cdbRest } = additionalHeadersOf(pdu, at)
  return cdbRest === undefined ? start : Buffer.concat([start, cdbRest])
}
