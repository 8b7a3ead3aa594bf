/** Flags over file over defaults: the configuration of a node as the product understands it. */

import { statSync } from 'node:fs'
import { hostname } from 'node:os'
import { dirname, resolve } from 'node:path'
import { type Address, addressAllowed, defaultPorts, parseAddress } from './addresses.ts'
import { badValue, ConfigError, type Origin, originText, quoted } from './errors.ts'
import { type RawConfig, readConfigFile } from './file.ts'
import { type ConfiguredLimits, isLimitName, limitAllowed, type LimitName, parseLimit, sortLimits } from './limits.ts'
import { nodeNameFrom, shareNameAllowed, shareNamePattern, userNamePattern } from './names.ts'
import { isShareOption, type ShareFlags, shareFlagsOf, shareOptionProblem } from './shares.ts'
import { checkVolumes, parseVolume, type VolumeSettings } from './volumes.ts'
import {
  allowed,
  type anonymousModes,
  type metricsModes,
  type logFormats,
  type logLevels,
  type ntlmModes,
  type ShareOption,
  type signingModes,
  type WordName,
  wordNames,
  wordOf,
} from './words.ts'

export interface ShareSettings extends ShareFlags {
  readonly name: string
  /** Absolute path of the folder. */
  readonly path: string
  readonly comment: string
  /** Everybody where undefined. */
  readonly users?: readonly string[]
}

export interface UserSettings {
  readonly name: string
  readonly password: string
}

export interface KerberosSettings {
  /** Absolute path of the keytab. */
  readonly keytab: string
  /** Those of the keytab's principals where undefined. */
  readonly realms?: readonly string[]
}

export interface Config {
  /** Absolute path. */
  readonly stateDir: string
  readonly shares: readonly ShareSettings[]
  readonly volumes: readonly VolumeSettings[]
  /** Absolute path of the folder that has the volumes' bytes; the one that was said last, or `volumes` in the state, where undefined. */
  readonly volumesDir?: string
  readonly users: readonly UserSettings[]
  /** Who may change things by the management API. */
  readonly admins: readonly UserSettings[]
  readonly smb: readonly Address[]
  readonly iscsi: readonly Address[]
  /** The user whose name and password show initiators who the target is. */
  readonly mutualChap?: string
  readonly http: readonly Address[]
  /** Of the shares, over HTTP. */
  readonly content: readonly Address[]
  /** As many as there are cores where undefined. */
  readonly workers?: number
  /** Given, or after the machine. */
  readonly nodeName: string
  /** True when it was given, and is to be told in the ready line. */
  readonly nodeNamed: boolean
  readonly signing: (typeof signingModes)[number]
  /** Clients may log in with Kerberos. */
  readonly kerberos?: KerberosSettings
  /** Whether they may with a password. */
  readonly ntlm: (typeof ntlmModes)[number]
  /** Whether clients without a name get sessions, which reach no share. */
  readonly anonymous: (typeof anonymousModes)[number]
  readonly metrics: (typeof metricsModes)[number]
  readonly limits: ConfiguredLimits
  readonly logLevel: (typeof logLevels)[number]
  /** By whether stderr is a terminal where undefined. */
  readonly logFormat?: (typeof logFormats)[number]
}

/** What the command line gave: a text for each word, a list of texts for the repeatable ones. */
export type Flags = Partial<Record<WordName, string | readonly string[]>> & { readonly config?: string }

export interface ResolveOptions {
  /** What relative paths of flags start from; default the process's. */
  readonly cwd?: string
  readonly hostname?: string
}

/** A value with where it came from. Relative paths in a file are relative to the file. */
interface Given {
  readonly value: unknown
  readonly origin: Origin
  readonly base: string
}

const asList = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [value])

/**
 * Reads, merges and checks. Throws `ConfigError` with one line that names the key, the value and what is allowed.
 *
 * @example
 * const config = resolveConfig({ share: ['docs=./docs,read-only'], user: ['alice:secret'], smb: ['127.0.0.1:0'] })
 */
