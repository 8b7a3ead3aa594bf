/**
 * rtnetlink(7), as far as agents need it, and what the process may do (`@holdfast/posix/netlink`). Each call opens a socket of its own in the network namespace of its
 * thread; the kernel answers before the request returns. What fails throws `PosixError`.
 */
import { readFileSync } from 'node:fs'
import type { BpfProgram, Direction } from './bpf/index.ts'
import { addressBytes, isIpv4Mapped } from './endpoint.ts'
import { PosixError, errno, orThrow } from './errors.ts'
import { AF_INET, AF_INET6, AF_NETLINK, SOCK_RAW, close, openSocket, receive, send } from './network.ts'

const NETLINK_ROUTE = 0
const NLMSG_ERROR = 2
const flag = { request: 0x1, acknowledge: 0x4, exclusive: 0x200, create: 0x400 }
const messageType = { newRoute: 24, getRoute: 26, newQdisc: 36, newFilter: 44, deleteFilter: 45 }
/** struct nlmsghdr; struct rtattr. */
const headerBytes = 16
const attributeBytes = 4

const aligned = (length: number): number => (length + 3) & ~3

/** An attribute: its type, and bytes, text (with its NUL), or attributes. */
type Attribute = readonly [type: number, value: Uint8Array | string | readonly Attribute[]]

const encodeAttributes = (attributes: readonly Attribute[]): Buffer =>
  Buffer.concat(
    attributes.map(([type, value]) => {
      const body = typeof value === 'string' ? Buffer.from(`${value}\0`) : value instanceof Uint8Array ? value : encodeAttributes(value)
      const bytes = Buffer.alloc(aligned(attributeBytes + body.length))
      bytes.writeUInt16LE(attributeBytes + body.length, 0)
      bytes.writeUInt16LE(type, 2)
      bytes.set(body, attributeBytes)
      return bytes
    }),
  )

const attributesOf = (bytes: Buffer): Map<number, Buffer> => {
  const found = new Map<number, Buffer>()
  for (let at = 0; at + attributeBytes <= bytes.length;) {
    const length = Math.max(attributeBytes, bytes.readUInt16LE(at))
    found.set(bytes.readUInt16LE(at + 2), bytes.subarray(at + attributeBytes, at + length))
    at += aligned(length)
  }
  return found
}

interface Request {
  readonly type: number
  readonly flags: number
  /** The structure that this type of message begins with. */
  readonly head: Uint8Array
  readonly attributes: readonly Attribute[]
}

/** The answer without its header; undefined when it says no more than that it is done. An answer that is an error is thrown. */
const ask = (call: string, { type, flags, head, attributes }: Request): Buffer | undefined => {
  const body = Buffer.concat([head, encodeAttributes(attributes)])
  const message = Buffer.alloc(headerBytes + body.length)
  message.writeUInt32LE(message.length, 0)
  message.writeUInt16LE(type, 4)
  message.writeUInt16LE(flags | flag.request, 6)
  message.writeUInt32LE(1, 8)
  message.set(body, headerBytes)
  const fd = orThrow(openSocket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), 'socket')
  try {
    orThrow(send(fd, message, 0, message.length), call)
    const answer = Buffer.alloc(8192)
    const length = orThrow(receive(fd, answer, 0, answer.length), call)
    if (answer.readUInt16LE(4) !== NLMSG_ERROR) return answer.subarray(headerBytes, Math.min(length, answer.readUInt32LE(0)))
    orThrow(answer.readInt32LE(headerBytes), call)
    return undefined
  } finally {
    close(fd)
  }
}

/** How packets get to an address. */
export interface Route {
  readonly interfaceIndex: number
  /** The next hop, 16 bytes; undefined: the address is on the link itself. */
  readonly gateway: Buffer | undefined
  /** The own address that is used, 16 bytes. */
  readonly source: Buffer
  /** `RouteType`. */
  readonly type: number
  /** The greatest packet that gets through, as far as that is known of the path; undefined: what the interface takes. */
  readonly mtu: number | undefined
}

/** Where an address is, by the routing table (RTN_ of linux/rtnetlink.h). */
export const RouteType = { unicast: 1, local: 2, broadcast: 3, multicast: 5, blackhole: 6, unreachable: 7 } as const

const routeAttribute = { destination: 1, interface: 4, gateway: 5, preferredSource: 7, metrics: 8, via: 18 }
const metricMtu = 2
/** struct rtmsg. */
const routeBytes = 12

/** An IPv4 or IPv6 address as 16 bytes. */
const mapped = (bytes: Buffer): Buffer =>
  bytes.length === addressBytes ? Buffer.from(bytes) : Buffer.concat([Buffer.alloc(10), Buffer.from([0xff, 0xff]), bytes])

