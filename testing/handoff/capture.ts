/** All packets of a machine's interfaces as they come and go (packet(7)), from the IP header on. */
import { orThrow } from '@holdfast/posix'
import { AF_PACKET, SOCK_DGRAM, close, inNetworkNamespace, openSocket, receive } from '@holdfast/posix/network'
import type { Machine } from './machine.ts'

/** ETH_P_ALL, in network order. */
const allProtocols = 0x0300
const packetBytesMax = 65_536

/** Gathers packets from when it is made until it is read. */
export class Capture implements Disposable {
  readonly #fd: number

  constructor(machine: Machine) {
    this.#fd = orThrow(
      inNetworkNamespace(`/run/netns/${machine.namespace}`, () => openSocket(AF_PACKET, SOCK_DGRAM, allProtocols)),
      'socket',
    )
  }

  /** What has come and gone since the last time. */
  read(): Buffer[] {
    const packets: Buffer[] = []
    const into = Buffer.alloc(packetBytesMax)
    for (let length = receive(this.#fd, into, 0, into.length); length > 0; length = receive(this.#fd, into, 0, into.length)) {
      packets.push(Buffer.from(into.subarray(0, length)))
    }
    return packets
  }

  [Symbol.dispose](): void {
    close(this.#fd)
  }
}