export function resolveConfig(flags: Flags, options: ResolveOptions = {}): Config {
  const cwd = options.cwd ?? process.cwd()
  const filePath = flags.config
  const file: RawConfig = filePath === undefined ? {} : readConfigFile(resolve(cwd, filePath))
  const given = (word: WordName): Given[] => {
    const flag = flags[word]
    if (flag !== undefined) return asList(flag).map(value => ({ value, origin: { key: word }, base: cwd }))
    const value = file[word]
    if (value === undefined || filePath === undefined) return []
    return asList(value).map(item => ({ value: item, origin: { key: word, file: filePath }, base: dirname(resolve(cwd, filePath)) }))
  }
  for (const word of wordNames) refuseWhatIsMissing(word, given(word))

  const single = (word: WordName): Given | undefined => given(word).at(-1)
  const node = single('node')
  const workers = single('workers')
  const logFormat = single('log-format')
  const state = single('state')
  const volumes = single('volumes')
  const kerberos = parseKerberos(single('keytab'), given('realm'))
  const mutualChap = single('mutual-chap')
  if (node) checkShape('node', node)
  if (mutualChap) checkShape('mutual-chap', mutualChap)
  const ntlm = parseNtlm(single('ntlm'), kerberos)
  return {
    stateDir: state === undefined ? resolve(cwd, '.holdfast') : resolve(state.base, textOf(state, allowed.folder)),
    shares: checkShares(given('share').map(parseShare)),
    volumes: checkVolumes(given('volume').map(({ value, origin }) => ({ volume: parseVolume(value, origin), origin }))),
    ...(volumes && { volumesDir: resolve(volumes.base, textOf(volumes, allowed.folder)) }),
    users: given('user').map(parseUser),
    admins: given('admin').map(parseUser),
    smb: given('smb').map(item => parseListen(item, defaultPorts.smb)),
    iscsi: given('iscsi').map(item => parseListen(item, defaultPorts.iscsi)),
    ...(mutualChap && { mutualChap: String(mutualChap.value) }),
    http: given('http').map(item => parseListen(item, defaultPorts.http)),
    content: given('content').map(item => parseListen(item, defaultPorts.content)),
    ...(workers && { workers: parseWorkers(workers) }),
    nodeName: node === undefined ? nodeNameFrom(options.hostname ?? hostname()) : String(node.value),
    nodeNamed: node !== undefined,
    signing: choice('signing', single('signing')) ?? 'required',
    ...(kerberos && { kerberos }),
    ntlm,
    anonymous: parseAnonymous(single('anonymous'), ntlm),
    metrics: choice<Config['metrics']>('metrics', single('metrics')) ?? 'login',
    limits: sortLimits(parseLimits(file.limit, filePath, flags.limit)),
    logLevel: choice('log-level', single('log-level')) ?? 'info',
    ...(logFormat && { logFormat: choice<'json' | 'pretty'>('log-format', logFormat)! }),
  }
}

function refuseWhatIsMissing(word: WordName, values: readonly Given[]): void {
  const { notYet } = wordOf(word)
  const [first] = values
  if (notYet === undefined || first === undefined) return
  throw new ConfigError(`${originText(first.origin)} is not available yet: this version does not have ${notYet}`, 'NOT_AVAILABLE')
}

/** Checks a flag's text by the schema that the file's value had to pass. */
function checkShape(word: WordName, { value, origin }: Given): void {
  if (!wordOf(word).schema.safeParse(value).success) throw badValue(origin, value, wordOf(word).allowed)
}

function choice<T extends string>(word: WordName, given: Given | undefined): T | undefined {
  if (given === undefined) return undefined
  checkShape(word, given)
  return given.value as T
}

function textOf({ value, origin }: Given, allowedText: string): string {
  if (typeof value !== 'string' || value === '') throw badValue(origin, value, allowedText)
  return value
}

function parseWorkers({ value, origin }: Given): number {
  const count = /^\d{1,3}$/.test(String(value)) ? Number(value) : NaN
  if (!(count >= 1 && count <= 64)) throw badValue(origin, value, allowed.workers)
  return count
}

function parseListen(given: Given, defaultPort: number): Address {
  const text = textOf(given, addressAllowed)
  const address = parseAddress(text, defaultPort)
  if (address === undefined) throw badValue(given.origin, text, addressAllowed)
  return address
}

function parseKerberos(keytab: Given | undefined, realms: readonly Given[]): KerberosSettings | undefined {
  for (const realm of realms) checkShape('realm', realm)
  const [realm] = realms
  if (keytab === undefined) {
    if (realm !== undefined) throw new ConfigError(`${originText(realm.origin)} says whose Kerberos users may log in; it needs --keytab FILE`)
    return undefined
  }
  const path = resolve(keytab.base, textOf(keytab, allowed.keytab))
  return { keytab: path, ...(realm !== undefined && { realms: realms.map(({ value }) => String(value)) }) }
}

