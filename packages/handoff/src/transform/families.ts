/** What differs between IPv4 (RFC 791) and IPv6 (RFC 8200), as a table for those who build, change, or make programs for packets. */

/** Protocol numbers (IANA). */
export const Protocol = { icmp: 1, tcp: 6, udp: 17, icmp6: 58 } as const

/** What is special about one of both. */
export interface Family {
  readonly version: 4 | 6
  /** AF_INET, AF_INET6. */
  readonly number: 2 | 10
  readonly etherType: number
  /** Without options or extension headers. */
  readonly headerBytes: number
  /** Where the header has the protocol (next header), the hop limit, and both addresses one after the other. */
  readonly protocolAt: number
  readonly hopLimitAt: number
  readonly addressesAt: number
  readonly addressBytes: number
  /** Where the address begins among the 16 bytes that keys and entries have. */
  readonly inMapped: number
  readonly icmp: number
}

/** IPv4. */
export const ipv4: Family = {
  version: 4,
  number: 2,
  etherType: 0x0800,
  headerBytes: 20,
  protocolAt: 9,
  hopLimitAt: 8,
  addressesAt: 12,
  addressBytes: 4,
  inMapped: 12,
  icmp: Protocol.icmp,
}

/** IPv6. */
export const ipv6: Family = {
  version: 6,
  number: 10,
  etherType: 0x86dd,
  headerBytes: 40,
  protocolAt: 6,
  hopLimitAt: 7,
  addressesAt: 8,
  addressBytes: 16,
  inMapped: 0,
  icmp: Protocol.icmp6,
}

/** True for an IPv4 address in 16 bytes (RFC 4291 2.5.5.2). */
export function isMapped(address: Uint8Array): boolean {
  for (let i = 0; i < 10; i++) if (address[i] !== 0) return false
  return address[10] === 0xff && address[11] === 0xff
}

/** The family of an address of 16 bytes. */
export const familyOf = (address: Uint8Array): Family => (isMapped(address) ? ipv4 : ipv6)
