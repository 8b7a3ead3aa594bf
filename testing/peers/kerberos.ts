/** A private Kerberos realm on loopback: MIT's KDC of Debian's krb5-kdc, in a temporary folder. */
import { spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import type { Socket } from 'node:dgram'
import { once } from 'node:events'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { Server } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { killGroup, mustRun, runCommand } from './command.ts'
import { temporaryFolder } from './folder.ts'
import { findProgram } from './packages.ts'
import type { Endpoint } from './server.ts'
import { clientSettings } from './smbclient.ts'
import type { SmbclientResult } from './smbclient.ts'

/** What `missing` is asked for before a realm is started. */
export const kerberosPeers = ['krb5kdc', 'kadmin.local', 'kinit', 'libgssapi'] as const

/** What the server is called in the realm. Samba's clients take no Kerberos for `localhost`, and look nowhere for a name whose address they are told. */
export const serverName = 'files.example.test'

/** A running KDC; stopped with `await using`. */
export interface KerberosRealm extends AsyncDisposable {
  readonly name: string
  readonly kdcPort: number
  /** For programs that are to be clients of the realm. */
  readonly environment: Readonly<Record<string, string>>
  /** Adds a principal, `cifs/NAME` for instance, with a random key or a password. */
  addPrincipal(name: string, password?: string): Promise<void>
  /** Writes the keys of principals to a file, and returns its path. Makes new keys unless told otherwise. */
  keytab(file: string, ...principals: readonly string[]): Promise<string>
  /** Logs in and returns the environment with the tickets. `lifetime`: as for `kinit -l`. */
  login(principal: string, password: string, options?: { readonly lifetime?: string }): Promise<Readonly<Record<string, string>>>
}

/** krb5.conf of a realm whose KDC is on this port, or of a machine that knows no realm. */
export function krb5Conf(options: { readonly realm?: string; readonly kdcPort?: number; readonly clockSkewSeconds?: number } = {}): string {
  const { realm, kdcPort, clockSkewSeconds } = options
  return [
    '[libdefaults]',
    ...(realm === undefined ? [] : [`default_realm = ${realm}`]),
    ...(clockSkewSeconds === undefined ? [] : [`clockskew = ${clockSkewSeconds}`]),
    'dns_lookup_realm = false',
    'dns_lookup_kdc = false',
    'dns_canonicalize_hostname = false',
    'rdns = false',
    ...(realm === undefined ? [] : ['[realms]', `${realm} = {`, `kdc = 127.0.0.1:${kdcPort}`, '}', '[domain_realm]', `${serverName} = ${realm}`]),
    '',
  ].join('\n')
}

/** Below the ports that the system gives to clients, of which other tests use many: free for TCP and UDP. */
async function freeKdcPort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_000)
    if ((await canBind(createServer().listen(port, '127.0.0.1'))) && (await canBind(createSocket('udp4').bind(port, '127.0.0.1')))) return port
  }
}

async function canBind(socket: Server | Socket): Promise<boolean> {
  const bound = await once(socket, 'listening').then(
    () => true,
    () => false,
  )
  if (bound) await new Promise<void>(resolve => socket.close(() => resolve()))
  return bound
}

/** How often a KDC that does not come up (somebody else took its port) is tried. */
const starts = 5

/** Makes a realm with its database and starts its KDC. `encryptionTypes`: those of all its keys, in MIT's words. */
export async function startRealm(name: string, options: { readonly encryptionTypes?: string } = {}): Promise<KerberosRealm> {
  for (let attempt = 1; attempt < starts; attempt++) {
    try {
      return await startRealmOnce(name, options)
    } catch {
      // Another port, then.
    }
  }
  return await startRealmOnce(name, options)
}

