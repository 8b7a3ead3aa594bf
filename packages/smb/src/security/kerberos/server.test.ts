import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AuthError, authStatus } from '../errors.ts'
import type { Mechanism, MechanismEntry } from '../mechanism.ts'
import { ntHash, ntlmClientMechanism, ntlmMechanism } from '../ntlm/index.ts'
import { encodeDer, encodeOid } from '../spnego/der.ts'
import { SpnegoClient, SpnegoServer } from '../spnego/index.ts'
import { decodeNegToken, encodeMechTypes, encodeNegTokenInit, mechanismOid, negState } from '../spnego/tokens.ts'
import type { NegTokenResp } from '../spnego/tokens.ts'
import type { KerberosRefusal } from './refusal.ts'
import { kerberosMechanisms } from './server.ts'
import type { KerberosClient, KerberosContext } from './server.ts'

const { kerberos, kerberosMicrosoft, ntlm } = mechanismOid
const sessionKey = Buffer.alloc(32, 7)
const reply = Buffer.from('AP-REP')

/** A token as GSS frames it (RFC 4121 4.1). */
const framed = (text: string, oid: string = kerberos): Buffer => encodeDer(0x60, encodeOid(oid), Buffer.from(text))

/** Contexts that believe in their token's text; a MIC is the bytes reversed. `open` are those not closed. */
class FakeAcceptor {
  readonly open = new Set<KerberosContext>()
  readonly #accepted: Partial<KerberosClient>

  constructor(accepted: Partial<KerberosClient> = {}) {
    this.#accepted = accepted
  }

