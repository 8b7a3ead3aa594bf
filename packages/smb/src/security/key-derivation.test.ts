import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deriveKey, deriveKeys } from './key-derivation.ts'
import type { SessionKeys } from './key-derivation.ts'
import { PreauthHash } from './preauth.ts'
import { createSigner } from './signing.ts'
import {
  encryptedExchanges,
  negotiateRequest,
  negotiateResponse,
  sessionSetupRequest1,
  sessionSetupRequest2,
  sessionSetupResponse1,
  sessionSetupResponse2,
  smb30Keys,
  smb311Keys,
} from './vectors/microsoft.ts'

const names = ['signingKey', 'applicationKey', 'clientToServerKey', 'serverToClientKey'] as const
const asHex = (keys: SessionKeys) => Object.fromEntries(names.map(name => [name, keys[name]?.toString('hex')]))

test("SMB 3.0 keys are those of Microsoft's example (MS-SMB2 3.1.4.2)", () => {
  const { sessionKey, ...expected } = smb30Keys
  assert.deepEqual(asHex(deriveKeys({ dialect: 0x0300, sessionKey: Buffer.from(sessionKey, 'hex') })), expected)
})

test("a channel's signing key comes from its own session key (MS-SMB2 3.3.5.5.3)", () => {
  const keys = deriveKeys({ dialect: 0x0300, sessionKey: Buffer.from('4e01a2b313bcf660cc250bef021aede6', 'hex') })
  assert.equal(keys.signingKey.toString('hex'), 'ba1a17dbbfec349bca105563d598952f')
})

test("SMB 3.1.1: hash value, keys and the last response's signature are those of Microsoft's example (MS-SMB2 3.1.4.2)", () => {
  const connection = new PreauthHash()
  connection.update(negotiateRequest)
  connection.update(negotiateResponse)
  const session = connection.clone()
  // The last response is not hashed: it is signed with what comes of the hash.
  for (const message of [sessionSetupRequest1, sessionSetupResponse1, sessionSetupRequest2]) session.update(message)
  assert.equal(session.value.toString('hex'), smb311Keys.preauthHash)

  const { sessionKey, preauthHash: _, ...expected } = smb311Keys
  const keys = deriveKeys({ dialect: 0x0311, sessionKey: Buffer.from(sessionKey, 'hex'), preauthHash: session.value })
  assert.deepEqual(asHex(keys), expected)
  assert.ok(createSigner({ algorithm: 'AES-CMAC', key: keys.signingKey }).verify(Buffer.from(sessionSetupResponse2), 'server'))
})

test("cipher keys are those of Microsoft's encryption examples, for 3.0 and 3.1.1", () => {
  for (const { dialect, sessionKey, preauthHash, clientToServerKey, serverToClientKey } of encryptedExchanges) {
    const keys = deriveKeys({
      dialect,
      sessionKey: Buffer.from(sessionKey, 'hex'),
      preauthHash: preauthHash === undefined ? undefined : Buffer.from(preauthHash, 'hex'),
    })
    assert.equal(keys.clientToServerKey!.toString('hex'), clientToServerKey)
    assert.equal(keys.serverToClientKey!.toString('hex'), serverToClientKey)
  }
})

test('256-bit ciphers get their keys from the full session key, the others from its first 16 bytes (MS-SMB2 3.3.5.5.3)', () => {
  const sessionKey = Buffer.from(Array.from({ length: 32 }, (_, i) => i))
  const preauthHash = Buffer.alloc(64, 7)
  const keys = deriveKeys({ dialect: 0x0311, sessionKey, preauthHash, cipherKeyBits: 256 })
  const narrow = deriveKeys({ dialect: 0x0311, sessionKey: sessionKey.subarray(0, 16), preauthHash })
  assert.equal(keys.clientToServerKey!.length, 32)
  assert.equal(keys.serverToClientKey!.length, 32)
  assert.deepEqual([keys.signingKey, keys.applicationKey], [narrow.signingKey, narrow.applicationKey])
  assert.deepEqual(
    keys.clientToServerKey,
    deriveKey({ key: sessionKey, label: Buffer.from('SMBC2SCipherKey\0'), context: preauthHash, lengthBits: 256 }),
  )
})

test('SMB 2.x signs with the session key itself, and does not encrypt', () => {
  const keys = deriveKeys({ dialect: 0x0210, sessionKey: Buffer.from('abc') })
  assert.equal(keys.signingKey.toString('hex'), '61626300000000000000000000000000')
  assert.equal(keys.clientToServerKey, undefined)
})

test('SMB 3.1.1 keys are not to be had without a hash value', () => {
  assert.throws(() => deriveKeys({ dialect: 0x0311, sessionKey: Buffer.alloc(16) }), { code: 'preauth_missing' })
  assert.throws(() => new PreauthHash(Buffer.alloc(20)), { code: 'preauth_length' })
})

test('a hash value takes a message in pieces as it takes it whole', () => {
  const [whole, pieces] = [new PreauthHash(), new PreauthHash()]
  whole.update(negotiateRequest)
  pieces.update(negotiateRequest.subarray(0, 64), negotiateRequest.subarray(64))
  assert.deepEqual(pieces.value, whole.value)
})
