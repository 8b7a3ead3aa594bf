/**
 * The words of `holdfast director` and `holdfast server-agent`: as `--word` on the command line and as `word:` in the file they mean the same. Help,
 * completion and the check of both are made from these tables.
 */

import { isIP } from 'node:net'
import { type Address, parseAddress } from '../config/addresses.ts'
import { durationAllowed, parseDuration } from '../config/units.ts'
import { logFormats, logLevels } from '../config/words.ts'

/** A word; `parse` is undefined for what is not allowed. */
export interface HandoffWord<T = unknown> {
  readonly argument: string
  readonly help: string
  readonly allowed: string
  readonly parse: (text: string) => T | undefined
  /** May be given several times; a list in the file. */
  readonly repeatable?: true
}

/** Words by name. */
export type HandoffWords = Readonly<Record<string, HandoffWord>>

/** Requests whose target begins with the prefix belong to the server behind this agent. */
export interface OwnerRule {
  /** A path, or a host and a path. */
  readonly prefix: string
  readonly agent: Address
}

/** What happens to later requests of a connection. */
export const modes = ['per-request', 'sticky', 'close'] as const
/** How programs are attached to an interface. */
export const attachMethods = ['auto', 'tcx', 'clsact'] as const

/** How packets get to servers. */
export const forwardMethods = ['auto', 'neighbour', 'encapsulate'] as const

const endpointAllowed = 'ADDR:PORT with an IP address, such as 192.0.2.10:80 or [2001:db8::10]:80'

function parseEndpoint(text: string): Address | undefined {
  const address = parseAddress(text, 0)
  return address === undefined || address.port === 0 || isIP(address.host) === 0 ? undefined : address
}

function parseOwner(text: string): OwnerRule | undefined {
  const equals = text.lastIndexOf('=')
  const prefix = text.slice(0, equals)
  const agent = parseEndpoint(text.slice(equals + 1))
  return equals > 0 && agent !== undefined && /^[^/\s]*\/\S*$/.test(prefix) ? { prefix, agent } : undefined
}

const oneOf =
  <const T extends readonly string[]>(values: T): ((text: string) => T[number] | undefined) =>
  text =>
    values.find(value => value === text)
const portOf = (text: string): number | undefined => (/^\d{1,5}$/.test(text) && Number(text) > 0 && Number(text) < 65_536 ? Number(text) : undefined)
const nonEmpty = (text: string): string | undefined => (text === '' ? undefined : text)
const positiveDuration = (text: string): number | undefined => parseDuration(text) || undefined
/** A name as the kernel has them (IFNAMSIZ); whether there is such an interface is asked later. */
const interfaceName = (text: string): string | undefined => (/^[^\s/:]{1,15}$/.test(text) ? text : undefined)

const fileWord = (help: string): HandoffWord<string> => ({ argument: 'FILE', help, allowed: 'the path of a file', parse: nonEmpty })
const folderWord = (help: string): HandoffWord<string> => ({ argument: 'DIR', help, allowed: 'the path of a folder', parse: nonEmpty })
const endpointWord = (help: string): HandoffWord<Address> => ({ argument: 'ADDR:PORT', help, allowed: endpointAllowed, parse: parseEndpoint })
const choiceWord = <const T extends readonly string[]>(argument: string, values: T, help: string): HandoffWord<T[number]> => ({
  argument,
  help,
  allowed: values.join(', '),
  parse: oneOf(values),
})
const interfaceAllowed = 'the name of a network interface of this machine, such as eth0'

const common = {
  'key-file': fileWord("a secret of 32 bytes or more that the director and all its server agents have; nobody else's to read"),
  run: folderWord('where the socket lies that --status asks (default /run/holdfast)'),
  metrics: endpointWord('serve /metrics for Prometheus here'),
  attach: choiceWord('HOW', attachMethods, 'how the program is attached to the interface: tcx (Linux 6.6), clsact, or auto (default: what there is)'),
  idle: {
    argument: 'TIME',
    help: 'forget a connection without packets after this time (default 10m)',
    allowed: durationAllowed,
    parse: positiveDuration,
  } satisfies HandoffWord<number>,
  'log-level': choiceWord('LEVEL', logLevels, `one of ${logLevels.join(', ')} (default info)`),
  'log-format': choiceWord('FORMAT', logFormats, 'json or pretty (default: pretty on a terminal)'),
} as const

/** Of `holdfast director`. */
export const directorWords = {
  vip: endpointWord('the address and port that clients connect to: an address of this machine'),
  dev: {
    argument: 'IFACE',
    help: 'the interface by which packets of clients come',
    allowed: interfaceAllowed,
    parse: interfaceName,
  } satisfies HandoffWord<string>,
  mode: choiceWord(
    'MODE',
    modes,
    'later requests of a connection: per-request (default: each goes to the owner of its content), sticky (all to the first owner), close (one request a connection)',
  ),
  owner: {
    argument: 'PREFIX=ADDR:PORT',
    help: 'requests that begin with PREFIX go to the server of this agent; the longest prefix wins, agents of the same prefix share the work',
    allowed: 'PREFIX=ADDR:PORT, such as /videos/=192.0.2.11:7450 or example.org/=192.0.2.12:7450',
    parse: parseOwner,
    repeatable: true,
  } satisfies HandoffWord<OwnerRule>,
  routes: fileWord('the same as a file, with lines PREFIX ADDR:PORT [ADDR:PORT...]; read again when it changes'),
  forward: choiceWord(
    'HOW',
    forwardMethods,
    'how packets get to servers: neighbour (they are on the link), encapsulate (in UDP), or auto (default: as routes say)',
  ),
  'raise-port': {
    argument: 'PORT',
    help: 'UDP port of the VIP by which the kernel passes packets up, each director its own (default 7002)',
    allowed: 'a port from 1 to 65535',
    parse: portOf,
  } satisfies HandoffWord<number>,
  pin: folderWord('where in a bpffs connections outlive this process (default /sys/fs/bpf/holdfast/director-IFACE)'),
  ...common,
} as const

/** Of `holdfast server-agent`. */
export const serverAgentWords = {
  dev: {
    argument: 'IFACE',
    help: 'an interface by which packets of clients come and responses leave',
    allowed: interfaceAllowed,
    parse: interfaceName,
    repeatable: true,
  } satisfies HandoffWord<string>,
  listen: endpointWord('where directors reach this agent (UDP)'),
  local: endpointWord('the HTTP server beside it, at an address of this machine other than loopback'),
  pin: folderWord('where in a bpffs connections outlive this process (default /sys/fs/bpf/holdfast/server-agent-IFACE)'),
  ...common,
} as const
