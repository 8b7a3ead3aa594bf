/** A private smbd of Samba on loopback, for client tests and side-by-side measurements. Needs root and Debian's packages. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { killGroup, mustRun } from './command.ts'
import { temporaryFolder } from './folder.ts'
import { findProgram } from './packages.ts'
import { freePort } from './port.ts'
import type { Account, Endpoint } from './server.ts'
import { smbclient } from './smbclient.ts'

/** A running smbd; stopped with `await using`. */
export interface Samba extends AsyncDisposable {
  readonly smb: Endpoint
  readonly accounts: readonly [Account, Account]
  /** Folder of a share. */
  folderOf(share: string): string
  readonly pid: number
}

/**
 * The users of the private smbd. They must be accounts of the machine, and none may be added for a test: these two come with every
 * Debian, cannot log in, and own nothing that matters.
 */
const accounts: readonly [Account, Account] = [
  { user: 'games', password: 'Correct-Horse-1' },
  { user: 'news', password: 'Battery-Staple-2' },
]

/** What a share of smbd is set up for. */
export type ShareKind = 'full' | 'default' | 'synchronous' | 'read-only'

const shareSettings: Readonly<Record<ShareKind, readonly string[]>> = {
  // Everything the protocol offers: streams, extended attributes, security descriptors, DOS attributes.
  full: [
    'read only = no',
    'create mask = 0777',
    'directory mask = 0777',
    'vfs objects = streams_xattr acl_xattr',
    'ea support = yes',
    'store dos attributes = yes',
    'map archive = no',
    'map readonly = no',
    'map system = no',
    'map hidden = no',
    'kernel share modes = no',
    'posix locking = no',
  ],
  // As Samba comes; what it is measured with.
  default: ['read only = no'],
  // What is written is on stable storage before it is answered.
  synchronous: ['read only = no', 'strict sync = yes', 'sync always = yes'],
  'read-only': ['read only = yes'],
}

function configuration(folder: string, port: number, shares: Readonly<Record<string, ShareKind>>): string {
  const lines = [
    '[global]',
    'server role = standalone server',
    'netbios name = PEER',
    'disable netbios = yes',
    'bind interfaces only = yes',
    'interfaces = 127.0.0.1',
    `smb ports = ${port}`,
    'server min protocol = SMB2_02',
    'map to guest = never',
    'load printers = no',
    'printcap name = /dev/null',
    'disable spoolss = yes',
    `passdb backend = tdbsam:${folder}/private/passdb.tdb`,
    `private dir = ${folder}/private`,
    `state directory = ${folder}/state`,
    `cache directory = ${folder}/cache`,
    `lock directory = ${folder}/lock`,
    `pid directory = ${folder}/run`,
    `ncalrpc dir = ${folder}/run/ncalrpc`,
    `log file = ${folder}/log/smbd`,
    'log level = 0',
    ...Object.entries(shares).flatMap(([name, kind]) => [`[${name}]`, `path = ${folder}/shares/${name}`, ...shareSettings[kind]]),
  ]
  return `${lines.join('\n')}\n`
}

/** Starts smbd with the given shares and waits until it answers. `cpus`: as for `taskset -c`. */
export async function startSamba(shares: Readonly<Record<string, ShareKind>>, options: { readonly cpus?: string } = {}): Promise<Samba> {
  const folder = temporaryFolder('samba')
  const port = await freePort()
  for (const name of ['private', 'state', 'cache', 'lock', 'run/ncalrpc', 'log']) mkdirSync(folder.at(name), { recursive: true })
  chmodSync(folder.at('private'), 0o700)
  for (const name of Object.keys(shares)) {
    mkdirSync(folder.at('shares', name), { recursive: true })
    chmodSync(folder.at('shares', name), 0o777)
  }
  const config = folder.at('smb.conf')
  writeFileSync(config, configuration(folder.path, port, shares))
  for (const { user, password } of accounts) {
    await mustRun('smbpasswd', ['-c', config, '-s', '-a', user], { stdin: `${password}\n${password}\n` })
  }

  const smbd = findProgram('smbd') ?? 'smbd'
  const words = [smbd, '--foreground', '--no-process-group', `--configfile=${config}`, `--log-basename=${folder.at('log')}`]
  const [program = smbd, ...args] = options.cpus === undefined ? words : ['taskset', '-c', options.cpus, ...words]
  // In a group of its own: smbd passes the signal that ends it on to its whole group.
  const child = spawn(program, args, { stdio: 'ignore', detached: true })
  const exited = once(child, 'exit')
  const end = (): void => killGroup(child)
  process.once('exit', end)
  const samba: Samba = {
    smb: { host: '127.0.0.1', port },
    accounts,
    folderOf: share => folder.at('shares', share),
    pid: child.pid ?? 0,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null) child.kill('SIGTERM')
      await exited
      // It has a process per connection, some of which may still be about.
      end()
      process.off('exit', end)
      await folder[Symbol.asyncDispose]()
    },
  }
  const share = Object.keys(shares)[0] ?? ''
  for (let attempt = 0; attempt < 100; attempt++) {
    const probe = await smbclient({ endpoint: samba.smb, share, account: accounts[0], commands: ['ls'], timeoutMs: 5000 })
    if (probe.ntStatus === undefined && probe.status === 0) return samba
    if (child.exitCode !== null) break
    await sleep(100)
  }
  await samba[Symbol.asyncDispose]()
  throw new Error('smbd does not answer')
}
