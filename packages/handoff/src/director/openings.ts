/** Connections whose SYN the program has answered: what was agreed is in its map, and there is no socket. */
import { OpeningEntry, offsetsOf } from '../bpf/index.ts'
import type { OpeningMap } from '../bpf/index.ts'
import { ahead, plus, TcpFlag } from '../transform/index.ts'
import type { ClientPacket } from './client-packet.ts'
import { Connection } from './connection.ts'
import type { Flow, FlowKeys } from './flow.ts'

const at = offsetsOf(OpeningEntry)

/** Whether a packet can be the first of an opening: it acknowledges our SYN-ACK and nothing else, and is within the window (RFC 9293 3.10.7.4). */
function isFirstOf({ flags, acknowledgement, sequence }: ClientPacket, value: Buffer): boolean {
  if ((flags & (TcpFlag.ack | TcpFlag.rst)) !== TcpFlag.ack) return false
  if (acknowledgement !== plus(value.readUInt32LE(at.serverSequence), 1)) return false
  const offset = ahead(sequence, plus(value.readUInt32LE(at.clientSequence), 1))
  return offset >= 0 && offset <= value.readUInt32LE(at.receiveWindow)
}

/** The program's map. Where the kernel cannot answer SYNs, there is none in it. */
export class Openings {
  readonly #map: OpeningMap | undefined
  readonly #keys: FlowKeys
  readonly #value = Buffer.alloc(OpeningEntry.fixedSize)

  constructor(map: OpeningMap | undefined, keys: FlowKeys) {
    this.#map = map
    this.#keys = keys
  }

  /** The connection that a packet is the first of, which is ours from now on. `late`: it is of one before, from the same port, and was on its way when the client began this one. `none`: nobody has begun one. */
  take(packet: ClientPacket): Connection | 'late' | 'none' {
    const value = this.#value
    const key = this.#keys.of(packet.flow)
    if (this.#map === undefined || !this.#map.take(key, value)) return 'none'
    if (!isFirstOf(packet, value)) {
      this.#map.put(key, value)
      return 'late'
    }
    const connection = new Connection(packet.flow)
    connection.state = 'opened'
    connection.begin = connection.clientSequenceNext = plus(value.readUInt32LE(at.clientSequence), 1)
    connection.serverSequenceNext = plus(value.readUInt32LE(at.serverSequence), 1)
    connection.receiveWindow = value.readUInt32LE(at.receiveWindow)
    connection.mss = value.readUInt16LE(at.mss)
    connection.options = value[at.options]
    connection.clientScale = value[at.clientScale]
    connection.directorScale = value[at.directorScale]
    // The program's TSvals are our own clock.
    connection.setClock(0, 0)
    return connection
  }

  /** Whether a packet is the first of an opening, and not of `connection`, which has the same port: a late copy of its SYN may have left an opening too. */
  isFirstOfNext(packet: ClientPacket, { begin }: Connection): boolean {
    return this.isThere(packet.flow) && isFirstOf(packet, this.#value) && plus(this.#value.readUInt32LE(at.clientSequence), 1) !== begin
  }

  /** Whether the client has begun another connection from its port. */
  isThere(flow: Flow): boolean {
    return this.#map?.lookup(this.#keys.of(flow), this.#value) === true
  }
}
