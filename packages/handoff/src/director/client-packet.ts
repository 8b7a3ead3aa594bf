/** A packet of a client, read where it lies. */
import { ipv4, newTcpOptions, newTcpPacket, readOptions, readTcpPacket, sequenceEndOf, TcpAt } from '../transform/index.ts'
import { ipv4Flow, ipv6Flow } from './flow.ts'
import type { Flow } from './flow.ts'

/** What a client's packet says. One object is used again and again. */
export class ClientPacket {
  readonly tcp = newTcpPacket()
  readonly options = newTcpOptions()
  /** The client's address and port. */
  flow: Flow = 0

  /** The Buffer it lies in. */
  bytes: Buffer = Buffer.alloc(0)

  get from(): number {
    return this.tcp.at
  }
  get end(): number {
    return this.tcp.end
  }
  get payloadFrom(): number {
    return this.tcp.payloadAt
  }
  get payloadBytes(): number {
    return this.tcp.end - this.tcp.payloadAt
  }
  get sequence(): number {
    return this.tcp.sequence
  }
  /** The sequence number after it: SYN and FIN count (RFC 9293 3.4). */
  get sequenceEnd(): number {
    return sequenceEndOf(this.tcp)
  }
  get acknowledgement(): number {
    return this.tcp.acknowledgement
  }
  /** `TcpFlag`. */
  get flags(): number {
    return this.tcp.flags
  }
  /** As it is in the header: not scaled. */
  get window(): number {
    return this.tcp.window
  }

  /** Reads the IP packet `bytes[from, end)`. False when it is none of TCP that we can read: then the rest means nothing. */
  read(bytes: Buffer, from: number, end: number): boolean {
    const { tcp } = this
    if (!readTcpPacket(bytes, from, end, tcp)) return false
    this.bytes = bytes
    readOptions(bytes, tcp.optionsAt, tcp.payloadAt, this.options)
    const port = bytes.readUInt16BE(tcp.tcpAt + TcpAt.sourcePort)
    const addressAt = from + tcp.family.addressesAt
    this.flow = tcp.family === ipv4 ? ipv4Flow(bytes, addressAt, port) : ipv6Flow(bytes, addressAt, port)
    return true
  }
}
