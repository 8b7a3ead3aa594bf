/** Addresses of IPv4 and IPv6 in 16 bytes, and with a port as the kernel has them (struct sockaddr_in, sockaddr_in6). */
import { isIPv4, isIPv6 } from 'node:net'
import { addressAt } from './addresses.ts'
import { PosixError, errno } from './errors.ts'
import { AF_INET, AF_INET6 } from './network-constants.ts'

/** Bytes of an address in either family: IPv4 is written as IPv4-mapped (RFC 4291 2.5.5.2). */
export const addressBytes = 16

const isMapped = (bytes: Uint8Array, at: number): boolean => {
  for (let i = 0; i < 10; i++) if (bytes[at + i] !== 0) return false
  return bytes[at + 10] === 0xff && bytes[at + 11] === 0xff
}

/** Whether the 16 bytes are an IPv4-mapped address. */
export const isIpv4Mapped = (address: Uint8Array, at = 0): boolean => isMapped(address, at)

const groupsOf = (text: string): number[] => (text === '' ? [] : text.split(':').map(group => parseInt(group, 16)))

/** 16 bytes of an address in text, of either family (RFC 4291 2.2). Throws `PosixError` (EINVAL) for what is none. */
export const parseAddress = (text: string): Buffer => {
  const bytes = Buffer.alloc(addressBytes)
  if (isIPv4(text)) {
    bytes.fill(0xff, 10, 12)
    bytes.set(text.split('.').map(Number), 12)
    return bytes
  }
  if (!isIPv6(text)) throw new PosixError(errno.EINVAL, `address ${text}`)
  // What an IPv6 address ends with may be an IPv4 one; a zone is no part of the address.
  const plain = text.replace(/%.*$/, '').replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...parts: string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = parts.slice(0, 4).map(Number)
    return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
  })
  const [head = '', tail] = plain.split('::')
  const first = groupsOf(head)
  const last = tail === undefined ? [] : groupsOf(tail)
  first.forEach((group, index) => bytes.writeUInt16BE(group, index * 2))
  last.forEach((group, index) => bytes.writeUInt16BE(group, addressBytes - 2 * (last.length - index)))
  return bytes
}

/** The longest run of at least two groups of zeros, which is written as `::` (RFC 5952 4.2). */
const longestZeros = (groups: readonly number[]): { from: number; length: number } => {
  let best = { from: -1, length: 1 }
  for (let from = 0; from < groups.length; from++) {
    let length = 0
    while (groups[from + length] === 0) length++
    if (length > best.length) best = { from, length }
    from += length
  }
  return best
}

/** An address of 16 bytes in text: `192.0.2.1`, or as RFC 5952 wants IPv6. */
export const formatAddress = (address: Uint8Array, at = 0): string => {
  if (isMapped(address, at)) return `${address[at + 12]}.${address[at + 13]}.${address[at + 14]}.${address[at + 15]}`
  const groups = Array.from({ length: 8 }, (_, index) => (address[at + index * 2] << 8) | address[at + index * 2 + 1])
  const text = (part: readonly number[]): string => part.map(group => group.toString(16)).join(':')
  const { from, length } = longestZeros(groups)
  return from < 0 ? text(groups) : `${text(groups.slice(0, from))}::${text(groups.slice(from + length))}`
}

/** Bytes of struct sockaddr_in6, the longer of the two. */
export const endpointBytes = 28
const sockaddrInBytes = 16

/**
 * An address and a port as the kernel has them. One object is used again and again: `set` and `setMapped` write it, the kernel fills it
 * (`accept`, `receiveFrom`), and nothing is allocated.
 */
export class Endpoint {
  /** struct sockaddr_in or sockaddr_in6. */
  readonly bytes: Buffer
  /** Where `bytes` are. */
  readonly address: number

  /** In memory of its own, or in `bytes` (28 of them). */
  constructor(bytes: Buffer = Buffer.alloc(endpointBytes)) {
    this.bytes = bytes
    this.address = addressAt(bytes)
  }

  /** `Endpoint.of('192.0.2.1', 80)`. */
  static of(host: string, port: number): Endpoint {
    return new Endpoint().set(host, port)
  }

  /** From an address of 16 bytes. */
  static ofMapped(address: Uint8Array, port: number, at = 0): Endpoint {
    return new Endpoint().setMapped(address, port, at)
  }

  /** `AF_INET` or `AF_INET6`; 0 when nothing has been written yet. */
  get family(): number {
    return this.bytes[0] | (this.bytes[1] << 8)
  }

  /** Bytes of the structure in its family. */
  get length(): number {
    return this.bytes[0] === AF_INET ? sockaddrInBytes : endpointBytes
  }

  get port(): number {
    return (this.bytes[2] << 8) | this.bytes[3]
  }

  set port(port: number) {
    this.bytes[2] = port >>> 8
    this.bytes[3] = port
  }

  get host(): string {
    const address = Buffer.alloc(addressBytes)
    this.writeMapped(address)
    return formatAddress(address)
  }

  set(host: string, port: number): this {
    return this.setMapped(parseAddress(host), port)
  }

  /** From the 16 bytes of `address` at `at`: an IPv4-mapped one becomes one of `AF_INET`. */
  setMapped(address: Uint8Array, port: number, at = 0): this {
    const { bytes } = this
    bytes.fill(0)
    if (isMapped(address, at)) {
      bytes[0] = AF_INET
      for (let i = 0; i < 4; i++) bytes[4 + i] = address[at + 12 + i]
    } else {
      bytes[0] = AF_INET6
      for (let i = 0; i < addressBytes; i++) bytes[8 + i] = address[at + i]
    }
    this.port = port
    return this
  }

  /** Writes the address as 16 bytes. */
  writeMapped(into: Uint8Array, at = 0): void {
    const { bytes } = this
    if (bytes[0] === AF_INET6) {
      for (let i = 0; i < addressBytes; i++) into[at + i] = bytes[8 + i]
      return
    }
    for (let i = 0; i < 10; i++) into[at + i] = 0
    into[at + 10] = into[at + 11] = 0xff
    for (let i = 0; i < 4; i++) into[at + 12 + i] = bytes[4 + i]
  }

  /** Interface of a link-local IPv6 address. */
  set scope(interfaceIndex: number) {
    this.bytes.writeUInt32LE(interfaceIndex, 24)
  }

  toString(): string {
    const { host, port } = this
    return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
  }
}
