/** Writes PDUs: headers and short data side by side into chunks, long data from where it lies, one write to the socket in a turn of the event loop. */
import type { Socket } from 'node:net'
import { basicHeaderBytes, crc32c, digestBytes, noDigests, paddedBytes, putDigest } from '../pdu/index.ts'
import type { Digests } from '../pdu/index.ts'

const chunkBytes = 64 * 1024
/** Data up to this is copied: a buffer more in the list that goes to the kernel costs as much. */
const copiedBytesMax = 8 * 1024

/** How a header is written: the layout of a PDU does it. */
export interface HeaderLayout<In> {
  encode(value: In, into: Buffer, at: number): number
}

/** What goes with a header. */
export interface PduParts {
  /** Additional header segments, encoded. */
  readonly additional?: Buffer | undefined
  readonly data?: Buffer | undefined
}

const padding = Buffer.alloc(3)

/** One connection's. */
export class Outgoing {
  /** What was negotiated; none during login. */
  digests: Digests = noDigests
  readonly #socket: Socket
  #chunk: Buffer = Buffer.allocUnsafeSlow(chunkBytes)
  /** What is written and not yet in `#parts` lies from `#from` to `#at`. */
  #from = 0
  #at = 0
  #parts: Buffer[] = []
  #isScheduled = false
  /** Chunks that are full, and may be used again when all before them has gone out. */
  #full: Buffer[] = []
  readonly #free: Buffer[] = []

  constructor(socket: Socket) {
    this.#socket = socket
  }

  /** Sends a PDU. The data is not copied when it is long: it must stay as it is until the PDU has its answer. */
  put<In>(layout: HeaderLayout<In>, value: In, { additional, data }: PduParts = {}): void {
    const headerBytes = basicHeaderBytes + (additional?.length ?? 0)
    this.#reserve(headerBytes + digestBytes)
    const begin = this.#at
    layout.encode(value, this.#chunk, begin)
    additional?.copy(this.#chunk, begin + basicHeaderBytes)
    this.#at += headerBytes
    if (this.digests.header) this.#at = putDigest(this.#chunk, this.#at, crc32c(this.#chunk.subarray(begin, this.#at)))
    if (data !== undefined && data.length > 0) this.#putData(data)
    this.#schedule()
  }

  #putData(data: Buffer): void {
    const padBytes = paddedBytes(data.length) - data.length
    if (data.length <= copiedBytesMax) {
      this.#reserve(data.length + padBytes + digestBytes)
      this.#at += data.copy(this.#chunk, this.#at)
    } else {
      this.#endPart()
      this.#parts.push(data)
      this.#reserve(padBytes + digestBytes)
    }
    this.#chunk.fill(0, this.#at, this.#at + padBytes)
    this.#at += padBytes
    if (this.digests.data) this.#at = putDigest(this.#chunk, this.#at, crc32c(padding.subarray(0, padBytes), crc32c(data)))
  }

  #reserve(lengthBytes: number): void {
    if (this.#chunk.length - this.#at >= lengthBytes) return
    this.#endPart()
    this.#full.push(this.#chunk)
    this.#chunk = this.#free.pop() ?? Buffer.allocUnsafeSlow(chunkBytes)
    this.#from = this.#at = 0
  }

  #endPart(): void {
    if (this.#at > this.#from) this.#parts.push(this.#chunk.subarray(this.#from, this.#at))
    this.#from = this.#at
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    process.nextTick(() => this.#flush())
  }

  #flush(): void {
    this.#isScheduled = false
    this.#endPart()
    const parts = this.#parts
    const full = this.#full
    this.#parts = []
    this.#full = []
    const last = parts.pop()
    if (last === undefined || this.#socket.destroyed) return
    this.#socket.cork()
    for (const part of parts) this.#socket.write(part)
    this.#socket.write(last, full.length === 0 ? undefined : () => this.#free.push(...full))
    this.#socket.uncork()
  }
}
