/** FSCTL_QUERY_NETWORK_INTERFACE_INFO (MS-SMB2 3.3.5.15.11): where a client may open further channels. */
import { readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import type { NetworkInterfaceInfo as OsInterface } from 'node:os'
import { Dialect } from '../../../messages/constants.ts'
import { NetworkInterfaceInfo } from '../../../messages/fsctl-network.ts'
import type { NetworkInterface } from '../../../messages/fsctl-network.ts'
import { NtStatus } from '../../../messages/nt-status.ts'
import { StatusError } from '../../core/handler-api.ts'
import { needOutput } from './answer.ts'
import type { OpenlessIoctl } from './answer.ts'

/** For an interface that does not tell its speed. */
const assumedBitsPerSecond = 1_000_000_000n
/** Speeds seldom change; a client asks every ten minutes. */
const speedLifetimeMs = 60_000

export const queryNetworkInterfaces: OpenlessIoctl = (request, asked) => {
  if (request.connection.dialect < Dialect.smb300) throw new StatusError(NtStatus.INVALID_DEVICE_REQUEST)
  const interfaces = listInterfaces(plainAddress(request.connection.localAddress))
  const output = Buffer.alloc(NetworkInterfaceInfo.encodedLength(interfaces))
  needOutput(asked, output.length, NtStatus.BUFFER_TOO_SMALL)
  NetworkInterfaceInfo.encode(interfaces, output, 0)
  return { output }
}

/** Loopback addresses are told only to who came by one. */
function listInterfaces(localAddress: string): NetworkInterface[] {
  const found: NetworkInterface[] = []
  const all = Object.entries(networkInterfaces())
  const local = all.flatMap(([, addresses]) => addresses ?? []).find(({ address }) => address === localAddress)
  for (const [index, [name, addresses]] of all.entries()) {
    for (const one of addresses ?? []) {
      if (one.internal !== (local?.internal ?? false) || isLinkLocal(one)) continue
      found.push({ ifIndex: index + 1, capability: 0, linkSpeed: speedOf(name), address: addressBytes(one), port: 0, scopeId: 0 })
    }
  }
  return found
}

const isLinkLocal = ({ address }: OsInterface): boolean => address.startsWith('fe80:')

/** `::ffff:127.0.0.1`, as a listener for both families tells it, is 127.0.0.1. */
function plainAddress(address: string): string {
  return address.startsWith('::ffff:') ? address.slice(7) : address
}

const speeds = new Map<string, { readonly bitsPerSecond: bigint; readonly until: number }>()

function speedOf(name: string): bigint {
  const now = performance.now()
  const known = speeds.get(name)
  if (known !== undefined && known.until > now) return known.bitsPerSecond
  const bitsPerSecond = readSpeed(name)
  speeds.set(name, { bitsPerSecond, until: now + speedLifetimeMs })
  return bitsPerSecond
}

function readSpeed(name: string): bigint {
  try {
    const megabits = Number(readFileSync(`/sys/class/net/${name}/speed`, 'ascii'))
    return megabits > 0 ? BigInt(megabits) * 1_000_000n : assumedBitsPerSecond
  } catch {
    // Loopback and virtual interfaces have no speed to read.
    return assumedBitsPerSecond
  }
}

function addressBytes({ address, family }: OsInterface): Buffer {
  if (family === 'IPv4') return Buffer.from(address.split('.').map(Number))
  const [head = '', tail] = address.split('::')
  const groups = (text: string): number[] => (text === '' ? [] : text.split(':').map(group => Number.parseInt(group, 16)))
  const [before, after] = [groups(head), groups(tail ?? '')]
  const all = [...before, ...Array.from({ length: 8 - before.length - after.length }, () => 0), ...after]
  return Buffer.from(all.flatMap(group => [group >>> 8, group & 0xff]))
}
