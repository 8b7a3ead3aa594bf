/** The programs of others that the suites run against, and how they come onto a machine. */
import { spawn } from 'node:child_process'
import { accessSync, constants, existsSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** A program a suite needs, by Debian package. */
interface Peer {
  readonly debianPackage: string
  /** Where to look for it: a program on the PATH, or a file. */
  readonly program?: string
  readonly file?: RegExp
}

/** All peers by the name tests ask for them. */
const peers = {
  smbd: { program: 'smbd', debianPackage: 'samba' },
  smbpasswd: { program: 'smbpasswd', debianPackage: 'samba-common-bin' },
  'samba-vfs-modules': { debianPackage: 'samba-vfs-modules' },
  smbclient: { program: 'smbclient', debianPackage: 'smbclient' },
  smbtorture: { program: 'smbtorture', debianPackage: 'samba-testsuite' },
  'mount.cifs': { program: 'mount.cifs', debianPackage: 'cifs-utils' },
  curl: { program: 'curl', debianPackage: 'curl' },
  krb5kdc: { program: 'krb5kdc', debianPackage: 'krb5-kdc' },
  'kadmin.local': { program: 'kadmin.local', debianPackage: 'krb5-admin-server' },
  kinit: { program: 'kinit', debianPackage: 'krb5-user' },
  libgssapi: { debianPackage: 'libgssapi-krb5-2' },
  tar: { program: 'tar', debianPackage: 'tar' },
  'mkfs.btrfs': { program: 'mkfs.btrfs', debianPackage: 'btrfs-progs' },
  'mkfs.ext4': { program: 'mkfs.ext4', debianPackage: 'e2fsprogs' },
  'mkfs.xfs': { program: 'mkfs.xfs', debianPackage: 'xfsprogs' },
  mount: { program: 'mount', debianPackage: 'mount' },
  'iscsi-test-cu': { program: 'iscsi-test-cu', debianPackage: 'libiscsi-bin' },
  tgtd: { program: 'tgtd', debianPackage: 'tgt' },
  'qemu-img': { program: 'qemu-img', debianPackage: 'qemu-utils' },
  'qemu-block-extra': { debianPackage: 'qemu-block-extra' },
  chromium: { program: 'chromium', debianPackage: 'chromium' },
  nft: { program: 'nft', debianPackage: 'nftables' },
  nginx: { program: 'nginx', debianPackage: 'nginx-light' },
  haproxy: { program: 'haproxy', debianPackage: 'haproxy' },
  wrk: { program: 'wrk', debianPackage: 'wrk' },
  ip: { program: 'ip', debianPackage: 'iproute2' },
  nsenter: { program: 'nsenter', debianPackage: 'util-linux' },
  setpriv: { program: 'setpriv', debianPackage: 'util-linux' },
  'systemd-analyze': { program: 'systemd-analyze', debianPackage: 'systemd' },
  sg_inq: { program: 'sg_inq', debianPackage: 'sg3-utils' },
} as const satisfies Record<string, Peer>

/** The name of a peer. */
export type PeerName = keyof typeof peers

const searchPath = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin']

/** The full path of a program, also where only root has it on the PATH; undefined when it is not there. */
export function findProgram(name: string): string | undefined {
  return searchPath
    .filter(folder => folder !== '')
    .map(folder => join(folder, name))
    .find(path => {
      try {
        accessSync(path, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}

/** True when the process may do what only root may (mount, run smbd). */
export function isRoot(): boolean {
  return process.getuid?.() === 0
}

function isThere(peer: Peer): boolean {
  if (peer.program !== undefined) return findProgram(peer.program) !== undefined
  // A package without a program of its own: Debian's list of what is installed says.
  return !existsSync('/var/lib/dpkg/info') || existsSync(`/var/lib/dpkg/info/${peer.debianPackage}.list`) || existsSync(multiArch(peer.debianPackage))
}

function multiArch(debianPackage: string): string {
  const names: Partial<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' }
  return `/var/lib/dpkg/info/${debianPackage}:${names[process.arch] ?? process.arch}.list`
}

/**
 * For `{ skip: missing('smbclient', 'root') }`: false when everything is there, else what is missing and how to get it.
 * With CI set a missing peer is a failure: throws.
 */
export function missing(...wanted: readonly (PeerName | 'root')[]): string | false {
  const absent = wanted.flatMap(name => {
    if (name === 'root') return isRoot() ? [] : ['must run as root']
    return isThere(peers[name]) ? [] : [`${name} is missing (Debian: apt-get install ${peers[name].debianPackage})`]
  })
  if (absent.length === 0) return false
  if (process.env['CI'] !== undefined && process.env['CI'] !== '') throw new Error(`with CI set every peer must be there: ${absent.join('; ')}`)
  return absent.join('; ')
}

async function run(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<{ status: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const output: Buffer[] = []
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } })
    child.stdout.on('data', (chunk: Buffer) => output.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => output.push(chunk))
    child.on('error', reject)
    child.on('close', status => resolve({ status, output: Buffer.concat(output).toString() }))
  })
}

/**
 * Installs the Debian packages that are missing, as root on Debian; does nothing elsewhere.
 * Services that come with them are not started: the suites start what they need, on ports and in folders of their own.
 */
export async function installMissing(log: (line: string) => void): Promise<void> {
  const wanted = [
    ...new Set(
      Object.values<Peer>(peers)
        .filter(peer => !isThere(peer))
        .map(peer => peer.debianPackage),
    ),
  ]
  if (wanted.length === 0 || !isRoot() || !existsSync('/etc/debian_version')) return
  log(`installing ${wanted.join(', ')} (apt-get)`)
  const env = { DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' }
  const policy = '/usr/sbin/policy-rc.d'
  const ownPolicy = !existsSync(policy)
  // Status 101 from policy-rc.d is how Debian is told not to start a service at installation.
  if (ownPolicy) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    await run('apt-get', ['update', '-q'], env)
    const { status, output } = await run('apt-get', ['install', '-q', '-y', '--no-install-recommends', ...wanted], env)
    if (status !== 0) log(`apt-get failed (${status}):\n${output.slice(-2000)}`)
  } finally {
    if (ownPolicy) rmSync(policy, { force: true })
  }
}
