import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { kerberosMechanisms, openKerberosAcceptor, SpnegoClient, SpnegoServer } from '@holdfast/smb/security'
import type { KerberosAcceptor, KerberosRefusal, SpnegoStep } from '@holdfast/smb/security'
import { temporaryFolder } from './folder.ts'
import type { TemporaryFolder } from './folder.ts'
import { kerberosInitiator } from './gss-initiator.ts'
import { kerberosPeers, krb5Conf, serverName, startRealm } from './kerberos.ts'
import type { KerberosRealm } from './kerberos.ts'
import { missing } from './packages.ts'

const password = 'Of-The-Realm-9'
const nothing = Buffer.alloc(0)
const clockSkewSeconds = 2

describe("Kerberos' tokens: MIT's library on both sides", { skip: missing(...kerberosPeers) }, () => {
  let folder: TemporaryFolder
  let realm: KerberosRealm
  let acceptor: KerberosAcceptor & Disposable
  let refusals: KerberosRefusal[] = []

  before(async () => {
    folder = temporaryFolder('kerberos-tokens')
    realm = await startRealm('EXAMPLE.TEST')
    await realm.addPrincipal('alice', password)
    for (const service of ['cifs', 'HTTP']) await realm.addPrincipal(`${service}/${serverName}`)
    const keytab = await realm.keytab('server.keytab', `cifs/${serverName}`, `HTTP/${serverName}`)
    const environment = await realm.login('alice', password)
    writeFileSync(folder.at('krb5.conf'), krb5Conf({ realm: realm.name, kdcPort: realm.kdcPort, clockSkewSeconds }))
    // The library reads them for each context.
    process.env['KRB5_CONFIG'] = folder.at('krb5.conf')
    process.env['KRB5CCNAME'] = environment['KRB5CCNAME']
    acceptor = openKerberosAcceptor({ keytab, replayCache: folder.at('replays') })
  })
  after(async () => {
    acceptor?.[Symbol.dispose]()
    await realm?.[Symbol.asyncDispose]()
    await folder?.[Symbol.asyncDispose]()
  })

  const server = (): SpnegoServer => {
    refusals = []
    const onRefused = (refusal: KerberosRefusal): void => void refusals.push(refusal)
    return new SpnegoServer({ mechanisms: kerberosMechanisms({ acceptor, realms: [realm.name], lookup: name => name, onRefused }) })
  }
  /** A client's first token, without SPNEGO. */
  const firstToken = async (service = 'cifs'): Promise<Buffer> => (await kerberosInitiator(`${service}@${serverName}`).create().step(nothing)).output

  const negotiate = async (client: SpnegoClient): Promise<{ client: SpnegoStep; server: SpnegoStep; legs: number }> => {
    const acceptor = server()
    let ours = await client.step(nothing)
    for (let legs = 1; ; legs++) {
      const theirs = await acceptor.step(ours.output)
      ours = await client.step(theirs.output)
      if (ours.done) return { client: ours, server: theirs, legs }
    }
  }

  test('both sides have the same session key of 32 bytes, and the server has proven itself (RFC 4121 4.1)', async () => {
    const { client, server, legs } = await negotiate(new SpnegoClient({ mechanisms: [kerberosInitiator(`cifs@${serverName}`)] }))
    assert.ok(client.done && server.done)
    assert.equal(legs, 1)
    assert.equal(server.user, 'alice')
    assert.equal(server.targetName, `cifs/${serverName}`)
    assert.equal(server.sessionKey.length, 32)
    assert.deepEqual(server.sessionKey, client.sessionKey)
    const lifetimeMs = (server.expiresAtMs ?? 0) - Date.now()
    assert.ok(lifetimeMs > 0 && lifetimeMs <= 3600_000 + clockSkewSeconds * 1000, `${lifetimeMs}`)
  })

  test('as the second choice, mechListMIC is made and verified by the library on both sides (RFC 4178 5)', async () => {
    const kerberos = kerberosInitiator(`cifs@${serverName}`)
    const { client, server, legs } = await negotiate(new SpnegoClient({ mechanisms: [{ ...kerberos, oid: '1.2.3' }, kerberos] }))
    assert.ok(client.done && server.done)
    assert.equal(legs, 3)
    assert.deepEqual(server.sessionKey, client.sessionKey)
  })

  test('a login that was recorded does not open the door a second time (RFC 4120 3.2.3)', async () => {
    const token = await firstToken()
    assert.ok((await server().step(token)).done)
    await assert.rejects(server().step(token), { code: 'kerberos_replay' })
  })

  test('a ticket for another service of the machine is refused, though its key is in the keytab', async () => {
    await assert.rejects(server().step(await firstToken('HTTP')), { code: 'kerberos_service' })
    assert.deepEqual([refusals[0]?.principal, refusals[0]?.detail], ['alice@EXAMPLE.TEST', `HTTP/${serverName}@EXAMPLE.TEST`])
  })

  test('a clock that is wrong is refused, and the log says what to do', async () => {
    const token = await firstToken()
    await sleep((clockSkewSeconds + 2) * 1000)
    await assert.rejects(server().step(token), { code: 'kerberos_clock_skew' })
    assert.match(refusals[0]?.message ?? '', /NTP/)
  })

  test('a token with a changed byte is refused, wherever it is', async () => {
    const token = await firstToken()
    assert.ok((await server().step(token)).done)
    for (let at = 0; at < token.length; at++) {
      for (const change of [0x01, 0x80, 0xff]) {
        const changed = Buffer.from(token)
        changed[at] ^= change
        await assert.rejects(server().step(changed), { name: 'AuthError' }, `${at}`)
      }
    }
    for (let length = 0; length < token.length; length += 7) await assert.rejects(server().step(token.subarray(0, length)), { name: 'AuthError' })
  })
})