  begin(): KerberosContext {
    const { open } = this
    const context: KerberosContext = {
      accept: token => {
        if (token.includes('bad')) {
          open.delete(context)
          throw Object.assign(new Error('the library says no'), { code: 'KRB_CLOCK_SKEW' })
        }
        const accepted = { client: 'alice@EXAMPLE.TEST', service: 'cifs/files@EXAMPLE.TEST', lifetimeSeconds: 60, sessionKey }
        return { output: reply, ...accepted, ...this.#accepted }
      },
      getMic: bytes => Buffer.from(bytes).reverse(),
      verifyMic: (bytes, mic) => mic.equals(Buffer.from(bytes).reverse()),
      [Symbol.dispose]: () => void open.delete(context),
    }
    open.add(context)
    return context
  }
}

function setUp(options: { accepted?: Partial<KerberosClient>; withNtlm?: boolean } = {}) {
  const acceptor = new FakeAcceptor(options.accepted)
  const refusals: KerberosRefusal[] = []
  const lookup = (name: string) => (name.toUpperCase() === 'ALICE' ? 'Alice' : undefined)
  const entries = kerberosMechanisms({
    acceptor,
    realms: ['EXAMPLE.TEST'],
    lookup,
    onRefused: refusal => void refusals.push(refusal),
    clock: () => 1_000_000,
  })
  const passwords = ntlmMechanism({ netbiosName: 'HOLDFAST', lookup: () => ({ ntHash: ntHash('secret') }) })
  return { acceptor, refusals, server: new SpnegoServer({ mechanisms: [...entries, ...(options.withNtlm === false ? [] : [passwords])] }) }
}

const init = (oids: readonly string[], mechToken: Buffer): Buffer => encodeNegTokenInit({ mechTypesDer: encodeMechTypes(oids), mechToken })
const responseOf = (token: Buffer): NegTokenResp => decodeNegToken(token) as NegTokenResp

/** The initiator's side of `FakeAcceptor`. */
const initiator = (oid: string): MechanismEntry => ({
  oid,
  create(): Mechanism {
    let started = false
    return {
      step(token) {
        if (!started) {
          started = true
          return { done: false, output: framed('AP-REQ') }
        }
        assert.deepEqual(token, reply)
        const mic = (bytes: Buffer) => Buffer.from(bytes).reverse()
        return {
          done: true,
          output: Buffer.alloc(0),
          authenticated: { user: 'alice', domain: '', workstation: '', anonymous: false, sessionKey },
          integrity: { getMic: mic, verifyMic: (bytes, given) => given.equals(mic(bytes)) },
        }
      },
    }
  },
})

async function refusal(step: Promise<unknown>, code: string, status: number = authStatus.logonFailure): Promise<void> {
  await assert.rejects(step, (error: unknown) => {
    assert.ok(error instanceof AuthError, String(error))
    assert.deepEqual([error.code, error.status], [code, status])
    return true
  })
}

test('Kerberos is offered before NTLM, under both its names (MS-SPNG 3.2.5.2), and without NTLM where that is off', () => {
  const offered = (withNtlm: boolean) => decodeNegToken(setUp({ withNtlm }).server.initialToken())
  assert.deepEqual((offered(true) as { mechTypes?: readonly string[] }).mechTypes, [kerberosMicrosoft, kerberos, ntlm])
  assert.deepEqual((offered(false) as { mechTypes?: readonly string[] }).mechTypes, [kerberosMicrosoft, kerberos])
})

for (const oid of [kerberos, kerberosMicrosoft]) {
  test(`a client that prefers ${oid} is in after one token, and reads that name in the answer`, async () => {
    const { acceptor, server } = setUp()
    const result = await server.step(init([oid, ntlm], framed('AP-REQ')))
    assert.ok(result.done)
    assert.deepEqual(responseOf(result.output), { kind: 'response', negState: negState.acceptCompleted, supportedMech: oid, responseToken: reply })
    const { user, domain, targetName, expiresAtMs } = result
    assert.deepEqual(
      { user, domain, targetName, expiresAtMs },
      { user: 'Alice', domain: 'EXAMPLE.TEST', targetName: 'cifs/files', expiresAtMs: 1_060_000 },
    )
    assert.equal(result.sessionKey, sessionKey)
    assert.equal(acceptor.open.size, 0)
  })
}

test('a client that prefers NTLM gets NTLM', async () => {
  const { acceptor, server } = setUp()
  const client = new SpnegoClient({ mechanisms: [ntlmClientMechanism({ user: 'alice', password: 'secret' }), initiator(kerberos)] })
  const first = await server.step((await client.step(Buffer.alloc(0))).output)
  assert.equal(responseOf(first.output).supportedMech, ntlm)
  assert.equal(acceptor.open.size, 0)
})

test('where Kerberos is the second choice mechListMIC goes both ways before the context is let go (RFC 4178 5)', async () => {
  const { acceptor, server } = setUp()
  const client = new SpnegoClient({ mechanisms: [{ ...initiator('1.2.3'), oid: '1.2.3' }, initiator(kerberos)] })
  let theirs = await server.step((await client.step(Buffer.alloc(0))).output)
  assert.equal(responseOf(theirs.output).negState, negState.requestMic)
  theirs = await server.step((await client.step(theirs.output)).output)
  assert.ok(!theirs.done && responseOf(theirs.output).mechListMic)
  assert.equal(acceptor.open.size, 1)
  theirs = await server.step((await client.step(theirs.output)).output)
  assert.ok(theirs.done)
  assert.ok((await client.step(theirs.output)).done)
  assert.equal(acceptor.open.size, 0)
})

test('a wrong mechListMIC is refused and the context let go', async () => {
  const { acceptor, server } = setUp()
  await server.step(init(['1.2.3', kerberos], Buffer.alloc(1)))
  await server.step(encodeDer(0xa1, encodeDer(0x30, encodeDer(0xa2, encodeDer(4, framed('AP-REQ'))))))
  await refusal(
    server.step(encodeDer(0xa1, encodeDer(0x30, encodeDer(0xa3, encodeDer(4, Buffer.from('x')))))),
    'mech_list_mic',
    authStatus.accessDenied,
  )
  assert.equal(acceptor.open.size, 0)
})

test('Kerberos without SPNEGO is answered without SPNEGO', async () => {
  const { acceptor, server } = setUp()
  const result = await server.step(framed('AP-REQ'))
  assert.ok(result.done)
  assert.deepEqual(result.output, reply)
  assert.equal(acceptor.open.size, 0)
  await refusal(setUp().server.step(framed('AP-REQ', '1.2.3')), 'no_common_mechanism', authStatus.invalidParameter)
})

test('a ticket without end makes a session without end', async () => {
  const result = await setUp({ accepted: { lifetimeSeconds: Infinity } }).server.step(framed('AP-REQ'))
  assert.ok(result.done)
  assert.equal('expiresAtMs' in result, false)
})

for (const [what, accepted, code] of [
  ['somebody without an account', { client: 'mallory@EXAMPLE.TEST' }, 'kerberos_unknown_user'],
  ['a name that only looks the same in upper case', { client: 'al\u0131ce@EXAMPLE.TEST' }, 'kerberos_unknown_user'],
  ['a user of another realm', { client: 'alice@OTHER.TEST' }, 'kerberos_realm'],
  ['a realm in small letters', { client: 'alice@example.test' }, 'kerberos_realm'],
  ['an instance of a user', { client: 'alice/admin@EXAMPLE.TEST' }, 'kerberos_principal'],
  ['a name with an at sign', { client: 'alice\\@corp@EXAMPLE.TEST' }, 'kerberos_principal'],
  ["a ticket for the machine's web server", { service: 'HTTP/files@EXAMPLE.TEST' }, 'kerberos_service'],
] as const) {
  test(`refused with a reason for the log, and nothing left open: ${what}`, async () => {
    const { acceptor, refusals, server } = setUp({ accepted })
    await refusal(server.step(init([kerberos], framed('AP-REQ'))), code)
    assert.deepEqual([refusals[0]?.code, refusals[0]?.principal], [code, 'client' in accepted ? accepted.client : 'alice@EXAMPLE.TEST'])
    assert.equal(acceptor.open.size, 0)
  })
}

test("what the library refuses is LOGON_FAILURE, with the library's words for the log", async () => {
  const { acceptor, refusals, server } = setUp()
  await refusal(server.step(init([kerberos], framed('bad'))), 'kerberos_clock_skew')
  assert.match(refusals[0]?.message ?? '', /NTP/)
  assert.equal(refusals[0]?.detail, 'the library says no')
  assert.equal(acceptor.open.size, 0)
})

test('what is no Kerberos token never gets to the library', async () => {
  for (const token of [
    Buffer.alloc(0),
    Buffer.from('NTLMSSP\0'),
    framed('AP-REQ', ntlm),
    framed('AP-REQ', '1.3.6.1.5.2.5'),
    Buffer.from('6005', 'hex'),
  ]) {
    const { acceptor, server } = setUp()
    await refusal(server.step(init([kerberos], token)), 'kerberos_token')
    assert.equal(acceptor.open.size, 0)
  }
})
