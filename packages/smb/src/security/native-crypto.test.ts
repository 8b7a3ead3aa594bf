import assert from 'node:assert/strict'
import { createCipheriv, createHmac } from 'node:crypto'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { aeadAlgorithms } from './crypto.ts'
import type { AeadAlgorithm } from './crypto.ts'
import { cryptoProvider, nativeCrypto } from './native-crypto.ts'
import { nodeCrypto } from './node-crypto.ts'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')
const nothing = Buffer.alloc(0)
const native = nativeCrypto()
const providers = native === undefined ? [nodeCrypto] : [native, nodeCrypto]

test("OpenSSL can be called directly in this project's own Node", () => {
  assert.equal(cryptoProvider().name, 'openssl')
})

for (const provider of providers) {
  test(`${provider.name}: AES-CMAC computes RFC 4493's codes (4)`, () => {
    const mac = provider.createMac('AES-CMAC', hex('2b7e1516 28aed2a6 abf71588 09cf4f3c'))
    const message = hex(
      '6bc1bee2 2e409f96 e93d7e11 7393172a ae2d8a57 1e03ac9c 9eb76fac 45af8e51 30c81c46 a35ce411 e5fbc119 1a0a52ef f69f2445 df4f9b17 ad2b417b e66c3710',
    )
    const codes: readonly (readonly [number, string])[] = [
      [0, 'bb1d6929 e9593728 7fa37d12 9b756746'],
      [16, '070a16b4 6b4d4144 f79bdd9d d04a287c'],
      [40, 'dfa66747 de9ae630 30ca3261 1497c827'],
      [64, '51f0bebf 7e3b9d92 fc497417 79363cfe'],
    ]
    const tag = Buffer.alloc(16)
    for (const [lengthBytes, code] of codes) {
      mac.compute(message.subarray(0, lengthBytes), nothing, tag)
      assert.deepEqual(tag, hex(code))
      mac.compute(message.subarray(0, lengthBytes >> 1), message.subarray(lengthBytes >> 1, lengthBytes), tag)
      assert.deepEqual(tag, hex(code))
    }
    mac.close()
  })

  test(`${provider.name}: HMAC-SHA256 gives the first half of RFC 4231's case 2`, () => {
    const mac = provider.createMac('HMAC-SHA256', Buffer.from('Jefe'))
    const tag = Buffer.alloc(16)
    mac.compute(Buffer.from('what do ya want for nothing?'), nothing, tag)
    assert.deepEqual(tag, hex('5bdcc146bf60754e6a042426089575c7'))
    mac.close()
  })

  test(`${provider.name}: AES-GCM computes the specification's test cases 4 and 16`, () => {
    const plain = 'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39'
    const aad = hex('feedfacedeadbeeffeedfacedeadbeefabaddad2')
    const nonce = hex('cafebabefacedbaddecaf888')
    const cases: readonly (readonly [AeadAlgorithm, string, string, string])[] = [
      [
        'AES-128-GCM',
        'feffe9928665731c6d6a8f9467308308',
        '42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091',
        '5bc94fbc3221a5db94fae95ae7121a47',
      ],
      [
        'AES-256-GCM',
        'feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308',
        '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662',
        '76fc6ece0f4e1768cddf8853bb2d551b',
      ],
    ]
    for (const [algorithm, key, encrypted, code] of cases) {
      const context = provider.createAead(algorithm, 'encrypt', hex(key))
      const bytes = hex(plain)
      const tag = Buffer.alloc(16)
      assert.ok(context.run(nonce, aad, bytes, tag))
      assert.deepEqual(bytes, hex(encrypted))
      assert.deepEqual(tag, hex(code))
      context.close()
    }
  })

  test(`${provider.name}: AES-GMAC of nothing but additional data is test case 1's tag for none`, () => {
    const context = provider.createAead('AES-128-GCM', 'encrypt', Buffer.alloc(16))
    const tag = Buffer.alloc(16)
    context.authenticate(Buffer.alloc(12), nothing, nothing, tag)
    assert.deepEqual(tag, hex('58e2fccefa7e3061367f1d57a4e7455a'))
    context.close()
  })
}

