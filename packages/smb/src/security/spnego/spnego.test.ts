import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { MalformedError } from '@holdfast/wire'
import { AuthError, authStatus } from '../errors.ts'
import type { ContextIntegrity, Mechanism, MechanismEntry } from '../mechanism.ts'
import type { NtlmServer } from '../ntlm/index.ts'
import { NtlmClient, ntHash, ntlmClientMechanism, ntlmMechanism } from '../ntlm/index.ts'
import * as samba from '../vectors/samba-exchange.ts'
import { SpnegoClient } from './client.ts'
import { decodeOid, DerReader, encodeDer, encodeOid } from './der.ts'
import { SpnegoServer } from './server.ts'
import type { SpnegoStep } from './server.ts'
import { decodeNegToken, encodeMechTypes, encodeNegTokenInit, encodeNegTokenResp, mechanismOid, negState } from './tokens.ts'
import type { NegTokenInit, NegTokenResp } from './tokens.ts'

const password = 'secret'
const ntlm = ntlmMechanism({ netbiosName: 'HOLDFAST', lookup: user => (user === 'games' ? { ntHash: ntHash(password) } : undefined) })
const ntlmClient = ntlmClientMechanism({ user: 'games', password })
const nothing = Buffer.alloc(0)

/** A mechanism of so many legs that just passes its own tokens; its MIC is its name. */
function toy(oid: string, legs: number, role: 'client' | 'server', says = oid): MechanismEntry {
  const integrity: ContextIntegrity = {
    getMic: bytes => Buffer.concat([Buffer.from(says), bytes]),
    verifyMic: (bytes, mic) => mic.equals(Buffer.concat([Buffer.from(oid), bytes])),
  }
  const create = (): Mechanism => {
    let seen = role === 'client' ? 0 : 1
    return {
      step() {
        seen += 2
        const done = seen > legs
        const output = seen - 1 > legs ? nothing : Buffer.from(`${oid} ${seen}`)
        if (!done) return { done, output }
        const authenticated = { user: 'toy', domain: '', workstation: '', anonymous: false, sessionKey: Buffer.alloc(16, 1) }
        return { done, output, authenticated, integrity }
      },
    }
  }
  return { oid, create }
}

type Change = (token: Buffer, leg: number) => Buffer

async function negotiate(
  client: SpnegoClient,
  server: SpnegoServer,
  change: Change = token => token,
): Promise<{ client: SpnegoStep; server: SpnegoStep; legs: number }> {
  let leg = 0
  let ours = await client.step(server.initialToken())
  for (;;) {
    const theirs = await server.step(change(ours.output, ++leg))
    ours = await client.step(change(theirs.output, ++leg))
    if (ours.done) {
      assert.ok(theirs.done, 'the client is not done before the server')
      return { client: ours, server: theirs, legs: leg }
    }
    assert.ok(leg < 10)
  }
}

const refused = (code: string, status: number) => (error: unknown) => {
  assert.ok(error instanceof AuthError, String(error))
  assert.deepEqual([error.code, error.status], [code, status])
  return true
}

test("the token for the NEGOTIATE response is Samba's, byte for byte (MS-SPNG 2.2.1)", () => {
  assert.deepEqual(new SpnegoServer({ mechanisms: [ntlm] }).initialToken(), samba.hint)
})

test('tokens of smbclient and smbd are encoded as they were', () => {
  const init = decodeNegToken(samba.negotiate) as NegTokenInit
  assert.deepEqual(init.mechTypes, [mechanismOid.ntlm])
  assert.deepEqual(encodeNegTokenInit({ mechTypesDer: init.mechTypesDer, mechToken: init.mechToken! }), samba.negotiate)
  for (const token of [samba.challenge, samba.authenticate, samba.accept])
    assert.deepEqual(encodeNegTokenResp(decodeNegToken(token) as NegTokenResp), token)
})

