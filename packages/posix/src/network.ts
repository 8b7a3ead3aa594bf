/**
 * Sockets for a thread with a loop of its own (`@holdfast/posix/network`): plain system calls that never wait (`SOCK_NONBLOCK`), into memory of the caller, without an
 * allocation per call. All return their result, or -errno (`-EAGAIN`: nothing there, or no room).
 */
import { allocate, rangeAt } from './addresses.ts'
import { cString, bindCalls } from './libc.ts'
import { endpointBytes, type Endpoint } from './endpoint.ts'
import { IPPROTO_TCP, MSG_DONTWAIT, MSG_NOSIGNAL, MSG_PEEK, SOCK_CLOEXEC, SOCK_NONBLOCK, TCP_INFO, TCP_SAVED_SYN } from './network-constants.ts'

export * from './network-constants.ts'
export * from './endpoint.ts'
export * from './datagrams.ts'
export * from './epoll.ts'
export * from './interfaces.ts'
export * from './namespaces.ts'
export { addressAt } from './addresses.ts'

const calls = bindCalls({
  socket: ['socket', 'int', 'int', 'int', 'int'],
  bind: ['bind', 'int', 'int', 'int64', 'int'],
  listen: ['listen', 'int', 'int', 'int'],
  connect: ['connect', 'int', 'int', 'int64', 'int'],
  accept4: ['accept4', 'int', 'int', 'int64', 'int64', 'int'],
  shutdown: ['shutdown', 'int', 'int', 'int'],
  close: ['close', 'int', 'int'],
  send: ['send', 'int64', 'int', 'int64', 'int64', 'int'],
  recv: ['recv', 'int64', 'int', 'int64', 'int64', 'int'],
  sendto: ['sendto', 'int64', 'int', 'int64', 'int64', 'int', 'int64', 'int'],
  recvfrom: ['recvfrom', 'int64', 'int', 'int64', 'int64', 'int', 'int64', 'int64'],
  getsockname: ['getsockname', 'int', 'int', 'int64', 'int64'],
  getpeername: ['getpeername', 'int', 'int', 'int64', 'int64'],
  getsockopt: ['getsockopt', 'int', 'int', 'int', 'int', 'int64', 'int64'],
  setsockopt: ['setsockopt', 'int', 'int', 'int', 'int', 'int64', 'int'],
})

/** socklen_t and an int, for calls that give something back. */
const scratch = allocate(16)
const { words } = scratch
const lengthAddress = scratch.address
const valueAddress = scratch.address + 8

/** socket(2), with `SOCK_NONBLOCK` and `SOCK_CLOEXEC`. */
export const openSocket = (family: number, type: number, protocol = 0): number => calls.socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol)

/** bind(2). */
export const bind = (fd: number, endpoint: Endpoint): number => calls.bind(fd, endpoint.address, endpoint.length)

/** listen(2). */
export const listen = (fd: number, backlog: number): number => calls.listen(fd, backlog)

/** connect(2). -EINPROGRESS: it is on its way (TCP). */
export const connect = (fd: number, endpoint: Endpoint): number => calls.connect(fd, endpoint.address, endpoint.length)

/**
 * accept4(2) of a connection that does not wait either; `peer` is filled. Returns the new descriptor. To be told -EAGAIN costs ten times as much as `acceptable` does: the kernel
 * makes the socket before it looks.
 */
export const accept = (fd: number, peer: Endpoint): number => {
  words[0] = endpointBytes
  return calls.accept4(fd, peer.address, lengthAddress, SOCK_NONBLOCK | SOCK_CLOEXEC)
}

/** struct tcp_info, up to tcpi_unacked: of a listener, the connections that wait to be accepted. */
const tcpInfo = allocate(28)
const unackedWord = 6

/** How many connections wait to be accepted; or -errno. */
export const acceptable = (fd: number): number => {
  words[0] = 28
  const result = calls.getsockopt(fd, IPPROTO_TCP, TCP_INFO, tcpInfo.address, lengthAddress)
  return result < 0 ? result : tcpInfo.words[unackedWord]
}

