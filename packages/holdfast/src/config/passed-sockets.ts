/**
 * Listening sockets that whoever started the process has made and keeps when it ends, so that clients find somebody to connect to while it
 * is started again: systemd's socket activation, sd_listen_fds(3).
 *
 * They need no word of the configuration: an address that is configured and has been passed on is taken from there.
 */

import { socketAddress } from '@holdfast/engine'
import { type Address, formatAddress } from './addresses.ts'
import { ConfigError } from './errors.ts'

export interface PassedSocket extends Address {
  readonly descriptor: number
}

/** SD_LISTEN_FDS_START: the first one has this number, the others follow. */
const firstDescriptor = 3
const variables = ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES'] as const

/**
 * The sockets that were passed on to this process. Takes their variables out of `environment`, which children would misread. Throws
 * ConfigError for a descriptor that is no TCP socket.
 */
export function takePassedSockets(environment: Record<string, string | undefined>, pid = process.pid): readonly PassedSocket[] {
  const [meantFor, count] = variables.map(name => Number(environment[name] ?? NaN))
  for (const name of variables) delete environment[name]
  if (meantFor !== pid || !Number.isInteger(count)) return []
  return Array.from({ length: count }, (_, index) => {
    const descriptor = firstDescriptor + index
    const address = socketAddress(descriptor)
    if (address === undefined) throw new ConfigError(`LISTEN_FDS: descriptor ${descriptor} is no TCP socket`)
    return { ...address, descriptor }
  })
}

/** The socket for a configured address; every interface is `::` or, without IPv6, `0.0.0.0`. */
export function passedSocketAt({ host, port }: Address, passed: readonly PassedSocket[]): PassedSocket | undefined {
  const hosts = host === '' ? ['::', '0.0.0.0'] : [host]
  return passed.find(socket => socket.port === port && hosts.includes(socket.host))
}

/** Throws ConfigError for a socket that no address stands for: its clients would connect, and wait for ever. */
export function checkPassedSockets(passed: readonly PassedSocket[], configured: readonly Address[]): void {
  const used = new Set(configured.map(address => passedSocketAt(address, passed)))
  const unused = passed.find(socket => !used.has(socket))
  if (unused === undefined) return
  throw new ConfigError(
    `LISTEN_FDS: a socket at ${formatAddress(unused)} was passed on, which is no address to listen on here; configured: ${configured.map(formatAddress).join(', ')}`,
  )
}