test('client and server agree on NTLM in two round trips, with mechListMIC both ways (RFC 4178 5)', async () => {
  const { client, server, legs } = await negotiate(new SpnegoClient({ mechanisms: [ntlmClient] }), new SpnegoServer({ mechanisms: [ntlm] }))
  assert.equal(legs, 4)
  assert.ok(client.done && server.done)
  assert.equal(server.user, 'games')
  assert.deepEqual(server.sessionKey, client.sessionKey)
  const accept = decodeNegToken(server.output) as NegTokenResp
  assert.equal(accept.negState, negState.acceptCompleted)
  assert.equal(accept.mechListMic?.length, 16)
})

test('a client whose first choice is not ours is asked for a MIC, its optimistic token dropped (MS-SPNG 3.3.5.1)', async () => {
  const kerberos = toy(mechanismOid.kerberos, 2, 'client')
  // The hint is withheld, as by a server of another kind: the client offers all it has.
  const client = new SpnegoClient({ mechanisms: [kerberos, ntlmClient] })
  const server = new SpnegoServer({ mechanisms: [ntlm] })
  let ours = await client.step(nothing)
  assert.deepEqual((decodeNegToken(ours.output) as NegTokenInit).mechTypes, [mechanismOid.kerberos, mechanismOid.ntlm])
  const first = await server.step(ours.output)
  assert.deepEqual(decodeNegToken(first.output), { kind: 'response', negState: negState.requestMic, supportedMech: mechanismOid.ntlm })
  ours = await client.step(first.output)
  ours = await client.step((await server.step(ours.output)).output)
  assert.ok((decodeNegToken(ours.output) as NegTokenResp).mechListMic)
  const last = await server.step(ours.output)
  ours = await client.step(last.output)
  assert.ok(last.done && ours.done)
  assert.deepEqual(ours.sessionKey, last.sessionKey)
})

/** Changes fields of a NegTokenResp. */
const edit =
  (at: number, fields: Partial<Record<keyof NegTokenResp, unknown>>): Change =>
  (token, leg) => {
    if (leg !== at) return token
    const changed = { ...decodeNegToken(token), ...fields } as Record<string, unknown>
    for (const name of Object.keys(changed)) if (changed[name] === undefined) delete changed[name]
    return encodeNegTokenResp(changed)
  }

test('a wrong mechListMIC is refused by either side', async () => {
  for (const leg of [3, 4]) {
    const attempt = negotiate(
      new SpnegoClient({ mechanisms: [ntlmClient] }),
      new SpnegoServer({ mechanisms: [ntlm] }),
      edit(leg, { mechListMic: Buffer.alloc(16, 1) }),
    )
    await assert.rejects(attempt, refused('mech_list_mic', authStatus.accessDenied))
  }
})

test('a list of mechanisms that somebody changed on the way shows in mechListMIC', async () => {
  const swap: Change = (token, leg) => {
    if (leg !== 1) return token
    const init = decodeNegToken(token) as NegTokenInit
    return encodeNegTokenInit({ mechTypesDer: encodeMechTypes([mechanismOid.ntlm, mechanismOid.kerberos]), mechToken: init.mechToken! })
  }
  await assert.rejects(
    negotiate(new SpnegoClient({ mechanisms: [ntlmClient] }), new SpnegoServer({ mechanisms: [ntlm] }), swap),
    refused('mech_list_mic', authStatus.accessDenied),
  )
})

test('a mechListMIC that must be there is missed by either side', async () => {
  const mechanisms = [toy(mechanismOid.kerberos, 2, 'client'), ntlmClient]
  const run = async (change: Change) => {
    const [client, server] = [new SpnegoClient({ mechanisms }), new SpnegoServer({ mechanisms: [ntlm] })]
    let leg = 0
    let ours = await client.step(nothing)
    while (!ours.done) ours = await client.step(change((await server.step(change(ours.output, ++leg))).output, ++leg))
  }
  await run(token => token)
  await assert.rejects(run(edit(5, { mechListMic: undefined })), refused('mech_list_mic_missing', authStatus.invalidParameter))
  await assert.rejects(run(edit(6, { mechListMic: undefined })), refused('mech_list_mic', authStatus.accessDenied))
})

test('without mechListMIC a client of one mechanism gets in, and gets none back (Linux)', async () => {
  const { server } = await negotiate(
    new SpnegoClient({ mechanisms: [ntlmClient] }),
    new SpnegoServer({ mechanisms: [ntlm] }),
    edit(3, { mechListMic: undefined }),
  )
  assert.deepEqual(decodeNegToken(server.output), { kind: 'response', negState: negState.acceptCompleted })
})

