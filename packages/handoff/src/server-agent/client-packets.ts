/** What the server is told in clients' names once a connection is there: packets of clients, which come by messages or wrapped, and those that the agent makes itself. */

import { HandoffOptions } from '../protocol/messages.ts'
import type { Continue } from '../protocol/messages.ts'
import { newTcpOptions, readOptions } from '../transform/options.ts'
import { newTcpPacket, readTcpPacket, TcpFlag, writeKeyOf } from '../transform/packet.ts'
import { completeChecksum } from '../transform/segment.ts'
import { furthest, minus, plus } from '../transform/sequence.ts'
import type { Connection } from './connections.ts'
import type { AgentContext } from './context.ts'
import { keepMs } from './early-packets.ts'
import { directRequestBytesMax } from './handshake.ts'
import type { ClientSegment, Injector } from './injector.ts'
import { lifeCycle } from './life-cycle.ts'

/** How often a request is sent again. */
const requestRepeatsMax = 3

/** See above. */
export class ClientPackets {
  readonly #context: AgentContext
  readonly #injector: Injector
  readonly #packet = newTcpPacket()
  readonly #options = newTcpOptions()

  constructor(context: AgentContext, injector: Injector) {
    this.#context = context
    this.#injector = injector
  }

  /** A packet that a director has looked at: `bytes[from, to)` is its payload. */
  continue(connection: Connection, value: Continue, bytes: Buffer, from: number, to: number): void {
    const { sequence, acknowledgement, flags, window, tsVal, tsEcr } = value
    const packet = { sequence, acknowledgement, flags, window, timestamps: hasTimestamps(connection), tsVal, tsEcr }
    this.#context.counters.continued++
    this.#inject(connection, packet, bytes, from, to)
  }

  /** A packet `bytes[from, to)` that a director's program has wrapped, and ours has found no entry for. */
  wrapped(bytes: Buffer, from: number, to: number): void {
    const { connections, keys, counters } = this.#context
    const checksum = completeChecksum(bytes, from, to)
    if (checksum === 'none' || checksum === 'wrong' || !readTcpPacket(bytes, from, to, this.#packet)) {
      counters.unknown++
      return
    }
    writeKeyOf(bytes, this.#packet, keys.in)
    const connection = connections.atClient()
    const [action] = lifeCycle[connection?.state ?? 'gone'].packet
    if (connection !== undefined && action === 'inject') this.#injectWrapped(connection, bytes)
    else this.#keep(keys.clientName(), bytes, from, to)
  }

  /** Sends what came of a connection before it was ready. Its keys are loaded. */
  deliverEarly(connection: Connection): void {
    const { early, keys, counters } = this.#context
    if (early.isEmpty) return
    for (const packet of early.take(keys.clientName())) {
      if (!readTcpPacket(packet, 0, packet.length, this.#packet)) continue
      counters.kept++
      this.#injectWrapped(connection, packet)
    }
  }

  /**
   * Sends the request again when the server has not said anything since the handshake (RFC 6298 2.1: after a second): it is not the client who would. Where it
   * is to open the connection, it does so now.
   */
  repeatRequest(connection: Connection): void {
    const { requestBytes, requestAt, requestTsVal: tsVal, requestTsEcr: tsEcr, injectedFlags, serverSequenceNext, window } = connection
    const { requests, counters } = this.#context
    const request = requestAt < 0 ? undefined : requests.get(requestAt, requestBytes)
    if (request === undefined || connection.requestRepeats === requestRepeatsMax) return
    connection.requestRepeats++
    counters.requestsRepeated++
    const fin = injectedFlags & TcpFlag.fin
    const sequence = minus(connection.injectedEnd, requestBytes + fin)
    const flags = TcpFlag.ack | TcpFlag.psh | fin
    const packet = { sequence, acknowledgement: serverSequenceNext, flags, window, timestamps: hasTimestamps(connection), tsVal, tsEcr }
    this.#injector.prepare(connection, packet, request, 0, requestBytes)
    if (requestBytes <= directRequestBytesMax) this.#injector.open()
    else this.#injector.send()
  }

  /**
   * The client's FIN behind what it has sent. Without timestamps: which one was the last, nobody knows (RFC 7323 3.2 lets the server take it; Linux does).
   * The keys are loaded.
   */
  finish(connection: Connection, sequence: number, acknowledgement: number): void {
    const { window } = connection
    const fin = { sequence, acknowledgement, flags: TcpFlag.fin | TcpFlag.ack, window, timestamps: false, tsVal: 0, tsEcr: 0 }
    this.#inject(connection, fin, nothing, 0, 0)
  }

  /**
   * Ends the TIME-WAIT of a connection that is over, by the RST that does (RFC 1337; `sequence` is where the client's bytes end, its FIN included): nothing of the connection can come to the server any more, as its entries go
   * with it, and the next one of the same client and port has timestamps that tell it from this one (RFC 6191, RFC 7323 5). With TIME-WAIT, that one could not be opened by its request.
   */
  endTimeWait(connection: Connection, sequence: number): void {
    if (!hasTimestamps(connection)) return
    this.#context.keys.load(connection.slot)
    this.#injector.reset(sequence)
  }

  #inject(connection: Connection, packet: ClientSegment, bytes: Buffer, from: number, to: number): void {
    const { keys, machine } = this.#context
    keys.load(connection.slot)
    this.#injector.inject(connection, packet, bytes, from, to)
    if (to > from) connection.injected.note(plus(packet.sequence, to - from), bytes, from, to)
    connection.window = packet.window
    connection.injectedFlags |= packet.flags
    connection.injectedEnd = furthest(plus(packet.sequence, to - from + (packet.flags & TcpFlag.fin)), connection.injectedEnd)
    connection.injectedMs = machine.nowMs()
  }

  /** `#packet` of `bytes`. */
  #injectWrapped(connection: Connection, bytes: Buffer): void {
    const packet = this.#packet
    const { timestamps, tsVal, tsEcr } = readOptions(bytes, packet.optionsAt, packet.payloadAt, this.#options)
    const { sequence, acknowledgement, flags, window, payloadAt, end } = packet
    this.#inject(connection, { sequence, acknowledgement, flags, window, timestamps, tsVal, tsEcr }, bytes, payloadAt, end)
  }

  #keep(name: string, bytes: Buffer, from: number, to: number): void {
    const { early, machine, counters } = this.#context
    const isFirst = early.nextMs() === Infinity
    if (!early.keep(name, bytes, from, to, machine.nowMs())) counters.unknown++
    else if (isFirst) machine.after(keepMs, () => this.#expireEarly())
  }

  /**
   * What nobody wanted is dropped. RFC 9293 3.10.7.1 has a RST for it, but from who has the address: this agent cannot know that no other server has the connection by now,
   * and the client repeats what it needs.
   */
  #expireEarly(): void {
    const { early, machine, counters } = this.#context
    counters.unknown += early.expire(machine.nowMs())
    const next = early.nextMs()
    if (next !== Infinity) machine.after(Math.max(1, next - machine.nowMs()), () => this.#expireEarly())
  }
}

const nothing = Buffer.alloc(0)
const hasTimestamps = ({ options }: Connection): boolean => (options & HandoffOptions.timestamps) !== 0
