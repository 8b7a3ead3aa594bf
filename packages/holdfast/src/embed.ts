/** Holdfast inside another program: `serve` folders and disks, or filesystems and block devices of your own, from Node. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { FileSystem } from '@holdfast/storage'
import { type Address, addressAllowed, defaultPorts, formatAddress, parseAddress } from './config/addresses.ts'
import { badValue, ConfigError } from './config/errors.ts'
import { type ConfiguredLimits, isLimitName, limitAllowed, type LimitName, parseLimit, sortLimits } from './config/limits.ts'
import { nodeNameAllowed, nodeNameFrom, nodeNamePattern, shareNameAllowed, shareNamePattern } from './config/names.ts'
import { allowed } from './config/words.ts'
import { checkLogins, checkMutualChap, parseVolumes, type VolumeToServe } from './embed-volumes.ts'
import { createLogger, type Logger } from './log.ts'
import { configuredUsers, type NodeConfig, type NodeShare, type ShareSource } from './node/node-config.ts'
import { startNode } from './node/node.ts'
import { lockStateFolder, openIdentity, openStateFolder } from './state/folder.ts'
import { openUserStore } from './state/users.ts'

/** A filesystem that every worker thread makes for itself: a module that exports `fileSystem(options)`. */
export interface ShareFromModule {
  readonly module: URL | string
  /** Handed to it; structured-cloneable. */
  readonly options?: unknown
}

/** A folder of this machine. */
export interface ShareFromFolder {
  readonly path: string
}

/** A filesystem of the calling thread. */
export interface ShareFromObject {
  readonly fileSystem: FileSystem
}

/** What every kind of share can be told. */
export interface ShareSettingsForServe {
  readonly comment?: string
  readonly readOnly?: boolean
  /** Clients have to encrypt. */
  readonly encrypt?: boolean
  /** Users see only what they may read. */
  readonly accessBasedEnumeration?: boolean
  /** An open sees its writes in the file's write time two seconds later, or when it flushes or closes it (as older Windows and Samba do). Default true. */
  readonly delayedWriteTimes?: boolean
  /** Over HTTP (`content`): whoever does not say who they are may read what every user may. */
  readonly isPublic?: boolean
  /** Over HTTP: its pages may run scripts, and an index.html stands for its folder. */
  readonly hasActiveContent?: boolean
  /** Names of those who may connect; everybody where it is left out. */
  readonly users?: readonly string[]
}

/** A folder's path, a FileSystem object, or either (or a module) with settings. */
export type ServedShare = string | FileSystem | ((ShareFromModule | ShareFromFolder | ShareFromObject) & ShareSettingsForServe)

/** What `serve` serves, to whom, and where. */
export interface ServeOptions {
  /** By share name. May be left out where there are volumes. */
  readonly shares?: Readonly<Record<string, ServedShare>>
  /**
   * Disks over iSCSI, by name: 1 to 63 lower-case letters, digits, dots and hyphens. The target of `disk0` is `iqn.2026-11.io.holdfast:disk0`, the
   * disk its LUN 0. Volumes that the state folder has already are served as well.
   */
  readonly volumes?: Readonly<Record<string, VolumeToServe>>
  /** Passwords by user name. iSCSI takes those of 12 characters or more. */
  readonly users: Readonly<Record<string, string>>
  /** The same for those who may also change things by the management API, at the addresses of `http`. */
  readonly admins?: Readonly<Record<string, string>>
  /** Where to listen for SMB; default `127.0.0.1:4450` where there are shares. Port 0 takes a free one. */
  readonly smb?: string | readonly string[]
  /** Where to listen for iSCSI; default `127.0.0.1:3260` where there are volumes. */
  readonly iscsi?: string | readonly string[]
  /**
   * The user whose name and password show initiators who the server is, where they ask (mutual CHAP). Let it be one of its own, which nobody logs
   * in with.
   */
  readonly mutualChap?: string
  /** Where to answer the management API and its console, /healthz, /readyz and /metrics; nowhere by default. */
  readonly http?: string | readonly string[]
  /** Where to serve the files of the shares over HTTP, to read; nowhere by default. */
  readonly content?: string | readonly string[]
  /** Who may read /metrics: who has logged in, which is the default, or whoever reaches it. */
  readonly metrics?: 'login' | 'open'
  /** A folder for users, keys, identity and volumes; by default a temporary one that goes with the server, and all that is in it. */
  readonly state?: string
  /** Worker threads; default one per core. */
  readonly workers?: number
  /** No worker threads: all runs in the calling thread. Needed, and the default, as soon as a share is a FileSystem object, or a volume a BlockDevice. */
  readonly inThread?: boolean
  readonly signing?: 'required' | 'enabled'
  readonly name?: string
  readonly limits?: Readonly<Partial<Record<LimitName, number | string>>>
  /** Silent by default. */
  readonly log?: Logger
}

