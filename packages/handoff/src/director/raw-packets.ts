/** Packets that no socket of ours would send: to clients in the VIP's name, and of clients to our own stack. */
import { orThrow } from '@holdfast/posix'
import { AF_INET, AF_INET6, close, Endpoint, IPPROTO_RAW, openSocket, SOCK_RAW, sendTo } from '@holdfast/posix/network'
import { newSegment, segmentHeaderBytesMax, setBare, setEnds, TcpFlag, writeSegment } from '../transform/index.ts'
import type { Connection } from './connection.ts'
import type { Vip } from './core.ts'
import { portOf, writeClient } from './flow.ts'
import type { Flow } from './flow.ts'

/** A raw socket, with a packet that is written again and again. */
export class RawPackets implements Disposable {
  readonly #fd: number
  readonly #vip: Vip
  readonly #stack: Endpoint
  readonly #to = new Endpoint()
  readonly #client = Buffer.alloc(16)
  readonly #segment = newSegment()
  readonly #packet = Buffer.alloc(segmentHeaderBytesMax)

  /** Throws `PosixError` (EPERM without CAP_NET_RAW). */
  constructor(vip: Vip) {
    this.#vip = vip
    this.#fd = orThrow(openSocket(vip.isIpv4 ? AF_INET : AF_INET6, SOCK_RAW, IPPROTO_RAW), 'raw socket')
    // The kernel takes a port for a protocol here, and wants none (raw(7)).
    this.#stack = Endpoint.ofMapped(vip.address, 0)
  }

  /** A client's packet `bytes[from, end)` into our own stack, by loopback. */
  inject(bytes: Buffer, from: number, end: number): void {
    sendTo(this.#fd, bytes, from, end - from, this.#stack)
  }

  /** Tells the client that the connection is lost (RFC 9293 3.5.2). `sequence` has to be what the client expects next (RFC 5961 3.2). */
  reset(flow: Flow, sequence: number, acknowledgement: number): void {
    const segment = this.#begin(flow)
    segment.sequence = sequence
    segment.acknowledgement = acknowledgement
    segment.flags = TcpFlag.rst | TcpFlag.ack
    segment.window = 0
    this.#send(segment)
  }

  /** Acknowledges what has come of a request's head, so that the rest comes. */
  acknowledge(connection: Connection, acknowledgement: number, sequence: number, tsVal: number, tsEcr: number): void {
    this.#say(connection, TcpFlag.ack, acknowledgement, sequence, tsVal, tsEcr)
  }

  #say(connection: Connection, flags: number, acknowledgement: number, sequence: number, tsVal: number, tsEcr: number): void {
    const segment = this.#begin(connection.flow)
    segment.sequence = sequence
    segment.acknowledgement = acknowledgement
    segment.flags = flags
    segment.window = Math.min(0xffff, connection.receiveWindow >>> connection.directorScale)
    segment.options.timestamps = (connection.options & 1) !== 0
    segment.options.tsVal = tsVal
    segment.options.tsEcr = tsEcr
    this.#send(segment)
  }

  /** Ends a connection that has no more from either side: our FIN, and what the client has ended with acknowledged. */
  finish(connection: Connection, acknowledgement: number, sequence: number, tsVal: number, tsEcr: number): void {
    this.#say(connection, TcpFlag.fin | TcpFlag.ack, acknowledgement, sequence, tsVal, tsEcr)
  }

  [Symbol.dispose](): void {
    close(this.#fd)
  }

  #begin(flow: Flow): ReturnType<typeof newSegment> {
    const segment = this.#segment
    writeClient(flow, this.#client)
    setEnds(segment, this.#vip.address, this.#vip.port, this.#client, portOf(flow))
    setBare(segment)
    return segment
  }

  #send(segment: ReturnType<typeof newSegment>): void {
    const length = writeSegment(segment, this.#packet)
    sendTo(this.#fd, this.#packet, 0, length, this.#to.setMapped(this.#client, 0))
  }
}
