/** Names of connections: the VIP is one, so a client's address and port are enough. */

/**
 * A client's address and port, by which connections are found: of IPv4 a number below 2^48, of IPv6 a string of 18 characters. Neither allocates anything for each packet of IPv4.
 */
export type Flow = number | string

/** Bytes of an address, IPv4-mapped or IPv6. */
const addressBytes = 16
/** `FlowKey`: both addresses, both ports. */
export const flowKeyBytes = 36
const sourcePortAt = 32

/** The flow of a client's address of 16 bytes. */
export function flowOf(address: Uint8Array, port: number, isIpv4: boolean, at = 0): Flow {
  if (isIpv4) return ipv4Flow(address, at + 12, port)
  return ipv6Flow(address, at, port)
}

/** The flow of an IPv4 address as it stands in a packet. */
export function ipv4Flow(bytes: Uint8Array, at: number, port: number): Flow {
  return (bytes[at] * 0x1000000 + (bytes[at + 1] << 16) + (bytes[at + 2] << 8) + bytes[at + 3]) * 0x10000 + port
}

/** The flow of an IPv6 address as it stands in a packet. */
export function ipv6Flow(bytes: Uint8Array, at: number, port: number): Flow {
  let text = ''
  for (let i = 0; i < addressBytes; i++) text += String.fromCharCode(bytes[at + i])
  return text + String.fromCharCode(port >>> 8, port & 0xff)
}

/** The client's port. */
export function portOf(flow: Flow): number {
  return typeof flow === 'number' ? flow % 0x10000 : (flow.charCodeAt(addressBytes) << 8) | flow.charCodeAt(addressBytes + 1)
}

/** Writes the client's address as 16 bytes. */
export function writeClient(flow: Flow, into: Uint8Array, at = 0): void {
  if (typeof flow === 'string') {
    for (let i = 0; i < addressBytes; i++) into[at + i] = flow.charCodeAt(i)
    return
  }
  const address = Math.floor(flow / 0x10000)
  into.fill(0, at, at + 10)
  into[at + 10] = into[at + 11] = 0xff
  into[at + 12] = address >>> 24
  into[at + 13] = address >>> 16
  into[at + 14] = address >>> 8
  into[at + 15] = address
}

/** Keys of the director's map: client → VIP. One Buffer is written again and again. */
export class FlowKeys {
  readonly #key = Buffer.alloc(flowKeyBytes)

  constructor(vip: Uint8Array, vipPort: number) {
    this.#key.set(vip, addressBytes)
    this.#key.writeUInt16BE(vipPort, sourcePortAt + 2)
  }

  /** The key of a flow; good until the next. */
  of(flow: Flow): Buffer {
    writeClient(flow, this.#key)
    this.#key.writeUInt16BE(portOf(flow), sourcePortAt)
    return this.#key
  }

  /** The flow of a key of the map; undefined when it is of another VIP. */
  flowOf(key: Buffer): Flow | undefined {
    if (key.compare(this.#key, addressBytes, 2 * addressBytes, addressBytes, 2 * addressBytes) !== 0) return undefined
    if (key.readUInt16BE(sourcePortAt + 2) !== this.#key.readUInt16BE(sourcePortAt + 2)) return undefined
    const isIpv4 = key.readUInt32BE(8) === 0xffff && key.readUInt32BE(0) === 0 && key.readUInt32BE(4) === 0
    return flowOf(key, key.readUInt16BE(sourcePortAt), isIpv4)
  }
}
