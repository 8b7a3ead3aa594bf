/** Who does checksums: a machine's stack, or the device (CHECKSUM_PARTIAL), which between machines of a test does nothing. */
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import type koffiModule from 'koffi'
import { AF_INET, SOCK_DGRAM, addressAt, close, inNetworkNamespace, openSocket } from '@holdfast/posix/network'
import type { Machine } from './machine.ts'

/** linux/sockios.h, linux/ethtool.h. */
const [SIOCETHTOOL, ETHTOOL_STXCSUM] = [0x8946, 0x17]
const nameBytes = 16

/** Has the device do the checksums of what is sent, or the stack. */
export function setChecksumOffload(machine: Machine, device: string, isOn: boolean): void {
  const koffi = createRequire(import.meta.url)('koffi') as typeof koffiModule
  const ioctl = koffi.load('libc.so.6').func('int ioctl(int fd, unsigned long request, void *value)') as (...values: unknown[]) => number
  const wanted = Buffer.alloc(8)
  wanted.writeUInt32LE(ETHTOOL_STXCSUM)
  wanted.writeUInt32LE(isOn ? 1 : 0, 4)
  const request = Buffer.alloc(40)
  request.write(device)
  request.writeBigUInt64LE(BigInt(addressAt(wanted)), nameBytes)
  inNetworkNamespace(`/run/netns/${machine.namespace}`, () => {
    const fd = openSocket(AF_INET, SOCK_DGRAM)
    assert.equal(ioctl(fd, SIOCETHTOOL, request), 0, 'ETHTOOL_STXCSUM')
    close(fd)
  })
}
