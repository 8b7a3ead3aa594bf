/** Packets of a client that have come up while nobody had its connection: they wait, in order. */
import { TcpFlag } from '../transform/index.ts'
import type { ClientPacket } from './client-packet.ts'
import type { Connection } from './connection.ts'

/** Bytes kept for one connection. */
export const keptBytesMax = 65_536
/** Of IPv6 and TCP. */
const headersBytesMax = 40 + 60

/** Keeps a packet, which is copied. What is too much is dropped: the client repeats it. Of those that only acknowledge the last one says all. */
export function keep(connection: Connection, packet: ClientPacket): void {
  const length = packet.end - packet.from
  if (packet.payloadBytes === 0 && (packet.flags & (TcpFlag.fin | TcpFlag.rst | TcpFlag.syn)) === 0) {
    connection.keptAck ??= Buffer.allocUnsafe(headersBytesMax)
    connection.keptAckBytes = packet.bytes.copy(connection.keptAck, 0, packet.from, packet.end)
    return
  }
  if (connection.keptBytes + length > keptBytesMax) return
  connection.keptBytes += length
  const copy = Buffer.from(packet.bytes.subarray(packet.from, packet.end))
  if (connection.kept === undefined) connection.kept = [copy]
  else connection.kept.push(copy)
}

/** Takes out what is kept, and calls `send` with each packet, in order. */
export function takeKept(connection: Connection, send: (bytes: Buffer, from: number, end: number) => void): void {
  const { kept, keptAck, keptAckBytes } = connection
  connection.kept = connection.keptAck = undefined
  connection.keptBytes = 0
  if (kept !== undefined) for (const packet of kept) send(packet, 0, packet.length)
  // It is the newest: in front, its timestamp would make the others look old (RFC 7323 5.3).
  if (keptAck !== undefined) send(keptAck, 0, keptAckBytes)
}
