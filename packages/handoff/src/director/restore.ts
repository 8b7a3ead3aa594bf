/** Puts a connection that nobody has any more into our own stack, as checkpoints do (TCP_REPAIR): its request lies in the socket, as if it had just come. */
import {
  AF_INET,
  AF_INET6,
  bind,
  close,
  connect,
  Endpoint,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPPROTO_TCP,
  IP_FREEBIND,
  IPV6_FREEBIND,
  openSocket,
  send,
  setOption,
  setOptionBytes,
  SO_REUSEADDR,
  SOCK_STREAM,
  SOL_SOCKET,
  TCP_QUEUE_SEQ,
  TCP_RECV_QUEUE,
  TCP_REPAIR,
  TCP_REPAIR_OFF,
  TCP_REPAIR_ON,
  TCP_REPAIR_OPTIONS,
  TCP_REPAIR_QUEUE,
  TCP_REPAIR_WINDOW,
  TCP_SEND_QUEUE,
  TCP_TIMESTAMP,
} from '@holdfast/posix/network'
import { HandoffOptions } from '../protocol/index.ts'
import { minus, plus } from '../transform/index.ts'
import type { Connection } from './connection.ts'
import type { Core, Vip } from './core.ts'
import { assign } from './core.ts'
import { portOf, writeClient } from './flow.ts'
import { discardGathered } from './gathered.ts'
import { giveToProxy } from './hand-over.ts'
import { sendRelease } from './handoff-message.ts'
import { takeKept } from './kept.ts'
import { endReading } from './opened.ts'
import { reset } from './reset.ts'

/** struct tcp_repair_opt (linux/tcp.h): the option's number, and its value. */
const optionBytes = 8
const TCPOPT_MAXSEG = 2
const TCPOPT_WINDOW = 3
const TCPOPT_SACK_PERM = 4
const TCPOPT_TIMESTAMP = 8

/** The options of a connection as TCP_REPAIR_OPTIONS wants them. */
export function repairOptions({ options, mss, clientScale, directorScale }: Connection): Buffer {
  const all: [number, number][] = [[TCPOPT_MAXSEG, mss]]
  if ((options & HandoffOptions.windowScale) !== 0) all.push([TCPOPT_WINDOW, clientScale | (directorScale << 16)])
  if ((options & HandoffOptions.sack) !== 0) all.push([TCPOPT_SACK_PERM, 0])
  if ((options & HandoffOptions.timestamps) !== 0) all.push([TCPOPT_TIMESTAMP, 0])
  const bytes = Buffer.alloc(all.length * optionBytes)
  all.forEach(([number, value], index) => {
    bytes.writeUInt32LE(number, index * optionBytes)
    bytes.writeUInt32LE(value, index * optionBytes + 4)
  })
  return bytes
}

/** struct tcp_repair_window (linux/tcp.h): snd_wl1, snd_wnd, max_window, rcv_wnd, rcv_wup. */
export function repairWindow(connection: Connection, receiveNext: number): Buffer {
  const bytes = Buffer.alloc(20)
  const window = [receiveNext, connection.sendWindow, connection.sendWindow, connection.receiveWindow, receiveNext]
  window.forEach((value, index) => bytes.writeUInt32LE(value, index * 4))
  return bytes
}

/** Nobody takes the connection: our own stack has it again, with the request in its socket, and the main thread carries it. */
export function restoreAndProxy(core: Core, connection: Connection): void {
  const { agent, gathered } = connection
  if (agent !== undefined) sendRelease(connection, agent, connection.serverSequenceNext, 'reset')
  assign(connection, undefined)
  endReading(core, connection)
  const receiveNext = plus(gathered?.sequence ?? 0, gathered?.length ?? 0)
  const fd = gathered === undefined ? -1 : restore(core.vip, connection, gathered.bytes, gathered.length, receiveNext)
  if (fd < 0) {
    core.notice(`a connection could not be taken back (error ${-fd}), and was reset`)
    connection.state = 'gone'
    return reset(core, connection)
  }
  core.counters.restored++
  discardGathered(connection)
  connection.edited = undefined
  core.entries.remove(connection)
  takeKept(connection, core.inject)
  connection.fd = fd
  giveToProxy(core, connection)
}

/**
 * Makes a socket that has the connection's state, with `bytes[0, length)` received and not read yet: they end at `receiveNext`. Returns its descriptor, or -errno. Packets of
 * the client must not get to the stack before.
 */
export function restore(vip: Vip, connection: Connection, bytes: Buffer, length: number, receiveNext: number): number {
  const fd = openSocket(vip.isIpv4 ? AF_INET : AF_INET6, SOCK_STREAM)
  if (fd < 0) return fd
  const failed = fill(fd, vip, connection, bytes, length, receiveNext)
  if (failed === 0) return fd
  close(fd)
  return failed
}

/** 0, or -errno of what did not work. The order is that of CRIU's libsoccr: sequence numbers before the connection, options after it. */
function fill(fd: number, vip: Vip, connection: Connection, bytes: Buffer, length: number, receiveNext: number): number {
  const option = (name: number, value: number): number => setOption(fd, IPPROTO_TCP, name, value)
  const client = Buffer.alloc(16)
  writeClient(connection.flow, client)
  const options = repairOptions(connection)
  const steps: readonly (() => number)[] = [
    () => setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1),
    () => (vip.isIpv4 ? setOption(fd, IPPROTO_IP, IP_FREEBIND, 1) : setOption(fd, IPPROTO_IPV6, IPV6_FREEBIND, 1)),
    () => option(TCP_REPAIR, TCP_REPAIR_ON),
    () => bind(fd, Endpoint.ofMapped(vip.address, vip.port)),
    () => option(TCP_REPAIR_QUEUE, TCP_RECV_QUEUE),
    () => option(TCP_QUEUE_SEQ, minus(receiveNext, length)),
    () => option(TCP_REPAIR_QUEUE, TCP_SEND_QUEUE),
    () => option(TCP_QUEUE_SEQ, connection.serverSequenceNext),
    () => connect(fd, Endpoint.ofMapped(client, portOf(connection.flow))),
    () => setOptionBytes(fd, IPPROTO_TCP, TCP_REPAIR_OPTIONS, options),
    () => ((connection.options & HandoffOptions.timestamps) === 0 ? 0 : option(TCP_TIMESTAMP, evenAfter(connection.tsDirector))),
    () => option(TCP_REPAIR_QUEUE, TCP_RECV_QUEUE),
    () => receive(fd, bytes, length),
    () => setOptionBytes(fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, repairWindow(connection, receiveNext)),
    // With a probe of the window: the client hears that its request has come.
    () => option(TCP_REPAIR, TCP_REPAIR_OFF),
    () => setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1),
  ]
  for (const step of steps) {
    const result = step()
    if (result < 0) return result
  }
  return 0
}

/** The last bit of a TCP_TIMESTAMP has a meaning of its own (ticks of 1 µs): a TSval without it that is not before this one. */
const evenAfter = (tsVal: number): number => (tsVal + (tsVal & 1)) >>> 0

/** Bytes sent in repair mode to the queue of what was received are received. */
function receive(fd: number, bytes: Buffer, length: number): number {
  for (let at = 0; at < length;) {
    const count = send(fd, bytes, at, length - at)
    if (count <= 0) return count
    at += count
  }
  return 0
}
