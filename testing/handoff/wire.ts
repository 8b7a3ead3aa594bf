/** What goes over the wire as UDP: listened to, and said again. */
import { orThrow } from '@holdfast/posix'
import {
  AF_INET,
  Endpoint,
  IPPROTO_RAW,
  IPPROTO_UDP,
  SOCK_RAW,
  close,
  inNetworkNamespace,
  openSocket,
  receive,
  sendTo,
} from '@holdfast/posix/network'
import type { Machine } from './machine.ts'

const within = <T>(machine: Machine, action: () => T): T => inNetworkNamespace(`/run/netns/${machine.namespace}`, action)
/** Longest datagram with its headers. */
const packetBytesMax = 65_536
const pollMs = 5

/** Listens to the UDP datagrams that come to a machine (raw(7) gets a copy of each), as IPv4 packets, until it is stopped. */
export function listenToUdp(machine: Machine, port: number): { readonly packets: readonly Buffer[]; stop(): void } {
  const fd = orThrow(
    within(machine, () => openSocket(AF_INET, SOCK_RAW, IPPROTO_UDP)),
    'socket',
  )
  const packets: Buffer[] = []
  const into = Buffer.alloc(packetBytesMax)
  const drain = (): void => {
    for (let length = receive(fd, into, 0, into.length); length > 0; length = receive(fd, into, 0, into.length)) {
      if (into.readUInt16BE(headerBytes(into) + 2) === port) packets.push(Buffer.from(into.subarray(0, length)))
    }
  }
  const timer = setInterval(drain, pollMs)
  return {
    packets,
    stop() {
      clearInterval(timer)
      drain()
      close(fd)
    },
  }
}

const headerBytes = (packet: Buffer): number => ((packet[0] ?? 0) & 15) * 4

/** The datagram's payload, in the packet's memory. */
export const payloadOf = (packet: Buffer): Buffer => packet.subarray(headerBytes(packet) + 8)

/** Sends IPv4 packets as they are, from a machine; UDP's checksum is left out (RFC 768), as their payload may have been changed. */
export function sayAgain(machine: Machine, packets: readonly Buffer[]): void {
  const fd = orThrow(
    within(machine, () => openSocket(AF_INET, SOCK_RAW, IPPROTO_RAW)),
    'socket',
  )
  for (const packet of packets) {
    const copy = Buffer.from(packet)
    copy.writeUInt16BE(0, headerBytes(copy) + 6)
    const to = Endpoint.of([...copy.subarray(16, 20)].join('.'), 0)
    orThrow(sendTo(fd, copy, 0, copy.length, to), 'sendto')
  }
  close(fd)
}
