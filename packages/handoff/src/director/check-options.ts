/** What can be wrong with the options of a director, before anything is done. */
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { routeTo } from '@holdfast/posix/netlink'
import { interfaceIndex, isIpv4Mapped, parseAddress } from '@holdfast/posix/network'
import { UsageError } from '@holdfast/wire'
import type { Route } from '../owners/index.ts'
import { parseEndpoint } from '../protocol/index.ts'
import { headMsDefault, idleMsDefault, raisePortDefault } from './options.ts'
import type { DirectorOptions } from './options.ts'

/** RTN_LOCAL: the address is this machine's. */
const routeIsLocal = 2

/** Throws `UsageError` with the codes that `startDirector` tells. */
export function checkOptions(options: DirectorOptions): void {
  const { vip, interface: device, idleMs = idleMsDefault, headMs = headMsDefault, raisePort = raisePortDefault } = options
  if (interfaceIndex(device) < 0) throw new UsageError('no-interface', `there is no interface ${device}`)
  if (isIP(vip.host) === 0 || !isPort(vip.port)) throw new UsageError('bad-address', `vip ${vip.host}: an IP address and a port are expected`)
  if (!isLocal(vip.host) && !mayBindElsewhere(vip.host))
    throw new UsageError('bad-address', `vip ${vip.host}: this machine does not have that address`)
  if (!isPort(raisePort)) throw new UsageError('bad-option', `raisePort is ${raisePort}; allowed: 1 to 65535`)
  if (!(idleMs > 0)) throw new UsageError('bad-option', `idleMs is ${idleMs}; it has to be more than 0`)
  if (!(headMs > 0)) throw new UsageError('bad-option', `headMs is ${headMs}; it has to be more than 0`)
}

/** An agent gets packets as they come: it has to be of the VIP's family, and somewhere. */
export function checkRoutes(vip: string, routes: readonly Route[]): void {
  for (const { prefix, agents } of routes) {
    for (const agent of agents) {
      if (isIpv4Mapped(parseEndpoint(agent).address) === isIpv4Mapped(parseAddress(vip))) continue
      throw new UsageError('bad-owner', `${prefix}=${agent}: the address has to be of the same family as that of the VIP, ${vip}`)
    }
  }
}

const isPort = (port: number): boolean => Number.isInteger(port) && port > 0 && port <= 0xffff

/** A director that waits for its VIP: the kernel lets it listen (ip_nonlocal_bind). */
const mayBindElsewhere = (host: string): boolean =>
  readFileSync(`/proc/sys/net/${host.includes(':') ? 'ipv6' : 'ipv4'}/ip_nonlocal_bind`, 'utf8').trim() === '1'

function isLocal(host: string): boolean {
  try {
    return routeTo(parseAddress(host)).type === routeIsLocal
  } catch {
    return false
  }
}
