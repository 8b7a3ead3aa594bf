/** What has come of a client's next request: bytes without a hole, and what the last packet said. */
import { ahead, plus, TcpFlag } from '../transform/index.ts'
import type { ClientPacket } from './client-packet.ts'
import type { Connection } from './connection.ts'

/** What a hand-off and a CONTINUE may carry: it has to fit a datagram. */
export const gatheredBytesMax = 60_000
const firstBytes = 2048
/** What all connections together may gather. */
export const gatheredBytesOfAllMax = 256 << 20

let bytesOfAll = 0

/** Grows up to `gatheredBytesMax`. */
export class Gathered {
  /** Of the first byte. */
  sequence: number
  bytes: Buffer
  length = 0
  /** Of the packet that came last. */
  acknowledgement = 0
  window = 0
  tsVal = 0
  tsEcr = 0
  /** We have told the client that we have it: it won't come again, so that only a hand-off, which is answered, may carry it on. */
  acknowledged = false
  /** Where it ended when we did. */
  acknowledgedEnd = 0
  /** The client's FIN follows the last byte. */
  finished = false

  /** When it was begun. */
  beganMs: number

  constructor(sequence: number, nowMs: number) {
    this.sequence = sequence
    this.beganMs = nowMs
    this.bytes = Buffer.allocUnsafe(firstBytes)
  }

  /** The same as a new one. */
  begin(sequence: number, nowMs: number): this {
    this.sequence = sequence
    this.beganMs = nowMs
    this.length = this.acknowledgement = this.window = this.tsVal = this.tsEcr = this.acknowledgedEnd = 0
    this.acknowledged = this.finished = false
    return this
  }

  /** The sequence number of what should come next. */
  get end(): number {
    return plus(this.sequence, this.length)
  }

  /** Takes of a packet what is new and follows without a hole; a hole is filled when the client repeats. False: there is no room for it. */
  take(packet: ClientPacket): boolean {
    const known = ahead(this.end, packet.sequence)
    if (known < 0) return true
    const isFirst = this.length === 0
    const fresh = packet.payloadBytes - known
    if (fresh > 0 && !this.#append(packet.bytes, packet.payloadFrom + known, packet.end)) return false
    if ((packet.flags & TcpFlag.fin) !== 0 && fresh >= 0) this.finished = true
    if (isFirst || ahead(packet.acknowledgement, this.acknowledgement) >= 0) this.note(packet)
    return true
  }

  /** Takes bytes that follow, of a connection that was ours: its state says what packets did. False: there is no room for them. */
  takeFrom(connection: Connection, bytes: Buffer, from: number, end: number): boolean {
    this.acknowledged = true
    this.acknowledgement = connection.serverSequenceNext
    this.window = connection.sendWindow >>> connection.clientScale
    this.tsVal = connection.tsClient
    this.tsEcr = connection.tsDirector
    return this.#append(bytes, from, end)
  }

  /** Leaves the first bytes out: they have been sent on. */
  skip(lengthBytes: number): void {
    this.bytes.copyWithin(0, lengthBytes, this.length)
    this.length -= lengthBytes
    this.sequence = plus(this.sequence, lengthBytes)
  }

  /** What a packet says of the other direction. */
  note(packet: ClientPacket): void {
    this.acknowledgement = packet.acknowledgement
    this.window = packet.window
    this.tsVal = packet.options.tsVal
    this.tsEcr = packet.options.tsEcr
  }

  #append(bytes: Buffer, from: number, end: number): boolean {
    const length = this.length + end - from
    if (length > gatheredBytesMax || bytesOfAll > gatheredBytesOfAllMax) return false
    if (length > this.bytes.length) {
      const larger = Buffer.allocUnsafe(Math.min(gatheredBytesMax, Math.max(length, this.bytes.length * 2)))
      bytesOfAll += larger.length - this.bytes.length
      this.bytes.copy(larger, 0, 0, this.length)
      this.bytes = larger
    }
    bytes.copy(this.bytes, this.length, from, end)
    this.length = length
    return true
  }
}

/** Most are needed for the time of a hand-off only, and never grow: they are used again. */
const spare: Gathered[] = []
const spareMax = 256

/** Begins to gather for a connection. */
export function beginGathering(connection: Connection, sequence: number, nowMs: number): Gathered {
  discardGathered(connection)
  const gathered = spare.pop()?.begin(sequence, nowMs) ?? new Gathered(sequence, nowMs)
  bytesOfAll += gathered.bytes.length
  return (connection.gathered = gathered)
}

/** What was gathered is not needed any more. */
export function discardGathered(connection: Connection): void {
  const { gathered } = connection
  if (gathered === undefined) return
  bytesOfAll -= gathered.bytes.length
  connection.gathered = undefined
  if (gathered.bytes.length === firstBytes && spare.length < spareMax) spare.push(gathered)
}
