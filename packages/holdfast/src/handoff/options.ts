/** What director and server agent are told: words made into settings, or one line that says what is wrong with them. */

import { readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { UsageError } from '@holdfast/wire'
import { type Address, isLoopback } from '../config/addresses.ts'
import { ConfigError } from '../config/errors.ts'
import { interfaceExists } from './interfaces.ts'
import type { ControlName } from './control.ts'
import { type HandoffFlags, notHere, pathOf, readSaid, required, type Said, type SaidValue, unusable } from './said.ts'
import { type attachMethods, directorWords, type forwardMethods, type modes, serverAgentWords } from './words.ts'

/** What both have. */
export interface CommonSettings {
  readonly key: Buffer
  /** Absolute path, in a bpffs. */
  readonly pinDir: string
  readonly control: ControlName
  readonly metrics?: Address
  readonly attach: (typeof attachMethods)[number]
  /** The agent's own default where undefined. */
  readonly idleMs?: number
  readonly logLevel: string
  /** By the terminal where undefined. */
  readonly logFormat?: 'json' | 'pretty'
}

/** Of `holdfast director`. */
export interface DirectorSettings extends CommonSettings {
  readonly vip: Address
  readonly dev: string
  readonly mode: (typeof modes)[number]
  readonly forward: (typeof forwardMethods)[number]
  /** The director's own default where undefined. */
  readonly raisePort?: number
  /** As words; either these or `routesFile`. */
  readonly owners: readonly string[]
  readonly routesFile?: string
}

/** Of `holdfast server-agent`. */
export interface ServerAgentSettings extends CommonSettings {
  readonly devs: readonly string[]
  readonly listen: Address
  readonly local: Address
}

/** Reads the file of a key; given by who has loaded the protocol. */
export type ReadKeyFile = (path: string) => Buffer

const runDefault = '/run/holdfast'
const pinDefault = '/sys/fs/bpf/holdfast'
type Role = ControlName['role']
type CommonWords = Said<Pick<typeof directorWords, keyof typeof directorWords & keyof typeof serverAgentWords>>

/** What `--status` and `--detach` need of the words. */
export interface Instance {
  readonly control: ControlName
  readonly pinDir: string
}

const wordsOf = { director: directorWords, 'server-agent': serverAgentWords } as const

/** Which one is meant, of those that run here. Throws ConfigError. */
export function instanceOf(role: Role, flags: HandoffFlags, cwd: string): Instance {
  return instance(role, readSaid(wordsOf[role], flags, cwd), cwd)
}

function instance(role: Role, said: Pick<CommonWords, 'dev' | 'pin' | 'run'>, cwd: string): Instance {
  const dev = required(said.dev, 'dev', wordsOf[role].dev).value
  const folder = (value: SaidValue<string> | undefined, otherwise: string): string => (value === undefined ? otherwise : pathOf(value, cwd))
  return {
    control: { role, dev, runDir: folder(said.run[0], runDefault) },
    pinDir: folder(said.pin[0], `${pinDefault}/${role}-${dev}`),
  }
}

/** Throws ConfigError with one line that names the key, the value and what is allowed. */
export function directorSettings(flags: HandoffFlags, cwd: string, readKeyFile: ReadKeyFile): DirectorSettings {
  const said = readSaid(directorWords, flags, cwd)
  const vip = required(said.vip, 'vip', directorWords.vip)
  const dev = required(said.dev, 'dev', directorWords.dev)
  const [routes] = said.routes
  if (said.owner.length === 0 && routes === undefined) {
    throw new ConfigError(`--owner is missing; allowed: ${directorWords.owner.allowed}; or --routes FILE`)
  }
  if (said.owner.length > 0 && routes !== undefined) throw unusable(routes, 'is not allowed beside --owner; allowed: one of the two')
  demandInterface(dev)
  if (!mayBindElsewhere(vip.value.host)) demandLocal(vip)
  return {
    ...commonSettings('director', said, cwd, readKeyFile),
    vip: vip.value,
    dev: dev.value,
    mode: said.mode[0]?.value ?? 'per-request',
    forward: said.forward[0]?.value ?? 'auto',
    ...(said['raise-port'][0] && { raisePort: said['raise-port'][0].value }),
    owners: said.owner.map(({ text }) => text),
    ...(routes && { routesFile: pathOf(routes, cwd) }),
  }
}

/** As `directorSettings`. */
export function serverAgentSettings(flags: HandoffFlags, cwd: string, readKeyFile: ReadKeyFile): ServerAgentSettings {
  const said = readSaid(serverAgentWords, flags, cwd)
  required(said.dev, 'dev', serverAgentWords.dev)
  const listen = required(said.listen, 'listen', serverAgentWords.listen)
  const local = required(said.local, 'local', serverAgentWords.local)
  said.dev.forEach(demandInterface)
  demandLocal(listen)
  demandLocal(local)
  return {
    ...commonSettings('server-agent', said, cwd, readKeyFile),
    devs: said.dev.map(({ value }) => value),
    listen: listen.value,
    local: local.value,
  }
}

function commonSettings(role: Role, said: CommonWords, cwd: string, readKeyFile: ReadKeyFile): CommonSettings {
  const keyFile = required(said['key-file'], 'key-file', wordsOf[role]['key-file'])
  const [metrics, idle, format] = [said.metrics[0], said.idle[0], said['log-format'][0]]
  return {
    ...instance(role, said, cwd),
    key: keyOf(keyFile, cwd, readKeyFile),
    attach: said.attach[0]?.value ?? 'auto',
    logLevel: said['log-level'][0]?.value ?? 'info',
    ...(metrics && { metrics: metrics.value }),
    ...(idle && { idleMs: idle.value }),
    ...(format && { logFormat: format.value }),
  }
}

function keyOf(said: SaidValue<string>, cwd: string, readKeyFile: ReadKeyFile): Buffer {
  try {
    return readKeyFile(pathOf(said, cwd))
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    throw unusable(said, `is not allowed: ${error.message}`)
  }
}

function demandInterface(said: SaidValue<string>): void {
  if (!interfaceExists(said.value)) throw notHere(said, directorWords.dev.allowed)
}

/**
 * A VIP that is not here takes no connections, and an answer of a server on loopback leaves by no interface: the program that would change it never sees it.
 */
function demandLocal(said: SaidValue<Address>): void {
  const { host } = said.value
  const own = Object.values(networkInterfaces()).flatMap(addresses => addresses ?? [])
  const isOwn = own.some(({ address }) => canonical(address) === canonical(host))
  if (!isOwn || isLoopback(host)) throw notHere(said, 'an address of this machine other than loopback, and a port')
}

/** A director that waits for its VIP: the kernel lets it listen (ip_nonlocal_bind). */
const mayBindElsewhere = (host: string): boolean =>
  readFileSync(`/proc/sys/net/${host.includes(':') ? 'ipv6' : 'ipv4'}/ip_nonlocal_bind`, 'utf8').trim() === '1'

/** RFC 5952, as URLs have it. */
const canonical = (host: string): string => (host.includes(':') ? new URL(`http://[${host.replace(/%.*/, '')}]`).hostname : host)
