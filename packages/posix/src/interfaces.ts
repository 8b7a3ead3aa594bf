/** What the kernel says of network interfaces. */
import { allocate } from './addresses.ts'
import { bindCalls } from './libc.ts'
import { AF_INET, SOCK_CLOEXEC, SOCK_DGRAM } from './network-constants.ts'
import { errno } from './errors.ts'

const calls = bindCalls({
  socket: ['socket', 'int', 'int', 'int', 'int'],
  ioctl: ['ioctl', 'int', 'int', 'int64', 'int64'],
  close: ['close', 'int', 'int'],
})

const IFNAMSIZ = 16
const SIOCGIFMTU = 0x8921
const SIOCGIFHWADDR = 0x8927
const SIOCGIFINDEX = 0x8933
/** struct ifreq: the name, then what is asked. */
const request = allocate(40)

/** Fills `request`. Returns 0 or -errno. */
const ask = (name: string, code: number): number => {
  if (Buffer.byteLength(name) >= IFNAMSIZ) return -errno.ENODEV
  request.bytes.fill(0)
  request.bytes.write(name)
  const fd = calls.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)
  if (fd < 0) return fd
  const result = calls.ioctl(fd, code, request.address)
  calls.close(fd)
  return result
}

/** The number of an interface (if_nametoindex(3)), or -ENODEV. */
export const interfaceIndex = (name: string): number => {
  const result = ask(name, SIOCGIFINDEX)
  return result < 0 ? result : request.bytes.readInt32LE(IFNAMSIZ)
}

/** The greatest packet it takes, its link header not counted; or -ENODEV. */
export const interfaceMtu = (name: string): number => {
  const result = ask(name, SIOCGIFMTU)
  return result < 0 ? result : request.bytes.readInt32LE(IFNAMSIZ)
}

/** Its link type, `ARPHRD_ETHER` and others; or -ENODEV. */
export const interfaceType = (name: string): number => {
  const result = ask(name, SIOCGIFHWADDR)
  return result < 0 ? result : request.bytes.readUInt16LE(IFNAMSIZ)
}

/** Its link (MAC) address, 6 bytes; undefined when there is no such interface. */
export const interfaceLinkAddress = (name: string): Buffer | undefined =>
  ask(name, SIOCGIFHWADDR) < 0 ? undefined : Buffer.from(request.bytes.subarray(IFNAMSIZ + 2, IFNAMSIZ + 8))
