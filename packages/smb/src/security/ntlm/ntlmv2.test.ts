import assert from 'node:assert/strict'
import { test } from 'node:test'
import { avFlags, avFlagsOf, avId, decodeAvPairs, encodeAvPairs } from './av-pairs.ts'
import { hasFlag, ntlmFlags } from './flags.ts'
import {
  decodeAuthenticate,
  decodeChallenge,
  decodeNegotiate,
  encodeAuthenticate,
  encodeChallenge,
  encodeNegotiate,
  micOf,
  withoutMic,
} from './messages.ts'
import {
  decodeNtlmV2Response,
  encodeClientChallenge,
  exchangeKey,
  lmV2Response,
  messageIntegrityCode,
  ntHash,
  prove,
  responseKey,
  upperCase,
} from './ntlmv2.ts'
import { NtlmSessionSecurity, sealingKeyOf, signingKeyOf } from './session-security.ts'
import { decodeNegToken } from '../spnego/tokens.ts'
import type { NegTokenInit, NegTokenResp } from '../spnego/tokens.ts'
import * as samba from '../vectors/samba-exchange.ts'
import * as microsoft from '../vectors/microsoft.ts'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ''), 'hex')

// MS-NLMP 4.2.1 and 4.2.4: the common values of the examples.
const given = {
  user: 'User',
  domain: 'Domain',
  password: 'Password',
  serverChallenge: hex('0123456789abcdef'),
  challenge: hex('aaaaaaaaaaaaaaaa'),
  sessionKey: Buffer.alloc(16, 0x55),
  flags: 0xe28a8233,
}
const challengeMessage = hex(`4e544c4d53535000020000000c000c003800000033828ae20123456789abcdef00000000000000002400240044000000
  060070170000000f53006500720076006500720002000c0044006f006d00610069006e0001000c0053006500720076006500720000000000`)

test('NTLMv2 computes the example of MS-NLMP 4.2.4: hash, responses, keys', () => {
  const hash = ntHash(given.password)
  assert.deepEqual(hash, hex('a4f49c406510bdcab6824ee7c30fd852'))
  const key = responseKey({ ntHash: hash, user: given.user, domain: given.domain })
  assert.deepEqual(key, hex('0c868a403bfd7a93a3001ef22ef02e3f'))
  const { serverChallenge, targetInfo, targetName, flags } = decodeChallenge(challengeMessage)
  assert.deepEqual([flags, targetName, serverChallenge], [given.flags, 'Server', given.serverChallenge])
  const clientChallenge = encodeClientChallenge({ time: Buffer.alloc(8), challenge: given.challenge, targetInfo })
  const { proof, sessionBaseKey } = prove({ responseKey: key, serverChallenge, clientChallenge })
  assert.deepEqual(proof, hex('68cd0ab851e51c96aabc927bebef6a1c'))
  assert.deepEqual(sessionBaseKey, hex('8de40ccadbc14a82f15cb0ad0de95ca3'))
  assert.deepEqual(
    lmV2Response({ responseKey: key, serverChallenge, challenge: given.challenge }),
    hex('86c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa'),
  )
  assert.deepEqual(exchangeKey(sessionBaseKey, given.sessionKey), hex('c5dad2544fc9799094ce1ce90bc9d03e'))
})

test('the CHALLENGE_MESSAGE of MS-NLMP 4.2.4.3 is encoded byte for byte, but for its Version', () => {
  const encoded = encodeChallenge(decodeChallenge(challengeMessage))
  challengeMessage.copy(encoded, 48, 48, 56)
  assert.deepEqual(encoded, challengeMessage)
})

test('session security signs and seals the example of MS-NLMP 4.2.4.4', () => {
  assert.deepEqual(sealingKeyOf(given.sessionKey, 'client', given.flags), hex('59f600973cc4960a25480a7c196e4c58'))
  assert.deepEqual(signingKeyOf(given.sessionKey, 'client'), hex('4788dc861b4782f35d43fd98fe1a2d39'))
  const text = Buffer.from('Plaintext', 'utf16le')
  const client = new NtlmSessionSecurity({ sessionKey: given.sessionKey, flags: given.flags, role: 'client' })
  const { sealed, signature } = client.seal(text)
  assert.deepEqual(sealed, hex('54e50165bf1936dc996020c1811b0f06fb5f'))
  assert.deepEqual(signature, hex('010000007fb38ec5c55d497600000000'))
  const server = new NtlmSessionSecurity({ sessionKey: given.sessionKey, flags: given.flags, role: 'server' })
  assert.deepEqual(server.unseal(sealed, signature), text)
  assert.equal(server.unseal(sealed, signature), undefined, 'not twice')
})

test('sealing keys are weaker where less than 128 bits were negotiated (MS-NLMP 3.4.5.3)', () => {
  const keys = [ntlmFlags.key128, ntlmFlags.key56, 0].map(flags => sealingKeyOf(given.sessionKey, 'server', flags).toString('hex'))
  assert.equal(new Set(keys).size, 3)
})

test('without key exchange a checksum is not encrypted (MS-NLMP 3.4.4.2)', () => {
  const flags = given.flags & ~ntlmFlags.keyExchange
  const [client, server] = (['client', 'server'] as const).map(role => new NtlmSessionSecurity({ sessionKey: given.sessionKey, flags, role }))
  const text = Buffer.from('text')
  for (let i = 0; i < 3; i++) assert.ok(server.verifyMic(text, client.getMic(text)))
  assert.equal(server.verifyMic(text, Buffer.alloc(3)), false)
})