/** The route to an address (of 16 bytes, IPv4-mapped or IPv6), as the kernel chooses it now. Throws `PosixError` (ENETUNREACH). */
export const routeTo = (address: Uint8Array): Route => {
  const isIpv4 = isIpv4Mapped(address)
  const destination = Buffer.from(isIpv4 ? address.subarray(12, addressBytes) : address.subarray(0, addressBytes))
  const head = Buffer.alloc(routeBytes)
  head[0] = isIpv4 ? AF_INET : AF_INET6
  head[1] = destination.length * 8
  const answer = ask('RTM_GETROUTE', {
    type: messageType.getRoute,
    flags: 0,
    head,
    attributes: [[routeAttribute.destination, destination]],
  })
  if (answer === undefined) throw new PosixError(errno.ENETUNREACH, 'RTM_GETROUTE')
  const found = attributesOf(answer.subarray(routeBytes))
  // A next hop of the other family stands behind two bytes that say which (struct rtvia).
  const gateway = found.get(routeAttribute.gateway) ?? found.get(routeAttribute.via)?.subarray(2)
  const source = found.get(routeAttribute.preferredSource)
  return {
    interfaceIndex: found.get(routeAttribute.interface)?.readInt32LE() ?? 0,
    gateway: gateway === undefined ? undefined : mapped(gateway),
    source: source === undefined ? Buffer.alloc(addressBytes) : mapped(source),
    type: answer[7],
    mtu: attributesOf(found.get(routeAttribute.metrics) ?? Buffer.alloc(0))
      .get(metricMtu)
      ?.readUInt32LE(),
  }
}

const tcAttribute = { kind: 1, options: 2 }
const bpfAttribute = { fd: 6, name: 7, flags: 8 }
/** The program says what becomes of the packet. */
const TCA_BPF_FLAG_ACT_DIRECT = 1
const clsactHandle = 0xffff_0000
const clsactParent = 0xffff_fff1
const parents: Readonly<Record<Direction, number>> = { ingress: 0xffff_fff2, egress: 0xffff_fff3 }
/** In network order: of packets of any protocol. */
const ETH_P_ALL = 0x0300

const word = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

/** struct tcmsg. */
const tcHead = (interfaceIndex: number, handle: number, parent: number, info = 0): Buffer =>
  Buffer.concat([word(0), ...[interfaceIndex, handle, parent, info].map(word)])

/** Adds the clsact queueing discipline to an interface, unless it has it. */
export const addClsact = (interfaceIndex: number): void => {
  try {
    ask('RTM_NEWQDISC', {
      type: messageType.newQdisc,
      flags: flag.acknowledge | flag.create | flag.exclusive,
      head: tcHead(interfaceIndex, clsactHandle, clsactParent),
      attributes: [[tcAttribute.kind, 'clsact']],
    })
  } catch (error) {
    if ((error as PosixError).errno !== errno.EEXIST) throw error
  }
}

/** Which of an interface's filters: those with lower numbers come first. */
export interface FilterPlace {
  readonly interfaceIndex: number
  readonly direction: Direction
  /** 1 to 65,535. */
  readonly priority: number
}

const filterHandle = 1

const filterHead = ({ interfaceIndex, direction, priority }: FilterPlace): Buffer =>
  tcHead(interfaceIndex, filterHandle, parents[direction], priority * 0x1_0000 + ETH_P_ALL)

/** Puts a program at an interface with clsact, in place of the one that is there. It stays when the process is gone. `name` is what tc(8) shows. */
export const attachFilter = (program: BpfProgram, place: FilterPlace, name: string): void => {
  ask('RTM_NEWTFILTER', {
    type: messageType.newFilter,
    flags: flag.acknowledge | flag.create,
    head: filterHead(place),
    attributes: [
      [tcAttribute.kind, 'bpf'],
      [
        tcAttribute.options,
        [
          [bpfAttribute.fd, word(program.fd)],
          [bpfAttribute.name, name],
          [bpfAttribute.flags, word(TCA_BPF_FLAG_ACT_DIRECT)],
        ],
      ],
    ],
  })
}

/** Removes it. False: there was none. */
export const detachFilter = (place: FilterPlace): boolean => {
  try {
    ask('RTM_DELTFILTER', {
      type: messageType.deleteFilter,
      flags: flag.acknowledge,
      head: filterHead(place),
      attributes: [[tcAttribute.kind, 'bpf']],
    })
    return true
  } catch (error) {
    const absent: readonly number[] = [errno.ENOENT, errno.EINVAL]
    if (!absent.includes((error as PosixError).errno)) throw error
    return false
  }
}

/** What a process may do. */
export interface Capabilities {
  readonly netAdmin: boolean
  readonly netRaw: boolean
  readonly bpf: boolean
  readonly sysAdmin: boolean
}

/** Numbers of linux/capability.h. */
const capabilityBit: Readonly<Record<keyof Capabilities, bigint>> = { netAdmin: 12n, netRaw: 13n, sysAdmin: 21n, bpf: 39n }

/** What a process may do, by CapEff of its status. */
export const capabilitiesIn = (status: string): Capabilities => {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`)
  const has = (name: keyof Capabilities): boolean => ((effective >> capabilityBit[name]) & 1n) === 1n
  return { netAdmin: has('netAdmin'), netRaw: has('netRaw'), bpf: has('bpf'), sysAdmin: has('sysAdmin') }
}

/** What this process may do. */
export const capabilities = (): Capabilities => capabilitiesIn(readFileSync('/proc/self/status', 'latin1'))