function parseNtlm(given: Given | undefined, kerberos: KerberosSettings | undefined): Config['ntlm'] {
  const ntlm = choice<Config['ntlm']>('ntlm', given) ?? 'on'
  if (given !== undefined && ntlm === 'off' && kerberos === undefined) {
    throw new ConfigError(`${originText(given.origin)}: without NTLM nobody could log in; "off" needs Kerberos (--keytab FILE)`)
  }
  return ntlm
}

function parseAnonymous(given: Given | undefined, ntlm: Config['ntlm']): Config['anonymous'] {
  const anonymous = choice<Config['anonymous']>('anonymous', given) ?? 'off'
  if (given !== undefined && anonymous === 'on' && ntlm === 'off') {
    throw new ConfigError(`${originText(given.origin)}: only NTLM knows clients without a name; "on" needs --ntlm on`)
  }
  return anonymous
}

function parseUser(given: Given): UserSettings {
  const text = typeof given.value === 'string' ? given.value : ''
  const colon = text.indexOf(':')
  const [name, password] = [text.slice(0, Math.max(colon, 0)), text.slice(colon + 1)]
  // The value holds a password: only what stands before the colon may be shown.
  const shown = colon === -1 ? '***' : `${name}:***`
  if (colon < 1 || password === '' || password.length > 256 || !userNamePattern.test(name)) throw badValue(given.origin, shown, allowed.user)
  return { name, password }
}

interface ParsedShare {
  readonly share: ShareSettings
  readonly origin: Origin
}

function parseShare(given: Given): ParsedShare {
  const { value, origin, base } = given
  if (typeof value === 'object' && value !== null) {
    const {
      name,
      path,
      options = [],
      comment = '',
      users,
    } = value as { name: string; path: string; options?: ShareOption[]; comment?: string; users?: string[] }
    return { share: makeShare({ name, path: resolve(base, path), options, origin, comment, ...(users && { users }) }), origin }
  }
  const text = textOf(given, allowed.share)
  const equals = text.indexOf('=')
  const [folder = '', ...options] = text.slice(equals + 1).split(',')
  if (equals < 1 || folder === '') throw badValue(origin, text, allowed.share)
  const unknown = options.find(option => !isShareOption(option))
  if (unknown !== undefined) throw badValue(origin, text, `${allowed.share}; ${quoted(unknown)} is none of them`)
  return {
    share: makeShare({ name: text.slice(0, equals), path: resolve(base, folder), options: options as ShareOption[], origin, comment: '' }),
    origin,
  }
}

interface ShareParts {
  readonly name: string
  readonly path: string
  readonly options: readonly ShareOption[]
  readonly origin: Origin
  readonly comment: string
  readonly users?: readonly string[]
}

function makeShare({ name, path, options, origin, comment, users }: ShareParts): ShareSettings {
  if (!shareNamePattern.test(name)) throw badValue(origin, name, shareNameAllowed)
  const problem = options.map(option => shareOptionProblem(option, options)).find(found => found !== undefined)
  if (problem !== undefined) throw new ConfigError(`${originText(origin)}: ${problem}`, 'NOT_AVAILABLE')
  return {
    name,
    path,
    ...shareFlagsOf(options),
    comment,
    ...(users && { users }),
  }
}

function checkShares(parsed: readonly ParsedShare[]): ShareSettings[] {
  const seen = new Set<string>()
  for (const { share, origin } of parsed) {
    const key = share.name.toUpperCase()
    if (seen.has(key)) throw badValue(origin, share.name, 'each share name once (case does not count)')
    seen.add(key)
    if (!isFolder(share.path)) throw badValue(origin, share.path, 'a folder that exists')
  }
  return parsed.map(({ share }) => share)
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    return false
  }
}

function parseLimits(fromFile: unknown, file: string | undefined, flags: string | readonly string[] | undefined): Map<LimitName, number> {
  const values = new Map<LimitName, number>()
  const set = (name: string, value: string | number, origin: Origin): void => {
    if (!isLimitName(name)) throw badValue(origin, `${name}=${value}`, allowed.limit)
    const parsed = parseLimit(name, value)
    if (parsed === undefined) throw badValue(origin, `${name}=${value}`, limitAllowed(name))
    values.set(name, parsed)
  }
  for (const [name, value] of Object.entries((fromFile ?? {}) as Record<string, string | number>)) {
    set(name, value, { key: `limit.${name}`, ...(file !== undefined && { file }) })
  }
  for (const text of flags === undefined ? [] : asList(flags)) {
    const [name = '', value] = String(text).split('=')
    if (value === undefined) throw badValue({ key: 'limit' }, text, allowed.limit)
    set(name, value, { key: 'limit' })
  }
  return values
}
