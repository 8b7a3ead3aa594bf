/** Addresses with ports, as people write them and as the protocol carries them. */
import { isIPv4, isIPv6 } from 'node:net'
import { addressBytes, formatAddress, isIpv4Mapped, parseAddress } from '@holdfast/posix/network'
import { UsageError } from '@holdfast/wire'

/** An address and a port. */
export interface Endpoint {
  /** 16 bytes; an IPv4 address is mapped (RFC 4291 2.5.5.2). */
  readonly address: Buffer
  readonly port: number
  /** The address alone: `10.0.0.1`, `2001:db8::1`. */
  readonly host: string
  /** In the one way to write it: `10.0.0.1:7001`, `[2001:db8::1]:7001` (RFC 5952 6). Two endpoints are the same when these are. */
  readonly text: string
}

/** `10.0.0.1:7001` or `[2001:db8::1]:7001`. Throws UsageError `bad-endpoint`, which says what is allowed. */
export function parseEndpoint(text: string): Endpoint {
  const colon = text.lastIndexOf(':')
  const host = text.slice(0, Math.max(0, colon))
  const digits = text.slice(colon + 1)
  const port = /^[0-9]{1,5}$/.test(digits) ? Number(digits) : 0
  const isIn6 = host.startsWith('[') && host.endsWith(']')
  const inner = isIn6 ? host.slice(1, -1) : host
  // A zone (`%eth0`) means nothing on another machine.
  const isAddress = isIn6 ? isIPv6(inner) && !inner.includes('%') : isIPv4(inner)
  if (!isAddress || port < 1 || port > 0xffff) {
    throw new UsageError('bad-endpoint', `${text === '' ? "''" : text} is no address with a port; allowed are 10.0.0.1:7001 and [2001:db8::1]:7001`)
  }
  return endpointOf(parseAddress(inner), port)
}

/** The endpoint of an address of 16 bytes, of which it makes a copy. */
export function endpointOf(address: Buffer, port: number): Endpoint {
  const own = Buffer.from(address.subarray(0, addressBytes))
  const host = formatAddress(own)
  return { address: own, port, host, text: isIpv4Mapped(own) ? `${host}:${port}` : `[${host}]:${port}` }
}
