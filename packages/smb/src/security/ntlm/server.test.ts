import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AuthError, authStatus } from '../errors.ts'
import type { MechanismStep } from '../mechanism.ts'
import { avId, decodeAvPairs, findAvPair } from './av-pairs.ts'
import { NtlmClient } from './client.ts'
import type { NtlmClientOptions } from './client.ts'
import { hasFlag, ntlmFlags } from './flags.ts'
import { decodeAuthenticate, decodeChallenge, encodeAuthenticate, encodeChallenge, encodeNegotiate, micOf } from './messages.ts'
import type { AuthenticateMessage } from './messages.ts'
import { fileTime, ntHash } from './ntlmv2.ts'
import { NtlmServer } from './server.ts'
import type { NtlmServerOptions } from './server.ts'

const password = 'Geheimnis-ß'
const clock = () => 1_795_000_000_000

function serverWith(options: Partial<NtlmServerOptions> = {}): NtlmServer {
  return new NtlmServer({
    netbiosName: 'HOLDFAST',
    dnsName: 'holdfast.example',
    clock,
    lookup: user => (user.toLowerCase() === 'games' ? { ntHash: ntHash(password) } : undefined),
    ...options,
  })
}

type Done = Extract<MechanismStep, { done: true }>
const nothing = Buffer.alloc(0)

async function logOn(client: Partial<NtlmClientOptions>, server = serverWith(), change?: (authenticate: Buffer) => Buffer): Promise<[Done, Done]> {
  const initiator = new NtlmClient({ user: 'games', password, clock, ...client })
  const challenge = await server.step(initiator.step(nothing).output)
  const ours = initiator.step(challenge.output)
  const theirs = await server.step(change ? change(ours.output) : ours.output)
  assert.ok(ours.done && theirs.done)
  return [ours, theirs]
}

const refused = (code: string, status: number) => (error: unknown) => {
  assert.ok(error instanceof AuthError)
  assert.deepEqual([error.code, error.status], [code, status])
  return true
}

test('client and server come to the same session key and protect messages for each other (MS-NLMP 3.1.5.1.2, 3.2.5.1.2)', async () => {
  const [client, server] = await logOn({ domain: 'WORK', workstation: 'DESK', targetName: 'cifs/holdfast' })
  const { sessionKey, ...authenticated } = server.authenticated
  assert.deepEqual(authenticated, { user: 'games', domain: 'WORK', workstation: 'DESK', anonymous: false, targetName: 'cifs/holdfast' })
  assert.deepEqual(sessionKey, client.authenticated.sessionKey)
  assert.equal(sessionKey.length, 16)
  const text = Buffer.from('mechanisms')
  assert.ok(server.integrity!.verifyMic(text, client.integrity!.getMic(text)))
  assert.ok(client.integrity!.verifyMic(text, server.integrity!.getMic(text)))
})

test('an account found asynchronously will do', async () => {
  const [client, server] = await logOn({}, serverWith({ lookup: async () => ({ ntHash: ntHash(password) }) }))
  assert.deepEqual(server.authenticated.sessionKey, client.authenticated.sessionKey)
})

test('a wrong password and an unknown user both get LOGON_FAILURE', async () => {
  await assert.rejects(logOn({ password: 'guess' }), refused('wrong_password', authStatus.logonFailure))
  await assert.rejects(logOn({ user: 'nobody' }), refused('unknown_user', authStatus.logonFailure))
})

test('the domain may have been hashed as sent, upper-cased or not at all', async () => {
  const rename = (domain: string) => (token: Buffer) => {
    const { ...message } = decodeAuthenticate(token)
    return encodeAuthenticate({ ...message, domain })
  }
  // Without the time there is no MIC, so the name in the message can be changed.
  const server = () => {
    const inner = serverWith()
    let first = true
    return {
      step(token: Buffer) {
        const result = inner.step(token)
        if (!first) return result
        first = false
        const { output } = result as MechanismStep
        return { done: false, output: withoutTime(output) }
      },
    } as unknown as NtlmServer
  }
  await logOn({ domain: 'WORK' }, server(), rename('work'))
  await logOn({ domain: '' }, server(), rename('work'))
  await assert.rejects(logOn({ domain: 'PLAY' }, server(), rename('work')), refused('wrong_password', authStatus.logonFailure))
})

function withoutTime(challenge: Buffer): Buffer {
  const message = decodeChallenge(challenge)
  return encodeChallenge({ ...message, targetInfo: Buffer.alloc(0) })
}

test('a changed AUTHENTICATE_MESSAGE fails its MIC, also one whose MIC was taken away (MS-NLMP 3.2.5.1.2)', async () => {
  const flip = (token: Buffer) => {
    token[60] ^= ntlmFlags.seal
    return token
  }
  await assert.rejects(logOn({}, serverWith(), flip), refused('mic_mismatch', authStatus.invalidParameter))
  const blank = (token: Buffer) => {
    micOf(token).fill(0)
    return token
  }
  await assert.rejects(logOn({}, serverWith(), blank), refused('mic_mismatch', authStatus.invalidParameter))
})

