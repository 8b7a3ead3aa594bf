/**
 * The state of a connection of our own stack, by TCP_REPAIR: read, given up without a word, taken up again, or made anew. The connection has been diverted before: no packet of the client gets
 * to its socket but those that were on their way.
 */
import {
  getOption,
  getOptionBytes,
  IPPROTO_TCP,
  savedSyn,
  setOption,
  SO_REUSEADDR,
  SOL_SOCKET,
  TCP_INFO,
  TCP_QUEUE_SEQ,
  TCP_RECV_QUEUE,
  TCP_REPAIR,
  TCP_REPAIR_OFF_NO_WP,
  TCP_REPAIR_ON,
  TCP_REPAIR_QUEUE,
  TCP_REPAIR_WINDOW,
  TCP_SEND_QUEUE,
  TCP_TIMESTAMP,
} from '@holdfast/posix/network'
import { HandoffOptions } from '../protocol/index.ts'
import { minus, newTcpOptions, plus, readOptions, TcpAt, tcpHeaderBytesMin } from '../transform/index.ts'
import type { Connection } from './connection.ts'

/** States of a socket (include/net/tcp_states.h): TCP_ESTABLISHED, TCP_CLOSE_WAIT. */
const isOpen = (info: Buffer): boolean => info[0] === 1 || info[0] === 8

/** struct tcp_info (linux/tcp.h), which begins with the state: TCPI_OPT_…, and both window scales in a byte, that of the client in its lower half on x86-64 and arm64. */
const infoBytes = 8
const stateAt = 0
/** States in which the client is still there (include/net/tcp_states.h): with CLOSE_WAIT its FIN has come. */
const tcpEstablished = 1
const tcpCloseWait = 8
const optionsAt = 5
const scalesAt = 6
/** struct tcp_repair_window (linux/tcp.h). */
const windowBytes = 20
const sendWindowAt = 4
const receiveWindowAt = 12
const windowUpdateAt = 16

/** An MSS that was not said (RFC 9293 3.7.1). */
const mssDefaults = { ipv4: 536, ipv6: 1220 } as const

const info = Buffer.alloc(infoBytes)
const repairWindow = Buffer.alloc(windowBytes)
const syn = Buffer.alloc(256)
const synOptions = newTcpOptions()

/** What a client's SYN says, as the kernel has saved it: from the IP header on. */
export interface Syn {
  readonly sequence: number
  readonly mss: number
  readonly tsVal: number
}

/** Reads a saved SYN; undefined when there is none (the kernel answered with a SYN cookie), or none that we understand. */
export function readSyn(bytes: Buffer, lengthBytes: number): Syn | undefined {
  const isIpv4 = bytes[0] >>> 4 === 4
  const tcpAt = isIpv4 ? (bytes[0] & 15) * 4 : 40
  if (lengthBytes < tcpAt + tcpHeaderBytesMin) return undefined
  const end = Math.min(lengthBytes, tcpAt + (bytes[tcpAt + TcpAt.dataOffset] >>> 4) * 4)
  const options = readOptions(bytes, tcpAt + tcpHeaderBytesMin, end, synOptions)
  const mss = options.mss === 0 ? mssDefaults[isIpv4 ? 'ipv4' : 'ipv6'] : options.mss
  return { sequence: bytes.readUInt32BE(tcpAt + TcpAt.sequence), mss, tsVal: options.tsVal }
}

/** Writes into a connection what was agreed when it began: `info` is the first bytes of struct tcp_info. */
export function takeAgreed(connection: Connection, info: Buffer, { sequence, mss, tsVal }: Syn): void {
  connection.options = info[optionsAt] & (HandoffOptions.timestamps | HandoffOptions.sack | HandoffOptions.windowScale)
  connection.clientScale = info[scalesAt] & 15
  connection.directorScale = info[scalesAt] >>> 4
  connection.mss = mss
  connection.tsClient = tsVal
  connection.begin = plus(sequence, 1)
}

/**
 * Reads what was agreed when the connection began. `unknown`: the kernel does not know, as it has answered with a SYN cookie. `gone`: the client has reset the connection. It can be asked
 * once.
 */
export function readAgreed(connection: Connection): 'known' | 'unknown' | 'gone' {
  const { fd } = connection
  if (getOptionBytes(fd, IPPROTO_TCP, TCP_INFO, info) < infoBytes || !isOpen(info)) return 'gone'
  const synBytes = savedSyn(fd, syn)
  const saved = synBytes > 0 ? readSyn(syn, synBytes) : undefined
  if (saved === undefined) return 'unknown'
  takeAgreed(connection, info, saved)
  return 'known'
}

/** Writes windows into a connection: `window` is struct tcp_repair_window (RFC 9293 3.3.1: SND.WND; RCV.WND from RCV.NXT on). */
export function takeWindows(connection: Connection, window: Buffer): void {
  connection.sendWindow = window.readUInt32LE(sendWindowAt)
  const edge = plus(window.readUInt32LE(windowUpdateAt), window.readUInt32LE(receiveWindowAt))
  connection.receiveWindow = Math.max(0, minus(edge, connection.clientSequenceNext) | 0)
}

/**
 * Freezes a connection and writes its state into it. Returns how far it has received beyond its beginning: bytes, and a FIN; -1 when it can't be frozen. The queue of what was
 * received is chosen afterwards: `peek` reads it, and `receivedNext` asks how far it goes.
 */
export function freeze(connection: Connection, nowMs: number): number {
  const { fd } = connection
  if (setOption(fd, IPPROTO_TCP, TCP_REPAIR, TCP_REPAIR_ON) !== 0 || !isAlive(fd)) return -1
  setOption(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, TCP_SEND_QUEUE)
  connection.serverSequenceNext = getOption(fd, IPPROTO_TCP, TCP_QUEUE_SEQ)
  connection.tsDirector = (connection.options & HandoffOptions.timestamps) === 0 ? 0 : timestampOf(fd)
  connection.setClock(nowMs, connection.tsDirector)
  setOption(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, TCP_RECV_QUEUE)
  connection.clientSequenceNext = receivedNext(fd)
  if (getOptionBytes(fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, repairWindow) < windowBytes) return -1
  takeWindows(connection, repairWindow)
  return minus(connection.clientSequenceNext, connection.begin)
}

/** The TSval that would be sent now. The kernel leaves its last bit out, for a purpose of its own; no TSval may be before one that was sent. */
const timestampOf = (fd: number): number => (getOption(fd, IPPROTO_TCP, TCP_TIMESTAMP) | 1) >>> 0

/** Whether the client has not reset the connection: nobody else is to have it then. */
export function isAlive(fd: number): boolean {
  if (getOptionBytes(fd, IPPROTO_TCP, TCP_INFO, info) < infoBytes) return false
  return info[stateAt] === tcpEstablished || info[stateAt] === tcpCloseWait
}

/** RCV.NXT of a frozen connection. */
export function receivedNext(fd: number): number {
  return getOption(fd, IPPROTO_TCP, TCP_QUEUE_SEQ)
}

/** As if nothing had been. */
export function thaw(fd: number): void {
  setOption(fd, IPPROTO_TCP, TCP_REPAIR, TCP_REPAIR_OFF_NO_WP)
  // The end of repair mode has taken this away, and the next start could not bind for as long as the connection is there.
  setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1)
}