test('NTLM without SPNEGO is answered without SPNEGO (Linux)', async () => {
  const server = new SpnegoServer({ mechanisms: [ntlm] })
  const client = new NtlmClient({ user: 'games', password })
  const challenge = await server.step(client.step(nothing).output)
  assert.equal(challenge.output.toString('latin1', 0, 7), 'NTLMSSP')
  const last = client.step(challenge.output)
  const result = await server.step(last.output)
  assert.ok(result.done && last.done)
  assert.deepEqual(result.sessionKey, last.authenticated.sessionKey)
  assert.equal(result.output.length, 0)
})

test('mechanisms of one to four tokens join as entries of the table', async () => {
  for (const legs of [1, 2, 3, 4]) {
    const [client, server] = [toy('1.2.3', legs, 'client'), toy('1.2.3', legs, 'server')]
    const result = await negotiate(new SpnegoClient({ mechanisms: [client] }), new SpnegoServer({ mechanisms: [server] }))
    assert.ok(result.client.done && result.server.done, `${legs}`)
  }
})

test('when the last token of a second-choice mechanism is ours, mechListMICs follow it (RFC 4178 5)', async () => {
  for (const legs of [2, 4]) {
    const mechanisms = [toy('1.2.9', 2, 'client'), toy('1.2.3', legs, 'client')]
    const [client, server] = [new SpnegoClient({ mechanisms }), new SpnegoServer({ mechanisms: [toy('1.2.3', legs, 'server')] })]
    let ours = await client.step(nothing)
    let done = false
    while (!ours.done) {
      const theirs = await server.step(ours.output)
      done = theirs.done
      ours = await client.step(theirs.output)
    }
    assert.ok(done)
    const liar = new SpnegoServer({ mechanisms: [toy('1.2.3', legs, 'server', 'somebody else')] })
    const other = new SpnegoClient({ mechanisms })
    ours = await other.step(nothing)
    await assert.rejects(
      async () => {
        while (!ours.done) ours = await other.step((await liar.step(ours.output)).output)
      },
      refused('mech_list_mic', authStatus.accessDenied),
    )
  }
})

test('tokens out of place get INVALID_PARAMETER, and the negotiation is over', async () => {
  const wrong: Readonly<Record<string, Buffer>> = {
    der_short: nothing,
    spnego_token: Buffer.from('garbage, not a token'),
    spnego_unexpected: encodeNegTokenResp({ negState: 1 }),
    no_common_mechanism: encodeNegTokenInit({ mechTypesDer: encodeMechTypes([mechanismOid.kerberos, mechanismOid.negoEx]) }),
    spnego_mechanisms: encodeNegTokenInit({ mechTypesDer: encodeMechTypes([]) }),
    ntlm_signature: encodeNegTokenInit({ mechTypesDer: encodeMechTypes([mechanismOid.ntlm]), mechToken: Buffer.from('nothing of NTLM') }),
  }
  for (const [code, token] of Object.entries(wrong)) {
    const server = new SpnegoServer({ mechanisms: [ntlm] })
    const expected = code === 'der_short' || code === 'spnego_token' ? /^(der_short|spnego_token|der_tag)$/ : new RegExp(`^${code}$`)
    await assert.rejects(server.step(token), (error: AuthError) => expected.test(error.code) && error.status === authStatus.invalidParameter)
    await assert.rejects(server.step(samba.negotiate), refused('spnego_unexpected', authStatus.invalidParameter))
  }
})

test('a wrong password gets LOGON_FAILURE', async () => {
  const client = new SpnegoClient({ mechanisms: [ntlmClientMechanism({ user: 'games', password: 'guess' })] })
  await assert.rejects(negotiate(client, new SpnegoServer({ mechanisms: [ntlm] })), refused('wrong_password', authStatus.logonFailure))
})