/** A server that runs. */
export interface HoldfastServer extends AsyncDisposable {
  /** `127.0.0.1:4450`, one for each listener, with the ports that were really taken. */
  readonly smb: readonly string[]
  readonly iscsi: readonly string[]
  readonly http: readonly string[]
  readonly content: readonly string[]
  /** Stops accepting, finishes what runs. Idempotent. */
  close(): Promise<void>
}

/**
 * Serves shares and volumes until it is closed. Resolves when every listener is up.
 *
 * A FileSystem or BlockDevice object lives in the thread that made it, so all is served from there (`inThread`). To use all cores with a filesystem
 * of your own, give a module instead: every worker imports it and calls its `fileSystem(options)`.
 *
 * A volume is thin and lies in files of the state folder, or it is a BlockDevice. Who its disk is (serial number, designators) comes from its name and
 * the state's identity: with `state` it is the same disk after a restart, and persistent reservations are back.
 *
 * Throws ConfigError (`code` CONFIG) for options that are not allowed, StateError, ListenError (`code` EADDRINUSE, EACCES, …),
 * and VolumeError of @holdfast/storage/block.
 *
 * @example
 * // A folder, for smbclient //127.0.0.1/docs -p PORT -U alice
 * await using server = await serve({ shares: { docs: './docs' }, users: { alice: 'secret' }, smb: '127.0.0.1:0' })
 * console.log(server.smb)
 * @example
 * import { SmbClient } from '@holdfast/smb/client'
 * import { memory } from '@holdfast/storage'
 *
 * await using server = await serve({ shares: { scratch: memory() }, users: { alice: 'secret' }, smb: '127.0.0.1:0' })
 * const [host, port] = server.smb[0].split(':')
 * await using client = await SmbClient.connect({ host, port: Number(port), user: 'alice', password: 'secret' })
 * await using share = await client.share('scratch')
 * await share.writeFile('note.txt', 'remember the milk')
 * String(await share.readFile('note.txt')) // => 'remember the milk'
 * @example
 * // A disk in files of the state folder, and one in memory.
 * import { connectDisk } from '@holdfast/iscsi/initiator'
 * import { memoryDevice } from '@holdfast/storage/block'
 *
 * await using server = await serve({
 *   volumes: { disk0: '10GiB', scratch: { device: memoryDevice({ sizeBytes: 64 << 20 }), users: ['alice'] } },
 *   users: { alice: 'correct horse' },
 *   iscsi: '127.0.0.1:0',
 * })
 * const [host, port] = server.iscsi[0].split(':')
 * const target = 'iqn.2026-11.io.holdfast:scratch'
 * await using disk = await connectDisk({ host, port: Number(port), target, user: 'alice', password: 'correct horse' })
 * await disk.write(0, Buffer.alloc(4096, 'x'), { fua: true })
 * String(await disk.read(512, 512)).slice(0, 3) // => 'xxx'
 * @example
 * await using server = await serve({
 *   shares: { archive: { module: new URL('./zip-filesystem.ts', import.meta.url), options: { file: 'archive.zip' }, readOnly: true } },
 *   users: { alice: 'secret' },
 *   smb: '127.0.0.1:0',
 * })
 */
export async function serve(options: ServeOptions): Promise<HoldfastServer> {
  const shares = Object.entries(options.shares ?? {}).map(([name, share]) => parseShare(name, share))
  const fileSystems = new Map(shares.flatMap(({ share, object }) => (object === undefined ? [] : [[share.name, object] as const])))
  const { volumes, devices, objects } = parseVolumes(options.volumes ?? {})
  if (options.inThread === false) checkThreads([...fileSystems.keys()], [...objects.keys()])
  const inThread = options.inThread ?? fileSystems.size + objects.size > 0
  if (inThread && options.workers !== undefined && options.workers !== 1)
    throw badValue({ key: 'workers', isOption: true }, options.workers, '1 with inThread')
  const addresses = parseAddresses(options, volumes.length + devices.length > 0)
  const limits = parseLimits(options.limits ?? {})
  const name = options.name ?? nodeNameFrom('holdfast')
  if (!nodeNamePattern.test(name)) throw badValue({ key: 'name', isOption: true }, name, nodeNameAllowed)
  if (options.workers !== undefined && !(Number.isInteger(options.workers) && options.workers >= 1 && options.workers <= 64)) {
    throw badValue({ key: 'workers', isOption: true }, options.workers, allowed.workers)
  }

  using cleanup = new DisposableStack()
  const stateDir = options.state === undefined ? temporaryState(cleanup) : resolve(options.state)
  openStateFolder(stateDir)
  cleanup.use(lockStateFolder(stateDir))
  const users = openUserStore(stateDir)
  const { admins = {} } = options
  for (const [user, password] of Object.entries(options.users)) users.set({ name: user, password })
  for (const [user, password] of Object.entries(admins)) users.set({ name: user, password, role: 'admin' })
  checkLogins([...volumes, ...devices], users.list())
  if (options.mutualChap !== undefined) checkMutualChap(options.mutualChap, users.list())

  const config: NodeConfig = {
    name: name.toUpperCase(),
    stateDir,
    identity: openIdentity(stateDir),
    shares: shares.map(({ share }) => share),
    users: configuredUsers(Object.keys(options.users), Object.keys(admins)),
    volumes,
    devices,
    ...addresses,
    ...(options.mutualChap !== undefined && { mutualChap: options.mutualChap }),
    ...(options.workers !== undefined && { workers: options.workers }),
    ...(inThread && { inThread }),
    signing: options.signing ?? 'required',
    ...(options.metrics && { metrics: options.metrics }),
    limits,
  }
  const log = options.log ?? createLogger({ level: 'silent', format: 'json' })
  const node = await startNode(config, { log, fileSystems, devices: objects })
  const resources = cleanup.move()
  const close = async (): Promise<void> => {
    try {
      await node.close()
    } finally {
      resources.dispose()
    }
  }
  const { smb, iscsi, http, content } = node.listeners
  return {
    smb: smb.map(formatAddress),
    iscsi: iscsi.map(formatAddress),
    http: http.map(formatAddress),
    content: content.map(formatAddress),
    close,
    [Symbol.asyncDispose]: close,
  }
}

