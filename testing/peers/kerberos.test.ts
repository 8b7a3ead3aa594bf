import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { randomContent, temporaryFolder } from './folder.ts'
import type { TemporaryFolder } from './folder.ts'
import { kerberosPeers, kerberosSmbclient, krb5Conf, serverName, startRealm } from './kerberos.ts'
import type { KerberosRealm, KerberosSmbclientOptions } from './kerberos.ts'
import { missing } from './packages.ts'
import { alice, startServer } from './server.ts'
import type { Server, ServerOptions } from './server.ts'
import { smbclient } from './smbclient.ts'
import type { SmbclientResult } from './smbclient.ts'

const password = 'Of-The-Realm-9'

describe('Kerberos: a realm of MIT, smbclient of Samba', { skip: missing('smbclient', ...kerberosPeers) }, () => {
  let folder: TemporaryFolder
  let realm: KerberosRealm
  let keytab: string
  let server: Server
  let tickets: Readonly<Record<string, string>>

  const start = async (more: Partial<ServerOptions> & { readonly conf?: string; readonly keytab?: string } = {}): Promise<Server> => {
    // The server needs to know nothing of the realm but its own keys.
    writeFileSync(folder.at('server.conf'), more.conf ?? krb5Conf())
    return startServer({
      shares: { docs: folder.at('docs'), locked: `${folder.at('locked')},encrypt` },
      env: { KRB5_CONFIG: folder.at('server.conf') },
      ...more,
      extra: ['--keytab', more.keytab ?? keytab, ...(more.extra ?? [])],
    })
  }

  before(async () => {
    folder = temporaryFolder('kerberos-server')
    for (const name of ['docs', 'locked', 'local']) mkdirSync(folder.at(name))
    realm = await startRealm('EXAMPLE.TEST')
    for (const user of ['alice', 'mallory', 'alice/admin']) await realm.addPrincipal(user, password)
    await realm.addPrincipal(`cifs/${serverName}`)
    keytab = await realm.keytab('server.keytab', `cifs/${serverName}`)
    tickets = await realm.login('alice', password)
    server = await start()
  })
  after(async () => {
    await server?.[Symbol.asyncDispose]()
    await realm?.[Symbol.asyncDispose]()
    await folder?.[Symbol.asyncDispose]()
  })

  const run = async (commands: readonly string[], more: Partial<KerberosSmbclientOptions> = {}): Promise<SmbclientResult> =>
    kerberosSmbclient({ endpoint: server.smb, share: 'docs', environment: tickets, commands, cwd: folder.at('local'), ...more })

  const expectGood = async (commands: readonly string[], more: Partial<KerberosSmbclientOptions> = {}): Promise<string> => {
    const result = await run(commands, more)
    assert.deepEqual(
      { status: result.status, nt: result.ntStatus },
      { status: 0, nt: undefined },
      `${result.stdout}${result.stderr}\n${server.log.slice(-2000)}`,
    )
    return result.stdout
  }

  /** The log's line about a refusal. */
  const logLine = (code: string, of: Server = server): Readonly<Record<string, string>> => {
    const found = of.log.split('\n').find(line => line.includes('Kerberos login refused') && line.includes(code))
    assert.ok(found, of.log.slice(-2000))
    return JSON.parse(found) as Record<string, string>
  }

  const expectRefused = async (more: Partial<KerberosSmbclientOptions>): Promise<void> => {
    const { ntStatus, stdout, stderr } = await run(['ls'], more)
    assert.equal(ntStatus, 'NT_STATUS_LOGON_FAILURE', stdout + stderr)
  }

  for (const protection of ['sign', 'encrypt'] as const) {
    test(`a file goes there and back without a password, protection ${protection}`, async () => {
      const content = randomContent(300_000)
      writeFileSync(folder.at('local', protection), content)
      await expectGood([`put ${protection}`, `get ${protection} ${protection}.back`], { protection })
      assert.deepEqual(readFileSync(folder.at('local', `${protection}.back`)), content)
    })
  }

  test('encryption with 256 bits takes its keys from the whole session key (MS-SMB2 3.1.4.2)', async () => {
    await expectGood(['mkdir x', 'rmdir x'], { protection: 'encrypt', settings: ['client smb3 encryption algorithms = AES-256-GCM'] })
    await expectGood(['mkdir x', 'rmdir x'], { share: 'locked', settings: ['client smb3 encryption algorithms = AES-256-CCM'] })
  })

  for (const dialect of ['SMB2_02', 'SMB3_00'] as const) {
    test(`${dialect} signs with the first 16 bytes of the session key (MS-SMB2 3.3.5.5.3)`, async () => {
      await expectGood(['mkdir x', 'rmdir x'], { settings: [`client max protocol = ${dialect}`] })
    })
  }

  test('keys of AES-128 and AES-256 with SHA-2 do as well (RFC 8009)', async () => {
    await realm.addPrincipal('bob', password)
    for (const type of ['aes128-cts-hmac-sha1-96', 'aes256-cts-hmac-sha384-192', 'aes128-cts-hmac-sha256-128']) {
      // The keytab is read at every login: new keys need no restart.
      await realm.keytab('server.keytab', '-e', `${type}:normal`, `cifs/${serverName}`)
      tickets = await realm.login('alice', password)
      await expectGood(['ls'])
    }
  })

  test('a ticket for keys that the keytab has lost is refused, and the log says what to do', async () => {
    const old = await realm.login('alice', password)
    await expectGood(['ls'], { environment: old })
    const other = await realm.keytab('other.keytab', `cifs/${serverName}`)
    await expectRefused({ environment: await realm.login('alice', password) })
    assert.match(server.log, /no key of the keytab opens the ticket/)
    writeFileSync(keytab, readFileSync(other))
    tickets = await realm.login('alice', password)
    await expectGood(['ls'])
  })

  test('a principal without a local user is refused, and the log names both the principal and the way in', async () => {
    await expectRefused({ environment: await realm.login('mallory', password) })
    const line = logLine('kerberos_unknown_user')
    assert.equal(line['principal'], 'mallory@EXAMPLE.TEST')
    assert.match(line['msg'] ?? '', /holdfast user add/)
  })

  test("alice/admin is not alice: a principal's instance makes it somebody else", async () => {
    await expectRefused({ environment: await realm.login('alice/admin', password) })
    assert.equal(logLine('kerberos_principal')['principal'], 'alice/admin@EXAMPLE.TEST')
  })

  test('the realm of somebody else is refused, even if its users are called the same', async () => {
    await using strict = await start({ extra: ['--realm', 'OTHER.TEST'] })
    await expectRefused({ endpoint: strict.smb })
    assert.equal(logLine('kerberos_realm', strict)['principal'], 'alice@EXAMPLE.TEST')
  })

  test('a password does as well beside Kerberos, and not with --ntlm off', async () => {
    const withPassword = async (endpoint: Server['smb']): Promise<string | undefined> =>
      (await smbclient({ endpoint, share: 'docs', account: alice, commands: ['ls'] })).ntStatus
    assert.equal(await withPassword(server.smb), undefined)
    await using strict = await start({ extra: ['--ntlm', 'off'] })
    assert.notEqual(await withPassword(strict.smb), undefined)
    await expectGood(['ls'], { endpoint: strict.smb })
  })

  test('a session ends with its ticket (MS-SMB2 3.3.5.2.9)', async () => {
    // The library lets a ticket live on for as long as clocks may differ.
    await using server = await start({ conf: krb5Conf({ clockSkewSeconds: 1 }) })
    const short = await realm.login('alice', password, { lifetime: '4s' })
    const { stdout } = await run(['mkdir y', '!sleep 7', 'rmdir y'], { endpoint: server.smb, environment: short })
    assert.match(stdout, /NT_STATUS_NETWORK_SESSION_EXPIRED removing/)
    await expectGood(['rmdir y'])
  })

  test('SIGTERM ends the server with status 0', async () => {
    assert.equal(await server.stop(), 0, server.log.slice(-2000))
  })
})
