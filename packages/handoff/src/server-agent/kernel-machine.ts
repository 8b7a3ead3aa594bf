/** The machine of a server agent that runs: programs in the kernel, raw sockets to the server. */

import { orThrow } from '@holdfast/posix'
import {
  AF_INET,
  AF_INET6,
  close,
  Endpoint as SocketAddress,
  IPPROTO_RAW,
  isIpv4Mapped,
  openSocket,
  sendTo,
  setOption,
  SO_MARK,
  SO_SNDBUF,
  SOCK_RAW,
  SOL_SOCKET,
} from '@holdfast/posix/network'
import { openingMark } from '../bpf/index.ts'
import type { Opening, ServerAgentPrograms } from '../bpf/index.ts'
import type { Loop } from '../loop/index.ts'
import type { Endpoint } from '../protocol/index.ts'
import { CountedAddresses } from './counted-addresses.ts'
import type { Machine } from './machine.ts'

/** What the kernel may still have to take: a request for each of a turn's hand-offs. */
const sendBufferBytes = 4 << 20

/** What `createMachine` is told. */
export interface MachineOptions {
  readonly loop: Pick<Loop, 'now' | 'after'>
  readonly programs: ServerAgentPrograms
  readonly server: Endpoint
  /** False: connections are opened by handshakes also where the kernel can do without. */
  readonly opensDirectly?: boolean
}

/** Makes one. Throws `PosixError` for sockets that may not be opened. */
export function createMachine({ loop, programs, server, opensDirectly = true }: MachineOptions): Machine & Disposable {
  const raw = openRaw(server, 0)
  const opening = opensDirectly ? programs.attachOpening() : undefined
  const openingRaw = opening === undefined ? -1 : openRaw(server, openingMark)
  // A raw socket's address has no port (raw(7), ipv6(7)).
  const to = SocketAddress.ofMapped(server.address, 0)
  const addresses = new CountedAddresses(
    address => programs.addDirector(address),
    address => programs.removeDirector(address),
  )
  return {
    flows: programs.flows,
    pairs: programs.pairs,
    send: (packet, lengthBytes) => sendTo(raw, packet, 0, lengthBytes, to),
    open: opening === undefined ? undefined : openBy(opening, (packet, lengthBytes) => sendTo(openingRaw, packet, 0, lengthBytes, to)),
    nowMs: () => loop.now(),
    after: (delayMs, action) => void loop.after(delayMs, action),
    trust: address => addresses.add(address),
    distrust: address => addresses.remove(address),
    [Symbol.dispose]: () => {
      close(raw)
      if (openingRaw >= 0) close(openingRaw)
    },
  }
}

/** A raw socket for packets to the server, whose headers are ours; `mark` is put on them. */
function openRaw(server: Endpoint, mark: number): number {
  const fd = orThrow(openSocket(isIpv4Mapped(server.address) ? AF_INET : AF_INET6, SOCK_RAW, IPPROTO_RAW), 'socket(SOCK_RAW)')
  setOption(fd, SOL_SOCKET, SO_SNDBUF, sendBufferBytes)
  if (mark !== 0) orThrow(setOption(fd, SOL_SOCKET, SO_MARK, mark), 'SO_MARK')
  return fd
}

/** Sends, and sees whether the program has counted a connection: it has by then, as it is called on the packet's way. */
function openBy({ count }: Opening, send: Machine['send']): NonNullable<Machine['open']> {
  return (packet, lengthBytes) => {
    const before = count()
    const result = send(packet, lengthBytes)
    return result < 0 ? result : Number(count() !== before)
  }
}