test('both providers encrypt alike, read each other, and refuse what was changed', { skip: native === undefined }, () => {
  const algorithms = Object.keys(aeadAlgorithms) as AeadAlgorithm[]
  const bytesArbitrary = fc.uint8Array({ minLength: 1, maxLength: 600 })
  fc.assert(
    fc.property(
      fc.constantFrom(...algorithms),
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      fc.array(fc.tuple(bytesArbitrary, fc.nat()), { minLength: 1, maxLength: 4 }),
      (algorithm, keyBytes, messages) => {
        const { keyLengthBytes, nonceLengthBytes } = aeadAlgorithms[algorithm]
        const key = keyBytes.subarray(0, keyLengthBytes)
        const contexts = [
          [native!.createAead(algorithm, 'encrypt', key), nodeCrypto.createAead(algorithm, 'decrypt', key)],
          [nodeCrypto.createAead(algorithm, 'encrypt', key), native!.createAead(algorithm, 'decrypt', key)],
        ] as const
        const results: Buffer[][] = []
        for (const [encrypts, decrypts] of contexts) {
          for (const [index, [plain, position]] of messages.entries()) {
            // In the middle of shared memory: a neighbour's byte must not change.
            const memory = Buffer.from(new SharedArrayBuffer(plain.length + 2))
            const bytes = memory.subarray(1, 1 + plain.length)
            bytes.set(plain)
            const nonce = Buffer.alloc(nonceLengthBytes, index)
            const aad = Buffer.alloc(32, index)
            const tag = Buffer.alloc(16)
            assert.ok(encrypts.run(nonce, aad, bytes, tag))
            ;(results[index] ??= []).push(Buffer.concat([bytes, tag]))
            const changed = Buffer.from(bytes)
            changed[position % changed.length] ^= 1
            assert.equal(decrypts.run(nonce, aad, changed, tag), false)
            assert.equal(decrypts.run(nonce, Buffer.alloc(32, index + 1), Buffer.from(bytes), tag), false)
            assert.equal(decrypts.run(nonce, aad, bytes, tag), true)
            assert.deepEqual(Buffer.from(bytes), Buffer.from(plain))
            assert.equal(memory[0] | memory[memory.length - 1], 0)
          }
          encrypts.close()
          decrypts.close()
        }
        for (const [a, b] of results) assert.deepEqual(a, b)
      },
    ),
    { numRuns: 60 },
  )
})

test('both providers compute the same codes', { skip: native === undefined }, () => {
  fc.assert(
    fc.property(
      fc.constantFrom('HMAC-SHA256', 'AES-CMAC'),
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
      fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 4 }),
      (algorithm, key, messages) => {
        const [a, b] = [native!.createMac(algorithm, key), nodeCrypto.createMac(algorithm, key)]
        for (const message of messages) {
          const [ofA, ofB] = [Buffer.alloc(16), Buffer.alloc(16)]
          const cut = message.length >> 1
          a.compute(Buffer.from(message.subarray(0, cut)), Buffer.from(message.subarray(cut)), ofA)
          b.compute(Buffer.from(message), nothing, ofB)
          assert.deepEqual(ofA, ofB)
          if (algorithm === 'HMAC-SHA256') assert.deepEqual(ofA, createHmac('sha256', key).update(message).digest().subarray(0, 16))
        }
        a.close()
        b.close()
      },
    ),
    { numRuns: 60 },
  )
})

test('both providers authenticate alike, however a message is cut', { skip: native === undefined }, () => {
  const message = Buffer.from(Array.from({ length: 400 }, (_, i) => i))
  const nonce = Buffer.alloc(12, 7)
  const expected = createCipheriv('aes-128-gcm', Buffer.alloc(16, 2), nonce).setAAD(message)
  expected.final()
  for (const provider of providers) {
    const context = provider.createAead('AES-128-GCM', 'encrypt', Buffer.alloc(16, 2))
    for (const cut of [0, 1, 15, 16, 64, 256, 399, 400]) {
      const tag = Buffer.alloc(16)
      context.authenticate(nonce, message.subarray(0, cut), message.subarray(cut), tag)
      assert.deepEqual(tag, expected.getAuthTag(), `cut at ${cut}`)
    }
    context.close()
  }
})

test('a closed context computes nothing', { skip: native === undefined }, () => {
  const aead = native!.createAead('AES-128-GCM', 'encrypt', Buffer.alloc(16))
  const mac = native!.createMac('AES-CMAC', Buffer.alloc(16))
  for (const context of [aead, mac]) {
    context.close()
    context.close()
  }
  assert.throws(() => aead.run(Buffer.alloc(12), Buffer.alloc(1), Buffer.alloc(1), Buffer.alloc(16)))
  assert.throws(() => aead.authenticate(Buffer.alloc(12), Buffer.alloc(1), nothing, Buffer.alloc(16)))
  assert.throws(() => mac.compute(Buffer.alloc(1), nothing, Buffer.alloc(16)))
})
