/**
 * System calls on a connected TCP socket's descriptor, for a thread that does not own the socket object.
 *
 * The connection manager owns each socket through libuv. It gives a worker node a duplicate of the descriptor, so that
 * the worker may write a response without a detour over the manager's event loop, and neither can hit a reused number.
 */
import { SocketAddress } from 'node:net'
import koffi from 'koffi'

const MSG_DONTWAIT = 0x40
const MSG_NOSIGNAL = 0x4000
const MSG_MORE = 0x8000
const IPPROTO_TCP = 6
const TCP_INFO = 11
const TIOCOUTQ = 0x5411
const SHUT_RDWR = 2
const AF_INET = 2
const AF_INET6 = 10
/** struct sockaddr_in6 (netinet/in.h); sockaddr_in is shorter. The port is at byte 2 of both, the address at 4 and at 8. */
const SOCKADDR_BYTES = 28
/** struct tcp_info (linux/tcp.h): tcpi_bytes_acked is the u64 at byte 120. */
const TCP_INFO_BYTES = 256
const BYTES_ACKED_AT = 120
/** tcpi_retransmits (u8), tcpi_last_ack_recv (u32, in ms). */
const RETRANSMITS_AT = 2
const LAST_ACK_RECEIVED_AT = 56

interface SocketCalls {
  send(fd: number, bytes: Uint8Array, length: number, flags: number): number
  dup(fd: number): number
  close(fd: number): number
  shutdown(fd: number, how: number): number
  getsockname(fd: number, address: Uint8Array, length: Uint8Array): number
  getsockopt(fd: number, level: number, name: number, value: Uint8Array, length: Uint8Array): number
  ioctl(fd: number, request: number, value: Uint8Array): number
}

function load(): SocketCalls | undefined {
  if (process.platform !== 'linux') return undefined
  const libc = koffi.load('libc.so.6')
  return {
    send: libc.func('int64 send(int fd, void *bytes, uint64 length, int flags)'),
    dup: libc.func('int dup(int fd)'),
    close: libc.func('int close(int fd)'),
    shutdown: libc.func('int shutdown(int fd, int how)'),
    getsockname: libc.func('int getsockname(int fd, void *address, void *length)'),
    getsockopt: libc.func('int getsockopt(int fd, int level, int name, void *value, void *length)'),
    // The prototype is variadic; with one pointer argument the plain form passes it the same way on x86-64 and arm64.
    ioctl: libc.func('int ioctl(int fd, unsigned long request, void *value)'),
  }
}

const calls = load()

/** Whether the functions below work here (Linux only). */
export const socketCallsAvailable: boolean = calls !== undefined

function need(): SocketCalls {
  if (calls === undefined) throw new Error('socket calls need Linux')
  return calls
}

/**
 * Sends what the socket takes at once, without waiting. Returns the number of bytes taken: 0 when its buffer is full, and also when the
 * connection is broken. The two are not told apart, as errno may be another by the time it is read; whoever waits for room learns of a
 * broken connection then.
 */
export function sendNow(fd: number, bytes: Uint8Array, lengthBytes: number): number {
  return Math.max(0, need().send(fd, bytes, lengthBytes, MSG_DONTWAIT | MSG_NOSIGNAL))
}

/** The same for what more follows soon: the kernel may wait for that before it makes a packet. */
export function sendMoreNow(fd: number, bytes: Uint8Array, lengthBytes: number): number {
  return Math.max(0, need().send(fd, bytes, lengthBytes, MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE))
}

/** A second descriptor of the same socket; -1 when there is none to be had. */
export function duplicateDescriptor(fd: number): number {
  return need().dup(fd)
}

/** close(2) of a duplicate: the socket itself stays open for those who hold another descriptor of it. */
export function closeDescriptor(fd: number): void {
  need().close(fd)
}

/** Ends both directions at once, whatever duplicates of the descriptor exist. */
export function shutdownSocket(fd: number): void {
  need().shutdown(fd, SHUT_RDWR)
}

/** Where a TCP socket is bound: `{ host: '127.0.0.1', port: 445 }`; undefined for what is no such socket. */
export function socketAddress(fd: number): { readonly host: string; readonly port: number } | undefined {
  const address = Buffer.alloc(SOCKADDR_BYTES)
  const length = Buffer.alloc(4)
  length.writeUInt32LE(SOCKADDR_BYTES)
  if (need().getsockname(fd, address, length) !== 0) return undefined
  const family = address.readUInt16LE(0)
  if (family !== AF_INET && family !== AF_INET6) return undefined
  const host = family === AF_INET ? address.subarray(4, 8).join('.') : ipv6Text(address.subarray(8, 24))
  return { host, port: address.readUInt16BE(2) }
}

/** In the one way to write it (RFC 5952): that is also how `net` writes it. */
function ipv6Text(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16))
  return new SocketAddress({ family: 'ipv6', address: groups.join(':') }).address
}

const info = Buffer.alloc(TCP_INFO_BYTES)
const infoLength = Buffer.alloc(4)
const queued = Buffer.alloc(4)

function bytesAcknowledged(fd: number): number {
  infoLength.writeUInt32LE(TCP_INFO_BYTES)
  if (need().getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, infoLength) !== 0) return -1
  return Number(info.readBigUInt64LE(BYTES_ACKED_AT))
}

/**
 * How many bytes have been written to a TCP socket since it was accepted: those acknowledged by the peer plus those in
 * the send queue. Returns -1 when the kernel does not tell (the connection is gone).
 */
export function bytesWritten(fd: number): number {
  for (let attempt = 0; attempt < 100; attempt++) {
    const before = bytesAcknowledged(fd)
    if (before < 0 || need().ioctl(fd, TIOCOUTQ, queued) !== 0) return -1
    const unacknowledged = queued.readInt32LE()
    if (bytesAcknowledged(fd) === before) return before + unacknowledged
  }
  return -1
}

/**
 * True when the peer has left what was sent unacknowledged for that long although it was sent again. A peer that is alive and only does not
 * read (its window is closed) answers the kernel's probes, and nothing is sent again: that is not silence.
 */
export function isUnresponsive(fd: number, silentMs: number): boolean {
  infoLength.writeUInt32LE(TCP_INFO_BYTES)
  if (need().getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, infoLength) !== 0) return false
  return info.readUInt8(RETRANSMITS_AT) > 0 && info.readUInt32LE(LAST_ACK_RECEIVED_AT) > silentMs
}
