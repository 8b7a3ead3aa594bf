/** Cuts what comes over a connection into PDUs, and checks their digests (RFC 7143 11.2). */
import { MalformedError } from '@holdfast/wire'
import {
  additionalHeaderBytesMax,
  basicHeaderBytes,
  crc32c,
  dataSegmentBytes,
  digestAt,
  digestBytes,
  headerSegmentBytes,
  noDigests,
  paddedBytes,
  pduLengthBytes,
} from '../pdu/index.ts'
import type { Digests } from '../pdu/index.ts'
import { IscsiError } from './errors.ts'

/** A PDU where it lies in the receive buffer: valid only while it is handled. */
export interface ReceivedPdu {
  readonly bytes: Buffer
  /** Where its header begins. */
  readonly at: number
  readonly dataAt: number
  readonly dataBytes: number
  /** The data digest is wrong: the header may be believed, the data not. */
  readonly isDamaged: boolean
}

/** What a receiver is made with. */
export interface ReceiverOptions {
  /** MaxRecvDataSegmentLength that we declared. */
  readonly dataBytesMax: number
  readonly onPdu: (pdu: ReceivedPdu) => void
}

/** Below this much room what is not whole yet is moved to the buffer's beginning. */
const roomBytesMin = 64 * 1024

/** One connection's. */
export class PduReceiver {
  /** What was negotiated; none during login. */
  digests: Digests = noDigests
  readonly #options: ReceiverOptions
  readonly #buffer: Buffer
  /** What was received and not handled yet lies from `#at` to `#end`. */
  #at = 0
  #end = 0
  #isHeaderChecked = false

  constructor(options: ReceiverOptions) {
    this.#options = options
    const longestPdu = basicHeaderBytes + additionalHeaderBytesMax + paddedBytes(options.dataBytesMax) + 2 * digestBytes
    this.#buffer = Buffer.allocUnsafeSlow(2 * longestPdu + roomBytesMin)
  }

  /** Where the next bytes go. */
  target(): Buffer {
    if (this.#buffer.length - this.#end < roomBytesMin + this.#options.dataBytesMax) {
      this.#buffer.copyWithin(0, this.#at, this.#end)
      this.#end -= this.#at
      this.#at = 0
    }
    return this.#buffer.subarray(this.#end)
  }

  /** Takes note of bytes at `target()` and hands out what is whole. Throws MalformedError `too-long`, IscsiError `CONNECTION_LOST` for a header digest. */
  received(lengthBytes: number): void {
    this.#end += lengthBytes
    while (this.#end - this.#at >= basicHeaderBytes) {
      if (!this.#isHeaderChecked && !this.#checkHeader()) return
      const whole = pduLengthBytes(this.#buffer, this.#at, this.digests)
      if (this.#end - this.#at < whole) return
      this.#handOut(whole)
    }
    if (this.#at === this.#end) this.#at = this.#end = 0
  }

  /** False while the header is not whole. */
  #checkHeader(): boolean {
    const bytes = this.#buffer
    const headerBytes = headerSegmentBytes(bytes, this.#at)
    if (this.digests.header) {
      if (this.#end - this.#at < headerBytes + digestBytes) return false
      const isRight = crc32c(bytes.subarray(this.#at, this.#at + headerBytes)) === digestAt(bytes, this.#at + headerBytes)
      // Where the next PDU begins is not known without the header (7.7).
      if (!isRight) throw new IscsiError('CONNECTION_LOST', 'a header digest is wrong')
    }
    const dataBytes = dataSegmentBytes(bytes, this.#at)
    if (dataBytes > this.#options.dataBytesMax) throw new MalformedError('too-long', `a data segment of ${dataBytes} bytes`)
    this.#isHeaderChecked = true
    return true
  }

  #handOut(wholeBytes: number): void {
    const bytes = this.#buffer
    const at = this.#at
    const dataBytes = dataSegmentBytes(bytes, at)
    const dataAt = at + headerSegmentBytes(bytes, at) + (this.digests.header ? digestBytes : 0)
    const dataEnd = dataAt + paddedBytes(dataBytes)
    const isDamaged = this.digests.data && dataBytes > 0 && crc32c(bytes.subarray(dataAt, dataEnd)) !== digestAt(bytes, dataEnd)
    this.#at += wholeBytes
    this.#isHeaderChecked = false
    this.#options.onPdu({ bytes, at, dataAt, dataBytes, isDamaged })
  }
}

/** A field of 32 bits. */
export const word = (bytes: Uint8Array, at: number): number =>
  ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0