async function startRealmOnce(name: string, options: { readonly encryptionTypes?: string }): Promise<KerberosRealm> {
  const folder = temporaryFolder('kerberos')
  const port = await freeKdcPort()
  const { encryptionTypes = 'aes256-cts-hmac-sha1-96' } = options
  mkdirSync(folder.at('kdc'))
  chmodSync(folder.at('kdc'), 0o700)
  writeFileSync(folder.at('krb5.conf'), krb5Conf({ realm: name, kdcPort: port }))
  writeFileSync(
    folder.at('kdc', 'kdc.conf'),
    [
      '[kdcdefaults]',
      `kdc_listen = 127.0.0.1:${port}`,
      `kdc_tcp_listen = 127.0.0.1:${port}`,
      '[realms]',
      `${name} = {`,
      `database_name = ${folder.at('kdc', 'principal')}`,
      `key_stash_file = ${folder.at('kdc', 'stash')}`,
      `supported_enctypes = ${encryptionTypes}:normal`,
      `master_key_type = aes256-cts-hmac-sha1-96`,
      'max_life = 1h',
      '}',
      '',
    ].join('\n'),
  )
  const environment = { KRB5_CONFIG: folder.at('krb5.conf'), KRB5_KDC_PROFILE: folder.at('kdc', 'kdc.conf') }
  const kadmin = async (...words: string[]): Promise<string> => {
    const result = await runCommand('kadmin.local', ['-r', name, '-q', words.join(' ')], { env: environment })
    // It ends with 0 whatever happens; what went wrong it says on stderr.
    if (result.status !== 0 || /kadmin\.local: |^\w+: .* while /m.test(result.stderr)) throw new Error(`kadmin.local ${words[0]}: ${result.stderr}`)
    return result.stdout
  }
  await mustRun('kdb5_util', ['-r', name, 'create', '-s', '-P', 'master-of-the-test'], { env: environment })

  const child = spawn(findProgram('krb5kdc') ?? 'krb5kdc', ['-n', '-r', name], {
    env: { ...process.env, ...environment },
    stdio: 'ignore',
    detached: true,
  })
  const exited = once(child, 'exit')
  const end = (): void => killGroup(child)
  process.once('exit', end)
  let logins = 0

  const realm: KerberosRealm = {
    name,
    kdcPort: port,
    environment,
    async addPrincipal(principal, password) {
      await kadmin('add_principal', ...(password === undefined ? ['-randkey'] : ['-pw', password]), principal)
    },
    async keytab(file, ...principals) {
      const path = folder.at(file)
      await kadmin('ktadd', '-k', path, ...principals)
      chmodSync(path, 0o600)
      return path
    },
    async login(principal, password, { lifetime } = {}) {
      const env = { ...environment, KRB5CCNAME: `FILE:${join(folder.path, `tickets-${++logins}`)}` }
      await mustRun('kinit', [...(lifetime === undefined ? [] : ['-l', lifetime]), principal], { env, stdin: `${password}\n` })
      return env
    },
    async [Symbol.asyncDispose]() {
      end()
      if (child.exitCode === null && child.signalCode === null) await exited
      process.off('exit', end)
      await folder[Symbol.asyncDispose]()
    },
  }
  try {
    const password = 'Is-It-Up-3'
    await realm.addPrincipal('probe', password)
    for (let attempt = 0; attempt < 50; attempt++) {
      if (child.exitCode !== null) break
      try {
        await realm.login('probe', password)
        return realm
      } catch {
        // The KDC does not answer yet.
        await sleep(100)
      }
    }
    throw new Error('krb5kdc does not answer')
  } catch (error) {
    await realm[Symbol.asyncDispose]()
    throw error
  }
}

/** One call of smbclient with Kerberos tickets. */
export interface KerberosSmbclientOptions {
  readonly endpoint: Endpoint
  readonly share: string
  /** With the tickets: what `login` returned. */
  readonly environment: Readonly<Record<string, string>>
  readonly commands: readonly string[]
  /** Default: sign. */
  readonly protection?: 'sign' | 'encrypt'
  /** More lines of smb.conf. */
  readonly settings?: readonly string[]
  readonly cwd?: string
  readonly timeoutMs?: number
}

/** smbclient, which asks for a ticket of `cifs/` and the server's name, and has no other way in. */
export async function kerberosSmbclient(options: KerberosSmbclientOptions): Promise<SmbclientResult> {
  const { endpoint, share, environment, commands, protection = 'sign', settings = [], cwd, timeoutMs = 60_000 } = options
  const args = [
    '--configfile=/dev/null',
    ...[...clientSettings(protection), ...settings].map(line => `--option=${line.replace(' = ', '=')}`),
    `--port=${endpoint.port}`,
    '--use-kerberos=required',
    `--use-krb5-ccache=${environment['KRB5CCNAME']}`,
    `--ip-address=${endpoint.host}`,
    `//${serverName}/${share}`,
    // From stdin, so that a command may run a command of this machine (`!sleep 5`).
  ]
  const stdin = `${commands.join('\n')}\n`
  const result = await runCommand('smbclient', args, { timeoutMs, env: environment, stdin, ...(cwd === undefined ? {} : { cwd }) })
  return { ...result, ntStatus: /NT_STATUS_[A-Z0-9_]+/.exec(result.stdout + result.stderr)?.[0] }
}
