/** Asks a machine whether it is there: ICMP echo (RFC 792, RFC 4443 4.1) by a raw socket, which needs CAP_NET_RAW. */
import {
  AF_INET,
  AF_INET6,
  close,
  connect,
  Endpoint as SocketAddress,
  getOption,
  ICMP_FILTER,
  ICMPV6_FILTER,
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPPROTO_RAW,
  isIpv4Mapped,
  openSocket,
  receive,
  send,
  setOptionBytes,
  SO_ERROR,
  SOCK_RAW,
  SOL_SOCKET,
} from '@holdfast/posix/network'
import type { Loop } from '../loop/index.ts'
import type { Endpoint } from './endpoint.ts'
import { randomNumber } from './random.ts'

/** The two kinds of ICMP: its numbers, and how a raw socket hands a message over. */
interface Family {
  readonly family: number
  readonly protocol: number
  readonly request: number
  readonly reply: number
  readonly filterLevel: number
  readonly filterName: number
  /** Bits of the types that do not come. */
  readonly filter: Buffer
  /** IPv4 ones come with their IP header. */
  readonly hasIpHeader: boolean
}

/** All bits set but that of one type. */
function allBut(type: number, bytes: number): Buffer {
  const bits = Buffer.alloc(bytes, 0xff)
  bits[type >> 3] &= ~(1 << (type & 7))
  return bits
}

const icmp4: Family = {
  family: AF_INET,
  protocol: IPPROTO_ICMP,
  request: 8,
  reply: 0,
  filterLevel: IPPROTO_RAW,
  filterName: ICMP_FILTER,
  filter: allBut(0, 4),
  hasIpHeader: true,
}
const icmp6: Family = {
  family: AF_INET6,
  protocol: IPPROTO_ICMPV6,
  request: 128,
  reply: 129,
  filterLevel: IPPROTO_ICMPV6,
  filterName: ICMPV6_FILTER,
  filter: allBut(129, 32),
  hasIpHeader: false,
}

/** Type, code, checksum, identifier, sequence number, and ours: 8 bytes that nobody can guess. */
const messageBytes = 16
const checksumAt = 2
const identifierAt = 4
const sequenceAt = 6
const cookieAt = 8

const incoming = Buffer.alloc(128)

/** Echo requests to one machine, while they are wanted. */
export class EchoProbe {
  readonly #loop: Loop
  readonly #kind: Family
  readonly #onReply: () => void
  readonly #message = Buffer.alloc(messageBytes)
  #fd: number
  #count = 0

  /** Without the right to raw sockets it asks nobody (`isAble`). */
  constructor(loop: Loop, machine: Endpoint, onReply: () => void) {
    this.#loop = loop
    this.#onReply = onReply
    this.#kind = isIpv4Mapped(machine.address) ? icmp4 : icmp6
    this.#message[0] = this.#kind.request
    this.#message.writeUInt16BE(randomNumber() % 0x10000, identifierAt)
    this.#message.writeBigUInt64BE(BigInt(randomNumber()), cookieAt)
    this.#fd = this.#open(machine)
  }

  get isAble(): boolean {
    return this.#fd >= 0
  }

  /** Sends a request. */
  ask(): void {
    if (this.#fd < 0) return
    const message = this.#message
    message.writeUInt16BE(++this.#count & 0xffff, sequenceAt)
    message.writeUInt16BE(0, checksumAt)
    // That of ICMPv6 has addresses in it; the kernel does it (RFC 3542 3.1).
    if (this.#kind === icmp4) message.writeUInt16BE(internetChecksum(message), checksumAt)
    // What goes wrong here is the same as no answer.
    send(this.#fd, message, 0, message.length)
  }

  close(): void {
    if (this.#fd < 0) return
    this.#loop.unwatch(this.#fd)
    close(this.#fd)
    this.#fd = -1
  }

  #open(machine: Endpoint): number {
    const { family, protocol, filter, filterLevel, filterName } = this.#kind
    const fd = openSocket(family, SOCK_RAW, protocol)
    if (fd < 0) return fd
    setOptionBytes(fd, filterLevel, filterName, filter)
    if (connect(fd, SocketAddress.ofMapped(machine.address, 0)) < 0) {
      close(fd)
      return -1
    }
    this.#loop.watch(fd, () => this.#receive())
    return fd
  }

  #receive(): void {
    for (;;) {
      const length = receive(this.#fd, incoming, 0, incoming.length)
      if (length < 0) {
        // An error of the path (no route, unreachable) is told once; it is no sign of the machine.
        getOption(this.#fd, SOL_SOCKET, SO_ERROR)
        return
      }
      if (!this.#isReply(length)) continue
      this.#onReply()
      if (this.#fd < 0) return
    }
  }

  #isReply(length: number): boolean {
    const at = this.#kind.hasIpHeader ? (incoming[0] & 0x0f) * 4 : 0
    if (length - at < messageBytes || incoming[at] !== this.#kind.reply) return false
    const ours = this.#message
    return (
      incoming.compare(ours, identifierAt, identifierAt + 2, at + identifierAt, at + identifierAt + 2) === 0 &&
      incoming.compare(ours, cookieAt, messageBytes, at + cookieAt, at + messageBytes) === 0
    )
  }
}

/** RFC 1071, of an even number of bytes. */
function internetChecksum(bytes: Buffer): number {
  let sum = 0
  for (let at = 0; at < bytes.length; at += 2) sum += bytes.readUInt16BE(at)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}
