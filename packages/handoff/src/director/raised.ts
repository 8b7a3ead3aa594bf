/** Packets that the program has passed up: wrapped in UDP, at a port of the VIP that nobody outside can reach. */
import { orThrow } from '@holdfast/posix'
import {
  AF_INET,
  AF_INET6,
  bind,
  close,
  DatagramBatch,
  Endpoint,
  interfaceName,
  IPPROTO_UDP,
  openSocket,
  setOption,
  setOptionBytes,
  SO_BINDTODEVICE,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SOCK_DGRAM,
  SOL_SOCKET,
  UDP_NO_CHECK6_RX,
} from '@holdfast/posix/network'
import { completeChecksum, TcpFlag } from '../transform/index.ts'
import type { ClientPacket } from './client-packet.ts'
import type { Connection } from './connection.ts'
import type { Core } from './core.ts'
import { fire } from './core.ts'
import { takeFollowing } from './following.ts'
import { takeFirst } from './opened.ts'
import { sendPacket } from './handoff-message.ts'
import { keep } from './kept.ts'
import { takeWhileFinishing, takeWhileReleasing } from './release.ts'

/** Receive offload joins packets of a client: what comes up has up to 64 KiB. */
const batch = { slots: 64, slotBytes: 65_536 } as const
const batchesPerTurn = 4
const receiveBufferBytes = 8 << 20

/** What a packet does to a connection in a state. */
type Take = (core: Core, connection: Connection) => void

const passOn: Take = ({ packet }, connection) => {
  if (connection.agent !== undefined) sendPacket(connection, connection.agent, packet)
}

const wait: Take = ({ packet }, connection) => keep(connection, packet)

const takeOwned: Take = (core, connection) => {
  if ((core.packet.flags & TcpFlag.rst) !== 0) fire(core, connection, 'aborted')
  else takeFollowing(core, connection, core.packet)
}

const takeReleasing: Take = (core, connection) => {
  if ((core.packet.flags & TcpFlag.rst) !== 0) fire(core, connection, 'aborted')
  else takeWhileReleasing(core, connection, core.packet)
}

const takeFinishing: Take = ({ packet }, connection) => takeWhileFinishing(connection, packet)

const inject: Take = ({ raw, packet }) => raw.inject(packet.bytes, packet.from, packet.end)

const takes: Readonly<Record<Connection['state'], Take>> = {
  reading: inject,
  opened: (core, connection) => takeFirst(core, connection, core.packet),
  holding: wait,
  handed: takeOwned,
  forwarded: passOn,
  gathering: takeOwned,
  releasing: takeReleasing,
  finishing: takeFinishing,
  'handing-again': wait,
  proxied: inject,
  gone: () => {},
}

/** A packet of a client `bytes[from, end)`, which is whole and right. */
export function takePacket(core: Core, bytes: Buffer, from: number, end: number): void {
  const { packet } = core
  if (!packet.read(bytes, from, end)) return
  const connection = core.connections.byFlow.get(packet.flow)
  if (connection === undefined || isOfNext(core, connection)) core.unknown(packet)
  else if (connection.hasEntry && isSyn(packet)) challenge(core, connection, packet)
  else takes[connection.state](core, connection)
}

/** Whether the packet is of another connection, which the client has begun from the same port and the program has opened: then the one before is over. */
function isOfNext(core: Core, connection: Connection): boolean {
  const { packet, entries, openings } = core
  if (packet.sequence === connection.nextRequest) return false
  if (!entries.isReplaced(connection) && !openings.isFirstOfNext(packet, connection)) return false
  return fire(core, connection, 'replaced')
}

const isSyn = ({ flags }: ClientPacket): boolean => (flags & (TcpFlag.syn | TcpFlag.ack)) === TcpFlag.syn

/** A SYN where a connection goes on, as far as anybody knows: a client that has forgotten it resets it, and begins anew (RFC 9293 3.10.7.4, RFC 5961 4). */
function challenge({ raw, loop }: Core, connection: Connection, { options }: ClientPacket): void {
  const { clientSequenceNext, serverSequenceNext } = connection
  raw.acknowledge(connection, clientSequenceNext, serverSequenceNext, connection.timestampAt(loop.now(), options.tsEcr), options.tsVal)
}

/** The socket by which packets come up. */
export class RaisedPackets implements Disposable {
  readonly #core: Core
  readonly #fd: number
  readonly #batch = new DatagramBatch(batch)

  /** Throws `PosixError` (EADDRINUSE, ENODEV). */
  constructor(core: Core, port: number, interfaceNamed: string) {
    this.#core = core
    const { vip, loop } = core
    const fd = orThrow(openSocket(vip.isIpv4 ? AF_INET : AF_INET6, SOCK_DGRAM), 'socket')
    this.#fd = fd
    try {
      // Nobody on this machine can say by loopback what a client has not said.
      orThrow(setOptionBytes(fd, SOL_SOCKET, SO_BINDTODEVICE, interfaceName(interfaceNamed)), `bind to ${interfaceNamed}`)
      if (!vip.isIpv4) orThrow(setOption(fd, IPPROTO_UDP, UDP_NO_CHECK6_RX, 1), 'UDP_NO_CHECK6_RX')
      if (setOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, receiveBufferBytes) < 0) setOption(fd, SOL_SOCKET, SO_RCVBUF, receiveBufferBytes)
      orThrow(bind(fd, Endpoint.ofMapped(vip.address, port)), `bind ${vip.host}:${port} (UDP)`)
    } catch (error) {
      close(fd)
      throw error
    }
    // Before the answers of agents: what has come up when a connection has been taken by its owner goes there before what the program sends from then on.
    loop.watchFirst(fd, () => this.#receive())
  }

  [Symbol.dispose](): void {
    this.#core.loop.unwatch(this.#fd)
    close(this.#fd)
  }

  #receive(): void {
    for (let round = 0; round < batchesPerTurn; round++) {
      const count = this.#batch.receive(this.#fd)
      for (let slot = 0; slot < count; slot++) this.#take(slot)
      if (count < batch.slots) return
    }
  }

  #take(slot: number): void {
    const bytes = this.#batch.bytes(slot)
    const length = this.#batch.length(slot)
    // Senders on this machine leave checksums to a device that there is none of.
    const state = completeChecksum(bytes, 0, length)
    if (state === 'right' || state === 'completed') takePacket(this.#core, bytes, 0, length)
  }
}