test('a server that is content before it has seen the proof is not believed', async () => {
  const client = new SpnegoClient({ mechanisms: [ntlmClient] })
  const server = new SpnegoServer({ mechanisms: [ntlm] })
  const challenge = await server.step((await client.step(nothing)).output)
  await assert.rejects(
    client.step(edit(1, { negState: negState.acceptCompleted })(challenge.output, 1)),
    refused('spnego_unexpected', authStatus.invalidParameter),
  )
})

test('object identifiers survive, and overlong ones are malformed', () => {
  for (const oid of [...Object.values(mechanismOid), '2.999.1', '0.9']) assert.equal(decodeOid(new DerReader(encodeOid(oid)).read(6)), oid)
  for (const content of ['', '80', '81818181818101']) assert.throws(() => decodeOid(Buffer.from(content, 'hex')), { code: 'der_oid' })
})

test('DER lengths in every form are read within the bytes there are', () => {
  for (const lengthBytes of [0, 127, 128, 255, 256, 65_535, 65_536]) {
    const element = encodeDer(4, Buffer.alloc(lengthBytes, 1))
    assert.equal(new DerReader(element).read(4).length, lengthBytes)
    assert.throws(() => new DerReader(element.subarray(0, -1)).read(4), { name: 'MalformedError' })
  }
  for (const bytes of ['0480', '0485000000000100', '0484ffffffff', '04'])
    assert.throws(() => new DerReader(Buffer.from(bytes, 'hex')).read(4), MalformedError)
})

// Fuzzing: what a peer sends yields a result, AuthError or MalformedError; never anything else.
const tokens = [samba.negotiate, samba.authenticate, samba.challenge, samba.accept, samba.hint]
const mutated = fc
  .tuple(fc.constantFrom(...tokens), fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 6 }), fc.option(fc.nat()))
  .map(([token, edits, cut]) => {
    const bytes = Buffer.from(token)
    for (const [at, value] of edits) bytes[at % bytes.length] = value
    return cut === null ? bytes : bytes.subarray(0, cut % bytes.length)
  })
const anything = fc.oneof(
  mutated,
  fc.uint8Array({ maxLength: 300 }).map(bytes => Buffer.from(bytes)),
)
const isOurs = (error: unknown) => error instanceof AuthError || error instanceof MalformedError

test('garbage yields AuthError and nothing else from the server', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anything, { minLength: 1, maxLength: 3 }), async sequence => {
      const server = new SpnegoServer({ mechanisms: [ntlm] })
      for (const token of sequence) {
        try {
          await server.step(token)
        } catch (error) {
          assert.ok(error instanceof AuthError, String(error))
        }
      }
    }),
    { numRuns: 1500 },
  )
})

test('garbage after a good first token yields AuthError and nothing else from the server; NTLM alone gives MalformedError too', async () => {
  await fc.assert(
    fc.asyncProperty(anything, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }), async (token, edits) => {
      const server = new SpnegoServer({ mechanisms: [ntlm] })
      const client = new SpnegoClient({ mechanisms: [ntlmClient] })
      const challenge = await server.step((await client.step(nothing)).output)
      await assert.rejects(server.step(token), AuthError)

      const [ntlmServer, initiator] = [ntlm.create() as NtlmServer, new NtlmClient({ user: 'games', password })]
      const proof = initiator.step((await ntlmServer.step(initiator.step(nothing).output)).output).output
      for (const [at, value] of edits) proof[at % proof.length] = value
      await assertOurs(async () => ntlmServer.step(proof))
      for (const [at, value] of edits) challenge.output[at % challenge.output.length] = value
      await assertOurs(() => client.step(challenge.output))
    }),
    { numRuns: 600 },
  )
})

test('garbage yields AuthError and MalformedError and nothing else from the client', async () => {
  await fc.assert(
    fc.asyncProperty(anything, anything, async (hint, token) => {
      await assertOurs(() => new SpnegoClient({ mechanisms: [ntlmClient] }).step(hint))
      const client = new SpnegoClient({ mechanisms: [ntlmClient] })
      await client.step(nothing)
      await assertOurs(() => client.step(token))
    }),
    { numRuns: 800 },
  )
})

async function assertOurs(run: () => Promise<unknown>): Promise<void> {
  try {
    await run()
  } catch (error) {
    assert.ok(isOurs(error), String(error instanceof Error ? error.stack : error))
  }
}
