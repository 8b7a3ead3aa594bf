import assert from 'node:assert/strict'
import { createCipheriv, createHmac } from 'node:crypto'
import { test } from 'node:test'
import { nativeCrypto } from './native-crypto.ts'
import { nodeCrypto } from './node-crypto.ts'
import { createSigner } from './signing.ts'
import type { Role, SigningAlgorithm } from './signing.ts'

const key = Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex')
const algorithms: readonly SigningAlgorithm[] = ['HMAC-SHA256', 'AES-CMAC', 'AES-GMAC']

function message(command = 8): Buffer {
  const bytes = Buffer.from(Array.from({ length: 177 }, (_, i) => i))
  bytes.writeUInt16LE(command, 12)
  bytes.writeUInt32LE(1, 16)
  bytes.writeBigUInt64LE(0x0102_0304_0506_0708n, 24)
  return bytes
}

for (const provider of [nativeCrypto() ?? nodeCrypto, nodeCrypto]) {
  for (const algorithm of algorithms) {
    test(`${provider.name}: what ${algorithm} signed, it verifies; not what was changed (MS-SMB2 3.1.5.1)`, () => {
      const signer = createSigner({ algorithm, key, provider })
      const signed = message()
      signer.sign(signed, 'client')
      assert.equal(signed.readUInt32LE(16), 9, 'SMB2_FLAGS_SIGNED is set')
      const before = Buffer.from(signed)
      assert.ok(signer.verify(signed, 'client'))
      assert.deepEqual(signed, before, 'verifying leaves the message as it is')
      for (let at = 0; at < signed.length; at++) {
        signed[at] ^= 0x10
        assert.equal(signer.verify(signed, 'client'), false, `byte ${at}`)
        signed[at] ^= 0x10
      }
      assert.equal(signer.verify(Buffer.alloc(10), 'client'), false)
      signer.close()
    })
  }

  test(`${provider.name}: messages of any length are verified`, () => {
    for (const algorithm of algorithms) {
      const signer = createSigner({ algorithm, key, provider })
      for (const lengthBytes of [64, 65, 255, 256, 257, 272, 4208, 70_000]) {
        const signed = Buffer.alloc(lengthBytes, 0xa5)
        signer.sign(signed, 'server')
        assert.ok(signer.verify(signed, 'server'), `${algorithm} ${lengthBytes}`)
        signed[lengthBytes - 1] ^= 1
        assert.equal(signer.verify(signed, 'server'), false)
      }
      signer.close()
    }
  })

  test(`${provider.name}: HMAC-SHA256 signs with the first 16 bytes (MS-SMB2 3.1.4.1)`, () => {
    const signed = message()
    createSigner({ algorithm: 'HMAC-SHA256', key, provider }).sign(signed, 'client')
    const blank = Buffer.from(signed).fill(0, 48, 64)
    assert.deepEqual(signed.subarray(48, 64), createHmac('sha256', key).update(blank).digest().subarray(0, 16))
  })

  test(`${provider.name}: the GMAC nonce is MessageId, sender and whether it is a CANCEL (MS-SMB2 3.1.4.1)`, () => {
    const cases: readonly (readonly [Role, number, number])[] = [
      ['client', 8, 0],
      ['server', 8, 1],
      ['client', 12, 2],
    ]
    for (const [role, command, bits] of cases) {
      const signed = message(command)
      createSigner({ algorithm: 'AES-GMAC', key, provider }).sign(signed, role)
      const nonce = Buffer.concat([signed.subarray(24, 32), Buffer.from([bits, 0, 0, 0])])
      const expected = createCipheriv('aes-128-gcm', key, nonce).setAAD(Buffer.from(signed).fill(0, 48, 64))
      expected.final()
      assert.deepEqual(signed.subarray(48, 64), expected.getAuthTag())
    }
  })
}

test('who ends in the middle of verifying leaves the message as it was: another worker is given it', () => {
  for (const algorithm of algorithms) {
    const signed = message()
    createSigner({ algorithm, key }).sign(signed, 'client')
    const before = Buffer.from(signed)
    const ends = (): never => {
      throw new Error('the end')
    }
    const context = { run: ends, authenticate: ends, compute: ends, close() {} }
    const signer = createSigner({ algorithm, key, provider: { name: 'that ends', createAead: () => context, createMac: () => context } })
    assert.throws(() => signer.verify(signed, 'client'), { message: 'the end' })
    assert.deepEqual(signed, before)
  }
})

test('a signer wants a key of 16 bytes and a whole header', () => {
  assert.throws(() => createSigner({ algorithm: 'AES-CMAC', key: Buffer.alloc(15) }), { code: 'key_length' })
  assert.throws(() => createSigner({ algorithm: 'AES-CMAC', key }).sign(Buffer.alloc(63), 'server'), { code: 'message_short' })
})