test('NTLMv1, LM, and a response that says it is version 2 but cannot be read are refused', async () => {
  const replace = (fields: Partial<AuthenticateMessage>) => (token: Buffer) => encodeAuthenticate({ ...decodeAuthenticate(token), ...fields })
  await assert.rejects(logOn({}, serverWith(), replace({ ntResponse: Buffer.alloc(24, 1) })), refused('ntlmv1_refused', authStatus.logonFailure))
  await assert.rejects(
    logOn({}, serverWith(), replace({ ntResponse: nothing, lmResponse: Buffer.alloc(24, 1) })),
    refused('ntlmv1_refused', authStatus.logonFailure),
  )
  // AV_PAIRs out of a diagnostic tool (smb2.session.ntlmssp_bug14932).
  const strange = Buffer.concat([Buffer.alloc(16, 0xab), Buffer.from([1, 1]), Buffer.alloc(26), Buffer.alloc(51, 0x81)])
  await assert.rejects(logOn({}, serverWith(), replace({ ntResponse: strange })), { name: 'MalformedError', code: 'av_pair' })
})

test('anonymous is refused, or reported with a zero key as base (MS-NLMP 3.2.5.1.2)', async () => {
  const anonymous = (token: Buffer) => {
    const flags = (decodeAuthenticate(token).flags & ~ntlmFlags.keyExchange) >>> 0
    return encodeAuthenticate({
      flags,
      user: '',
      domain: '',
      workstation: '',
      ntResponse: nothing,
      lmResponse: Buffer.alloc(1),
      encryptedSessionKey: nothing,
    })
  }
  await assert.rejects(logOn({}, serverWith(), anonymous), refused('anonymous_refused', authStatus.accessDenied))
  const [, server] = await logOn({}, serverWith({ anonymous: 'report' }), anonymous)
  assert.equal(server.authenticated.anonymous, true)
  assert.deepEqual(server.authenticated.sessionKey, Buffer.alloc(16))
})

test('an exchanged session key must have 16 bytes', async () => {
  for (const lengthBytes of [0, 15, 17]) {
    const change = (token: Buffer) => encodeAuthenticate({ ...decodeAuthenticate(token), encryptedSessionKey: Buffer.alloc(lengthBytes) })
    await assert.rejects(logOn({}, serverWith(), change), refused('session_key_length', authStatus.invalidParameter))
  }
})

test('the CHALLENGE_MESSAGE gives names, time and only what was asked for (MS-NLMP 3.2.5.1.1)', async () => {
  const server = serverWith({ netbiosDomain: 'WORK', dnsDomain: 'example', dnsTree: 'example', random: lengthBytes => Buffer.alloc(lengthBytes, 9) })
  const { output } = await server.step(
    encodeNegotiate({ flags: ntlmFlags.unicode | ntlmFlags.oem | ntlmFlags.extendedSessionSecurity | ntlmFlags.lmKey }),
  )
  const challenge = decodeChallenge(output)
  assert.equal(challenge.targetName, 'WORK')
  assert.deepEqual(challenge.serverChallenge, Buffer.alloc(8, 9))
  for (const flag of ['oem', 'lmKey', 'keyExchange', 'version'] as const) assert.equal(hasFlag(challenge.flags, ntlmFlags[flag]), false, flag)
  for (const flag of ['unicode', 'targetInfo', 'ntlm', 'targetTypeServer', 'extendedSessionSecurity'] as const) {
    assert.ok(hasFlag(challenge.flags, ntlmFlags[flag]), flag)
  }
  const pairs = decodeAvPairs(challenge.targetInfo)
  const text = (id: number) => findAvPair(pairs, id)?.toString('utf16le')
  assert.deepEqual([avId.nbDomainName, avId.nbComputerName, avId.dnsDomainName, avId.dnsComputerName, avId.dnsTreeName].map(text), [
    'WORK',
    'HOLDFAST',
    'example',
    'holdfast.example',
    'example',
  ])
  assert.deepEqual(findAvPair(pairs, avId.timestamp), fileTime(clock()))
})

test('a server that takes away session security, or comes a second time, is refused by the client', () => {
  const client = new NtlmClient({ user: 'games', password })
  client.step(nothing)
  const flags = ntlmFlags.unicode | ntlmFlags.ntlm
  const challenge = encodeChallenge({ flags, targetName: '', serverChallenge: Buffer.alloc(8), targetInfo: nothing })
  assert.throws(() => client.step(challenge), refused('ntlm_downgrade', authStatus.notSupported))
  assert.throws(() => client.step(challenge), refused('unexpected_token', authStatus.invalidParameter))
})

test('one authentication is one: a further token is refused', async () => {
  const server = serverWith()
  await logOn({}, server)
  assert.throws(() => server.step(nothing), refused('unexpected_token', authStatus.invalidParameter))
})
