/** What can be wrong with the options of a server agent, before anything is done. */

import { isIP } from 'node:net'
import { interfaceIndex, isIpv4Mapped, parseAddress } from '@holdfast/posix/network'
import { routeTo } from '@holdfast/posix/netlink'
import { UsageError } from '@holdfast/wire'
import { capacityDefault, idleMsDefault } from './options.ts'
import type { Endpoint, ServerAgentOptions } from './options.ts'

/** RTN_LOCAL: the address is this machine's. */
const routeIsLocal = 2
/** What fits into 2^32 entries and the memory for their keys. */
const capacityMax = 4_194_304

/** Throws `UsageError` with the codes that `startServerAgent` tells. */
export function checkOptions({ interfaces, listen, local, idleMs = idleMsDefault, capacity = capacityDefault }: ServerAgentOptions): void {
  if (interfaces.length === 0) throw new UsageError('no-interface', 'a server agent needs the name of at least one interface')
  const missing = interfaces.find(name => interfaceIndex(name) < 0)
  if (missing !== undefined) throw new UsageError('no-interface', `there is no interface ${missing}`)
  checkEndpoint('listen', listen)
  checkEndpoint('local', local)
  if (!(idleMs > 0)) throw new UsageError('bad-option', `idleMs is ${idleMs}; it has to be more than 0`)
  if (!Number.isInteger(capacity) || capacity < 1 || capacity > capacityMax) {
    throw new UsageError('bad-option', `capacity is ${capacity}; allowed: 1 to ${capacityMax}`)
  }
}

const textOf = ({ host, port }: Endpoint): string => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`)

/** Responses of a loopback address do not leave the machine; without an address of its own, nobody knows which packets are the server's. */
function checkEndpoint(word: 'listen' | 'local', endpoint: Endpoint): void {
  const { host, port } = endpoint
  const bad = (code: string, why: string): UsageError => new UsageError(code, `${word} ${textOf(endpoint)}: ${why}`)
  if (isIP(host) === 0 || !Number.isInteger(port) || port < 1 || port > 0xffff) throw bad('bad-address', 'an IP address and a port are expected')
  const address = parseAddress(host)
  if (isUnspecified(address)) throw bad('bad-address', 'the address has to be one of this machine, not all of them')
  if (isLoopback(address)) throw bad('loopback', 'what is sent from a loopback address does not leave the machine; give one of its other addresses')
  if (!isLocal(address)) throw bad('not-local', 'this machine does not have that address')
}

const isUnspecified = (address: Buffer): boolean => (isIpv4Mapped(address) ? address.readUInt32BE(12) === 0 : address.every(byte => byte === 0))
const isLoopback = (address: Buffer): boolean =>
  isIpv4Mapped(address) ? address[12] === 127 : address[15] === 1 && address.subarray(0, 15).every(byte => byte === 0)

function isLocal(address: Buffer): boolean {
  try {
    return routeTo(address).type === routeIsLocal
  } catch {
    return false
  }
}