test('names are upper-cased one UTF-16 unit at a time', () => {
  assert.equal(upperCase('straße ünïcode ﬁ'), 'STRAßE ÜNÏCODE ﬁ')
})

test('messages survive encoding and decoding', () => {
  assert.deepEqual(decodeNegotiate(encodeNegotiate({ flags: given.flags })), { flags: given.flags })
  for (const flags of [given.flags, given.flags & ~ntlmFlags.unicode]) {
    const message = {
      flags: flags >>> 0,
      user: 'Üser',
      domain: 'D',
      workstation: '',
      lmResponse: Buffer.alloc(24),
      ntResponse: Buffer.alloc(50, 1),
      encryptedSessionKey: Buffer.alloc(16, 2),
    }
    assert.deepEqual(decodeAuthenticate(encodeAuthenticate(message)), message)
  }
})

test('AV_PAIRs end at MsvAvEOL, or where the bytes end; a value beyond them is malformed (MS-NLMP 2.2.2.1)', () => {
  const pairs = [{ id: avId.targetName, value: Buffer.from('cifs/x', 'utf16le') }]
  assert.deepEqual(decodeAvPairs(Buffer.concat([encodeAvPairs(pairs), Buffer.alloc(4)])), pairs)
  assert.deepEqual(decodeAvPairs(encodeAvPairs(pairs).subarray(0, -4)), pairs)
  assert.throws(() => decodeAvPairs(encodeAvPairs(pairs).subarray(0, 9)), { code: 'av_pair' })
  assert.throws(() => decodeAvPairs(hex('010000')), { code: 'av_pair' })
  assert.throws(() => avFlagsOf([{ id: avId.flags, value: Buffer.alloc(3) }]), { code: 'av_pair' })
  assert.throws(() => decodeAvPairs(Buffer.concat(Array.from({ length: 100 }, () => hex('01000000')))), { code: 'av_pair' })
})

test('fields that point outside of a message are malformed', () => {
  const message = encodeAuthenticate({ ...decodeAuthenticate(authenticateOf(samba.authenticate)) })
  for (const at of [12, 20, 28, 36, 44, 52]) {
    for (const [offset, lengthBytes] of [
      [0xffff_ffff, 1],
      [message.length, 1],
      [message.length - 10, 11],
    ] as const) {
      const bad = Buffer.from(message)
      bad.writeUInt16LE(lengthBytes, at)
      bad.writeUInt32LE(offset, at + 4)
      assert.throws(() => decodeAuthenticate(bad), { name: 'MalformedError' })
    }
  }
})

const authenticateOf = (token: Buffer): Buffer => (decodeNegToken(token) as NegTokenResp).responseToken!

test("smbclient's AUTHENTICATE_MESSAGE to smbd: proof, session key, MIC and both mechListMICs are what we compute", () => {
  const init = decodeNegToken(samba.negotiate) as NegTokenInit
  const negotiate = init.mechToken!
  const challenge = (decodeNegToken(samba.challenge) as NegTokenResp).responseToken!
  const response = decodeNegToken(samba.authenticate) as NegTokenResp
  const authenticate = response.responseToken!
  const message = decodeAuthenticate(authenticate)
  assert.deepEqual([message.user, message.domain, message.workstation], [samba.exchange.user, samba.exchange.domain, samba.exchange.workstation])
  const { proof, clientChallenge, avPairs } = decodeNtlmV2Response(message.ntResponse)
  assert.equal(avFlagsOf(avPairs), avFlags.micProvided)

  const key = responseKey({ ntHash: ntHash(samba.exchange.password), user: message.user, domain: message.domain })
  const expected = prove({ responseKey: key, serverChallenge: decodeChallenge(challenge).serverChallenge, clientChallenge })
  assert.deepEqual(proof, expected.proof)
  assert.ok(hasFlag(message.flags, ntlmFlags.keyExchange))
  const sessionKey = exchangeKey(expected.sessionBaseKey, message.encryptedSessionKey)
  const mic = messageIntegrityCode(sessionKey, { negotiate, challenge, authenticate: withoutMic(authenticate) })
  assert.deepEqual(mic, micOf(authenticate))

  const server = new NtlmSessionSecurity({ sessionKey, flags: message.flags, role: 'server' })
  assert.ok(server.verifyMic(init.mechTypesDer, response.mechListMic!))
  assert.deepEqual(server.getMic(init.mechTypesDer), (decodeNegToken(samba.accept) as NegTokenResp).mechListMic)
})

test("Windows' MIC and both mechListMICs are what we compute from its session key", () => {
  const { request, response } = microsoft.securityBufferAt
  const init = decodeNegToken(microsoft.sessionSetupRequest1.subarray(request)) as NegTokenInit
  const challenge = (decodeNegToken(microsoft.sessionSetupResponse1.subarray(response)) as NegTokenResp).responseToken!
  const last = decodeNegToken(microsoft.sessionSetupRequest2.subarray(request)) as NegTokenResp
  const sessionKey = hex(microsoft.smb311Keys.sessionKey)
  const authenticate = last.responseToken!
  const mic = messageIntegrityCode(sessionKey, { negotiate: init.mechToken!, challenge, authenticate: withoutMic(authenticate) })
  assert.deepEqual(mic, micOf(authenticate))
  const server = new NtlmSessionSecurity({ sessionKey, flags: decodeAuthenticate(authenticate).flags, role: 'server' })
  assert.ok(server.verifyMic(init.mechTypesDer, last.mechListMic!))
  const accept = decodeNegToken(microsoft.sessionSetupResponse2.subarray(response)) as NegTokenResp
  assert.deepEqual(server.getMic(init.mechTypesDer), accept.mechListMic)
})
