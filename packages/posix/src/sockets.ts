/** Sockets and event descriptors by number. Every call returns its result, or -errno. */
import { MSG_DONTWAIT, MSG_NOSIGNAL, O_CLOEXEC, O_NONBLOCK } from './constants.ts'
import { errno } from './errors.ts'
import { libc } from './libc.ts'

/** send(2) that neither blocks (-EAGAIN) nor raises SIGPIPE (-EPIPE): bytes sent, possibly fewer than given. */
export const send = (fd: number, source: Uint8Array, flags = 0): number => libc.send(fd, source, source.length, flags | MSG_DONTWAIT | MSG_NOSIGNAL)
/** recv(2) that does not block (-EAGAIN): bytes received, 0 when the peer has closed. */
export const receive = (fd: number, target: Uint8Array, flags = 0): number => libc.recv(fd, target, target.length, flags | MSG_DONTWAIT)

const one = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0])
const count = Buffer.alloc(8)

/** eventfd(2), non-blocking: a descriptor or -errno. */
export const eventfd = (): number => libc.eventfd(0, O_NONBLOCK | O_CLOEXEC)
/** Adds 1 to an eventfd's counter. */
export const eventfdSignal = (fd: number): number => libc.write(fd, one, 8)
/** Reads and clears an eventfd's counter: what it was, 0 for nothing, or -errno. */
export const eventfdDrain = (fd: number): number => {
  const result = libc.read(fd, count, 8)
  if (result === -errno.EAGAIN) return 0
  return result < 0 ? result : count.readUInt32LE(0) + count.readUInt32LE(4) * 0x1_0000_0000
}