/** getsockname(2): where the socket is bound. */
export const localEndpoint = (fd: number, into: Endpoint): number => {
  words[0] = endpointBytes
  return calls.getsockname(fd, into.address, lengthAddress)
}

/** getpeername(2): what it is connected to. */
export const peerEndpoint = (fd: number, into: Endpoint): number => {
  words[0] = endpointBytes
  return calls.getpeername(fd, into.address, lengthAddress)
}

/** shutdown(2). */
export const shutdown = (fd: number, how: number): number => calls.shutdown(fd, how)

/** close(2). */
export const close = (fd: number): number => calls.close(fd)

/** send(2) of `length` bytes at `offset`. Returns how many were taken. */
export const send = (fd: number, bytes: Uint8Array, offset: number, length: number, flags = 0): number =>
  calls.send(fd, rangeAt(bytes, offset, length), length, flags | MSG_DONTWAIT | MSG_NOSIGNAL)

/** sendto(2). */
export const sendTo = (fd: number, bytes: Uint8Array, offset: number, length: number, endpoint: Endpoint, flags = 0): number =>
  calls.sendto(fd, rangeAt(bytes, offset, length), length, flags | MSG_DONTWAIT | MSG_NOSIGNAL, endpoint.address, endpoint.length)

/** recv(2) of up to `length` bytes to `offset`. 0: the peer has ended its side. */
export const receive = (fd: number, bytes: Uint8Array, offset: number, length: number, flags = 0): number =>
  calls.recv(fd, rangeAt(bytes, offset, length), length, flags | MSG_DONTWAIT)

/** recv(2) that leaves the bytes where they are (in repair mode: of the queue that is chosen). */
export const peek = (fd: number, bytes: Uint8Array, offset: number, length: number): number => receive(fd, bytes, offset, length, MSG_PEEK)

/** recvfrom(2); `source` is filled. */
export const receiveFrom = (fd: number, bytes: Uint8Array, offset: number, length: number, source: Endpoint, flags = 0): number => {
  words[0] = endpointBytes
  return calls.recvfrom(fd, rangeAt(bytes, offset, length), length, flags | MSG_DONTWAIT, source.address, lengthAddress)
}

/** setsockopt(2) of an int (or an unsigned one: a sequence number). */
export const setOption = (fd: number, level: number, name: number, value: number): number => {
  words[2] = value
  return calls.setsockopt(fd, level, name, valueAddress, 4)
}

/** setsockopt(2) of a structure or a text. */
export const setOptionBytes = (fd: number, level: number, name: number, value: Uint8Array, offset = 0, length = value.length - offset): number =>
  calls.setsockopt(fd, level, name, rangeAt(value, offset, length), length)

/** getsockopt(2) of an int, as an unsigned number (0 to 2^32-1). */
export const getOption = (fd: number, level: number, name: number): number => {
  words[0] = 4
  const result = calls.getsockopt(fd, level, name, valueAddress, lengthAddress)
  return result < 0 ? result : words[2]
}

/** getsockopt(2) of a structure, to `offset`. Returns its length. */
export const getOptionBytes = (fd: number, level: number, name: number, into: Uint8Array, offset = 0, length = into.length - offset): number => {
  words[0] = length
  const result = calls.getsockopt(fd, level, name, rangeAt(into, offset, length), lengthAddress)
  return result < 0 ? result : words[0]
}

/** The client's SYN, from its IP header on (`TCP_SAVE_SYN` on the listener). It can be asked for once. Returns its length. */
export const savedSyn = (fd: number, into: Uint8Array, offset = 0): number => getOptionBytes(fd, IPPROTO_TCP, TCP_SAVED_SYN, into, offset)

/** `SO_BINDTODEVICE` wants the name as C has it. */
export const interfaceName = (name: string): Buffer => cString(name)
