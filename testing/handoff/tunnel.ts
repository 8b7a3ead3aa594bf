/** A tunnel in the hands of a test: packets that have no link header are written to it, and those that come out are read. */
import assert from 'node:assert/strict'
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs'
import { createRequire } from 'node:module'
import type koffiModule from 'koffi'
import { newSegment, newTcpPacket, readTcpPacket, setEnds, writeSegment } from '@holdfast/handoff/transform'
import { inNetworkNamespace, parseAddress } from '@holdfast/posix/network'
import type { Machine } from './machine.ts'

/** The end of a tunnel that programs write packets to and read them from (Documentation/networking/tuntap.rst). */
export class Tunnel implements Disposable {
  readonly #fd: number

  constructor(machine: Machine, device: string) {
    const koffi = createRequire(import.meta.url)('koffi') as typeof koffiModule
    const ioctl = koffi.load('libc.so.6').func('int ioctl(int fd, unsigned long request, void *value)') as (...values: unknown[]) => number
    const [TUNSETIFF, IFF_TUN, IFF_NO_PI] = [0x4004_54ca, 0x0001, 0x1000]
    const request = Buffer.alloc(40)
    request.write(device)
    request.writeUInt16LE(IFF_TUN | IFF_NO_PI, 16)
    // It belongs to the namespace that it is opened in.
    this.#fd = inNetworkNamespace(`/run/netns/${machine.namespace}`, () => openSync('/dev/net/tun', constants.O_RDWR | constants.O_NONBLOCK))
    assert.equal(ioctl(this.#fd, TUNSETIFF, request), 0, 'TUNSETIFF')
  }

  write(packet: Buffer): void {
    writeSync(this.#fd, packet)
  }

  /** The next packet with TCP that comes out. */
  async read(): Promise<Buffer> {
    const packet = Buffer.alloc(2048)
    return until(() => {
      try {
        const bytes = packet.subarray(0, readSync(this.#fd, packet))
        return readTcpPacket(bytes, 0, bytes.length, newTcpPacket()) ? bytes : undefined
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return undefined
        throw error
      }
    })
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd)
  }
}

/** Looks until there is something. Throws when there is nothing for seconds. */
export async function until<Result>(look: () => Result | undefined): Promise<Result> {
  for (let attempt = 0; attempt < 500; attempt++) {
    const found = look()
    if (found !== undefined) return found
    await new Promise(resolve => setTimeout(resolve, 10))
  }
  throw new Error('nothing came')
}

/** Of a packet. */
export interface Numbers {
  readonly sequence: number
  readonly acknowledgement: number
}

/** A packet without payload. */
export function packetOf(
  from: string,
  fromPort: number,
  to: string,
  toPort: number,
  flags: number,
  numbers: Numbers = { sequence: 1000, acknowledgement: 0 },
): Buffer {
  const segment = newSegment()
  setEnds(segment, parseAddress(from), fromPort, parseAddress(to), toPort)
  segment.flags = flags
  segment.sequence = numbers.sequence
  segment.acknowledgement = numbers.acknowledgement >>> 0
  segment.window = 500
  const bytes = Buffer.alloc(100)
  return Buffer.from(bytes.subarray(0, writeSegment(segment, bytes)))
}