function temporaryState(cleanup: DisposableStack): string {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-'))
  cleanup.defer(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

const isFileSystem = (share: object): share is FileSystem => 'features' in share && 'open' in share

function parseShare(name: string, share: ServedShare): { share: NodeShare; object?: FileSystem } {
  if (!shareNamePattern.test(name)) throw badValue({ key: 'shares', isOption: true }, name, shareNameAllowed)
  const given = typeof share === 'string' ? { path: share } : isFileSystem(share) ? { fileSystem: share } : share
  const {
    comment = '',
    readOnly = false,
    encrypt = false,
    accessBasedEnumeration,
    delayedWriteTimes,
    isPublic,
    hasActiveContent,
    users,
  } = given as ShareSettingsForServe
  const made = (source: ShareSource): NodeShare => ({
    name,
    source,
    comment,
    readOnly,
    encrypt,
    ...(accessBasedEnumeration !== undefined && { accessBasedEnumeration }),
    ...(delayedWriteTimes !== undefined && { delayedWriteTimes }),
    ...(isPublic !== undefined && { isPublic }),
    ...(hasActiveContent !== undefined && { hasActiveContent }),
    ...(users && { users }),
  })
  if ('fileSystem' in given) return { share: made({ kind: 'object' }), object: given.fileSystem }
  if ('path' in given) return { share: made({ kind: 'directory', path: resolve(given.path) }) }
  if (!('module' in given))
    throw badValue({ key: `shares.${name}`, isOption: true }, share, 'a path, a FileSystem, or an object with path, fileSystem or module')
  const url = given.module instanceof URL ? given.module.href : /^[a-z]+:/.test(given.module) ? given.module : pathToFileURL(given.module).href
  return { share: made({ kind: 'module', url, options: given.options }) }
}

/** Objects cannot leave this thread. Throws ConfigError. */
function checkThreads(shares: readonly string[], volumes: readonly string[]): void {
  if (shares.length > 0) {
    const remedy = 'give a module instead'
    throw new ConfigError(`inThread: false is not allowed: the share ${shares.join(', ')} is an object of this thread; ${remedy}`)
  }
  if (volumes.length > 0)
    throw new ConfigError(`inThread: false is not allowed: the device of the volume ${volumes.join(', ')} is an object of this thread; leave it out`)
}

type Addresses = Required<Pick<NodeConfig, 'smb' | 'iscsi' | 'http' | 'content'>>

/** Throws ConfigError. */
function parseAddresses({ shares, smb, iscsi, http, content }: ServeOptions, hasVolumes: boolean): Addresses {
  const parse = (key: keyof Addresses, texts: string | readonly string[] = []): Address[] =>
    (typeof texts === 'string' ? [texts] : texts).map(text => {
      const address = parseAddress(text, defaultPorts[key])
      if (address === undefined) throw badValue({ key, isOption: true }, text, addressAllowed)
      return address
    })
  const byDefault = (key: keyof Addresses, isServed: boolean): string[] => (isServed ? [`127.0.0.1:${defaultPorts[key]}`] : [])
  const addresses = {
    smb: parse('smb', smb ?? byDefault('smb', shares !== undefined)),
    iscsi: parse('iscsi', iscsi ?? byDefault('iscsi', hasVolumes)),
    http: parse('http', http),
    content: parse('content', content),
  }
  if (Object.values(addresses).every(list => list.length === 0)) throw new ConfigError('there is nothing to serve; give shares, or volumes')
  return addresses
}

function parseLimits(given: Readonly<Record<string, number | string | undefined>>): ConfiguredLimits {
  const values = new Map<LimitName, number>()
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue
    if (!isLimitName(name)) throw badValue({ key: 'limits', isOption: true }, name, allowed.limits)
    const parsed = parseLimit(name, value)
    if (parsed === undefined) throw badValue({ key: `limits.${name}`, isOption: true }, value, limitAllowed(name))
    values.set(name, parsed)
  }
  return sortLimits(values)
}
