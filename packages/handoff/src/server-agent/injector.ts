import { TcpFlag } from '../transform/packet.ts'
import { newSegment, segmentHeaderBytesMax, setBare, setEnds, writeSegment } from '../transform/segment.ts'
import { minus, plus } from '../transform/sequence.ts'
import type { Connection } from './connections.ts'
import type { AgentContext } from './context.ts'

/** An IPv4 packet has no more (RFC 791 3.1, total length), and lo takes that. */
const packetBytesMax = 65_535
const payloadBytesMax = packetBytesMax - segmentHeaderBytesMax

/** A packet of the client as it was sent; the payload is beside it. */
export interface ClientSegment {
  readonly sequence: number
  readonly acknowledgement: number
  readonly flags: number
  /** As in the header. */
  readonly window: number
  readonly timestamps: boolean
  readonly tsVal: number
  readonly tsEcr: number
}

/** Speaks to the server in the names of clients. */
export class Injector {
  /** What `send` sends. */
  readonly segment = newSegment()
  readonly #packet = Buffer.alloc(packetBytesMax)
  readonly #context: AgentContext

  constructor(context: AgentContext) {
    this.#context = context
  }

  /** Sends `segment`, which is one packet, so that it opens a connection: see `Machine`. */
  open(): number {
    const { machine } = this.#context
    const length = writeSegment(this.segment, this.#packet)
    return machine.open === undefined ? machine.send(this.#packet, length) : machine.open(this.#packet, length)
  }

  /** Sends `segment`, in several packets when it is too long for one. Returns -errno when the machine does not take it. */
  send(): number {
    const { segment } = this
    const { flags, payloadEnd } = segment
    for (;;) {
      const isLast = payloadEnd - segment.payloadFrom <= payloadBytesMax
      segment.payloadEnd = isLast ? payloadEnd : segment.payloadFrom + payloadBytesMax
      segment.flags = isLast ? flags : flags & ~TcpFlag.fin
      const result = this.#context.machine.send(this.#packet, writeSegment(segment, this.#packet))
      if (result < 0 || isLast) return result
      segment.sequence = plus(segment.sequence, payloadBytesMax)
      segment.payloadFrom = segment.payloadEnd
    }
  }

  /** Sends a packet of the client, `bytes[from, to)` in it, with numbers that the server knows. The connection's keys are loaded. */
  inject(connection: Connection, packet: ClientSegment, bytes: Buffer, from: number, to: number): number {
    this.prepare(connection, packet, bytes, from, to)
    return this.send()
  }

  /** Makes `segment` of it. */
  prepare(connection: Connection, packet: ClientSegment, bytes: Buffer, from: number, to: number): void {
    const { segment } = this
    this.#begin()
    segment.sequence = packet.sequence
    segment.acknowledgement = minus(packet.acknowledgement, connection.addSequence)
    segment.flags = packet.flags
    segment.window = packet.window
    segment.options.timestamps = packet.timestamps
    segment.options.tsVal = packet.tsVal
    // 0 where there is nothing to echo (RFC 7323 3.2).
    segment.options.tsEcr = packet.tsEcr === 0 ? 0 : minus(packet.tsEcr, connection.addTsVal)
    segment.payload = bytes
    segment.payloadFrom = from
    segment.payloadEnd = to
  }

  /**
   * RST with this sequence number: the server takes it when that is the next it expects (RFC 9293 3.10.7.4). Without timestamps, which a RST need not have (RFC 7323 3.2).
   * The keys are loaded.
   */
  reset(sequence: number): number {
    this.#begin()
    this.segment.sequence = sequence
    this.segment.acknowledgement = 0
    this.segment.flags = TcpFlag.rst
    this.segment.window = 0
    return this.send()
  }

  #begin(): void {
    const { keys, server } = this.#context
    setBare(this.segment)
    setEnds(this.segment, keys.client, keys.secondPort, server.address, server.port)
  }
}
